"""Class maps: colours that can be told apart, and the condition image drawn in them."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pixcell.cells import condition_image
from napari_pixcell.cells.class_map import (
    COLOURS,
    ClassMap,
    checked_palette,
    make_palette,
    read_palette,
)
from napari_pixcell.errors import PixCellError

PALETTE = (("tumour", "#ff0000"), ("stroma", "#0000ff"))
LABELS = np.array([[1, 1, 0, 2, 0, 3]])


def test_each_cell_has_the_colour_of_its_class_and_the_background_is_black() -> None:
    classes = ClassMap.of(PALETTE, {1: "tumour", 2: "stroma"})
    picture = condition_image(LABELS, gap=False, classes=classes)
    red, blue, black = (255, 0, 0), (0, 0, 255), (0, 0, 0)
    # The cell without a class is drawn like those of the first.
    assert [tuple(p) for p in picture[0].tolist()] == [red, red, black, blue, black, red]


def test_cells_without_a_class_are_white_if_the_control_knows_them() -> None:
    classes = ClassMap.of((*PALETTE, ("", "#ffffff")), {1: "tumour"})
    picture = condition_image(LABELS, gap=False, classes=classes)
    assert picture[0, 5].tolist() == [255, 255, 255]


def test_gaps_are_those_of_the_binary_image() -> None:
    labels = np.repeat(np.array([[1, 1, 1, 2, 2, 2]]), 3, axis=0)
    drawn = condition_image(labels, True, ClassMap.of(PALETTE, {1: "tumour", 2: "stroma"}))
    assert np.array_equal(drawn.any(axis=-1), condition_image(labels)[..., 0] > 0)
    assert not drawn[:, 3].any()


def test_a_class_that_the_model_does_not_know_is_refused() -> None:
    with pytest.raises(PixCellError, match=r"class “fat” \(2\), which this model does not know.*"):
        ClassMap.of(PALETTE, {1: "fat", 2: "fat", 3: "tumour"})


def test_a_palette_has_as_many_distinct_colours_as_classes() -> None:
    names = [f"class {number}" for number in range(len(COLOURS))]
    assert len({colour for _, colour in make_palette([*names, ""])}) == len(COLOURS) + 1
    with pytest.raises(PixCellError, match="There are 13 classes, but at most 12"):
        make_palette([*names, "one more"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a=#ff0000,b=#ff0000", "“a” and “b” have the same colour, or nearly"),
        ("a=#ff0000,b=#f80808", "“a” and “b” have the same colour, or nearly"),
        ("a=#ff0000,A=#0000ff", "“a” and “A” differ only in case or spaces"),
        ("a=#000010", "“a” is black, which stands for no cell"),
        ("a=red", "The colour “red” of the class “a” is not written as #rrggbb"),
        ("", "The palette has no classes"),
    ],
)
def test_a_palette_that_cannot_be_told_apart_is_refused(text: str, words: str) -> None:
    with pytest.raises(PixCellError, match=words):
        read_palette(text)


def test_labels_for_another_number_of_classes_are_refused() -> None:
    with pytest.raises(PixCellError, match="labels of 1 classes, but the palette has 2"):
        ClassMap(checked_palette(PALETTE), ((1,),))
