"""The gate tells a control that follows cells and classes from one that does not."""

from __future__ import annotations

import numpy as np
import pytest
from marked_cells import LARGE, SMALL, field

from napari_pixcell.cells.class_map import ClassMap, make_palette
from napari_pixcell.engine.training.control.gate import (
    ClassAgreement,
    GateTile,
    agreement,
    exchanged,
    looks,
)

PALETTE = make_palette([LARGE, SMALL])


def stained(image: np.ndarray, strength: float) -> np.ndarray:
    """Return an image with the optical density multiplied."""
    return np.round(255 * (np.maximum(image, 1) / 255) ** strength).astype(np.uint8)


def tile(seed: int, made: int | None = None, again: bool = True, strength: float = 1.0) -> GateTile:
    """Return a tile for which the image of another seed was generated."""
    image, labels, classes = field(seed)
    drawn = ClassMap.of(PALETTE, classes)
    other = image.copy()
    colours = np.array([(170, 120, 190), (60, 20, 90)], np.uint8)
    swapped = exchanged(drawn, labels)
    other[labels > 0] = colours[swapped.indices(labels)][labels > 0]
    shown = image if made is None else field(made)[0]
    images = [stained(one, strength) for one in (image, shown, other if again else image)]
    return GateTile(images[0], labels.astype(np.int32), drawn, *images[1:])


@pytest.fixture(scope="module")
def training() -> list:
    found = []
    for seed in (20, 21):
        image, labels, classes = field(seed)
        found.append(looks(image, labels, ClassMap.of(PALETTE, classes)))
    return found


def test_images_that_show_the_cells_and_their_classes_pass(training: list) -> None:
    rows = agreement([tile(1), tile(2)], training, 0.5)
    assert [row.name for row in rows] == ["all cells", LARGE, SMALL]
    assert rows[1].recognised > 0.95 and rows[1].mistaken < 0.05
    assert rows[1].repainted > 0.95 and rows[1].before < 0.05


@pytest.mark.parametrize("strength", [0.3, 3.0])
def test_classes_are_recognised_in_a_stain_of_another_strength(
    training: list, strength: float
) -> None:
    rows = agreement([tile(1, strength=strength), tile(2, strength=strength)], training, 0.5)
    assert rows[1].recognised > 0.95 and rows[1].mistaken < 0.05
    assert rows[1].repainted > 0.95 and rows[1].before < 0.05


def test_a_class_alone_in_its_image_is_still_recognised(training: list) -> None:
    image, labels, classes = field(1)
    alone = np.where(
        np.isin(labels, [n for n, name in classes.items() if name == SMALL]), labels, 0
    )
    image[(labels > 0) & (alone == 0)] = (230, 170, 200)
    drawn = ClassMap.of(PALETTE, {n: name for n, name in classes.items() if name == SMALL})
    only = GateTile(image, alone.astype(np.int32), drawn, image)
    rows = agreement([only, only], training, 0.5)
    assert [row.name for row in rows] == ["all cells", SMALL] and rows[1].recognised > 0.9


def test_images_of_other_classes_are_not_recognised(training: list) -> None:
    rows = agreement([tile(1, made=5), tile(2, made=6)], training, 0.5)
    assert not any(row.follows for row in rows[1:])


def test_repainting_without_an_effect_fails() -> None:
    row = ClassAgreement("a", 9, 0.9, 0.2, 0.9, 0.1, 0.15, 0.1)
    assert not row.follows
    assert ClassAgreement("a", 9, 0.9, 0.2, 0.9, 0.1, 0.8, 0.1).follows
    assert not ClassAgreement("all cells", 9, 0.3, 0.2).follows
    assert "90% placed (20% shuffled), 90% look like it (10% of the others)" in row.sentence()


def test_exchanged_classes_give_each_cell_the_next_one() -> None:
    classes = ClassMap(PALETTE, ((1,), (2,)))
    labels = np.array([[1, 2]])
    assert exchanged(classes, labels).labels == ((2,), (1,))
