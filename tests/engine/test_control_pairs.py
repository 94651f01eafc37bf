"""Pairs that cannot train a ControlNet are refused, each with a sentence."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from marked_cells import field, write_pairs
from PIL import Image

from napari_pixcell.cells.writing import write_labels
from napari_pixcell.engine.training.control import pairs
from napari_pixcell.engine.training.control.pairs import (
    control_files,
    palette_of,
    places,
    read_control_pair,
)
from napari_pixcell.engine.training.control.request import TrainControlRequest
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import DEMO

WITH_CLASSES = TrainControlRequest("mine", "demo", "pairs", "out", classes=True)


def refused(function: Callable[..., object], *arguments: object, **named: object) -> str:
    """Return the sentence with which a function refuses its arguments."""
    with pytest.raises(PixCellError) as error:
        function(*arguments, **named)
    return str(error.value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_pairs(tmp_path / "pairs", 2)


def test_images_and_masks_pair_by_name_in_one_folder_or_in_two(
    folder: Path, tmp_path: Path
) -> None:
    found = control_files(folder)
    assert [(one.image.name, one.cells.name) for one in found] == [
        ("0.png", "0_masks.tif"),
        ("1.png", "1_masks.tif"),
    ]
    for part in ("images", "masks"):
        (tmp_path / "two" / part).mkdir(parents=True)
    (folder / "0.png").rename(tmp_path / "two/images/0.png")
    (folder / "0_masks.tif").rename(tmp_path / "two/masks/0.tif")
    (found,) = control_files(tmp_path / "two")
    assert (found.image.name, found.cells.name) == ("0.png", "0.tif")


def test_classes_are_read_with_the_cells(folder: Path) -> None:
    pair = read_control_pair(control_files(folder)[0], DEMO, None)
    image, labels, classes = field(0)
    assert np.array_equal(pair.image, image) and np.array_equal(pair.labels, labels)
    assert pair.classes == classes


def test_an_image_without_mask_or_a_mask_without_image_is_named(folder: Path) -> None:
    (folder / "1_masks.tif").unlink()
    assert refused(control_files, folder) == (
        "1 image of “pairs” has no mask, such as “1.png”. Add a mask of the same name, or remove "
        "the image."
    )
    shutil.copy(folder / "1.png", folder / "2.png")
    assert refused(control_files, folder) == (
        "2 images of “pairs” have no mask, such as “1.png”. Add a mask of the same name, or remove "
        "the image."
    )
    (folder / "2.png").unlink()
    (folder / "1.png").unlink()
    (folder / "0.png").unlink()
    Image.fromarray(field(2)[0]).save(folder / "2.png")
    assert refused(control_files, folder) == (
        "1 mask of “pairs” has no image, such as “0_masks.tif”. Add an image of the same name, or "
        "remove the mask."
    )


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert refused(control_files, tmp_path / "empty") == (
        "“empty” holds no images. Choose a folder of PNG, JPEG or TIFF files, with their masks "
        "beside them or in a folder “masks”."
    )
    assert refused(control_files, tmp_path / "gone") == (
        "There is no folder “gone”. Choose one of labelled tiles."
    )


def test_a_mask_of_another_size_is_refused(folder: Path) -> None:
    Image.fromarray(np.ones((200, 300), np.uint8)).save(folder / "0_masks.tif")
    assert refused(read_control_pair, control_files(folder)[0], DEMO, None) == (
        "“0.png” is 256 × 256 px, but its mask “0_masks.tif” is 300 × 200 px. Export masks of the "
        "same size."
    )


def test_a_mask_without_cells_is_tissue_without_cells(folder: Path) -> None:
    write_labels(folder / "0_masks.tif", np.zeros((256, 256), np.uint16))
    pair = read_control_pair(control_files(folder)[0], DEMO, None)
    assert pair.labels.shape == (256, 256) and not pair.labels.any() and not pair.classes


def test_an_image_smaller_than_a_tile_is_refused(tmp_path: Path) -> None:
    files = control_files(write_pairs(tmp_path / "small", 1, side=128))
    assert refused(read_control_pair, files[0], DEMO, None) == (
        "“0.png” is 128 × 128 px at 0.5 µm/px, less than one tile of 256 × 256 px. Use larger "
        "images, or enter their pixel size."
    )


def test_an_image_too_large_to_train_on_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "MOST_PIXELS", 1000)
    assert refused(read_control_pair, control_files(folder)[0], DEMO, None) == (
        "“0.png” is 256 × 256 px at 0.5 µm/px, too large to train on as a whole. Crop it."
    )


def test_too_few_tiles_are_refused() -> None:
    tissue = [np.ones((1, 1), bool)] * 6
    assert refused(places, [(256, 256, 3)] * 6, tissue, DEMO, 0) == (
        "The pairs contain 6 tiles of tissue, but a ControlNet needs at least 16, including "
        "held-out ones. Use more pairs, or larger ones."
    )


def test_training_tiles_overlap_and_touch_no_held_out_one() -> None:
    found = places([(512, 1024, 3)] * 3, [np.ones((2, 4), bool)] * 3, DEMO, 0)
    held = [one for one in found if one.held_out]
    training = [one for one in found if not one.held_out]
    assert len(held) == 6 and len(training) > 18
    assert all(
        one.pair != other.pair or abs(one.y - other.y) >= 256 or abs(one.x - other.x) >= 256
        for one in held
        for other in training
    )


@pytest.mark.parametrize(
    ("counts", "palette", "words"),
    [
        (
            [{"": 3}],
            (),
            "The masks name no classes. Use files that do, such as GeoJSON of QuPath, or train "
            "without classes.",
        ),
        (
            [{"a": 3}, {"": 2}],
            (),
            "“1” names no classes, but other masks do (a). Give its cells classes, or remove it.",
        ),
        (
            [{"a": 3}, {"A": 2}],
            (),
            "The classes “a” and “A” differ only in case or spaces. Give cells of the same class "
            "the same name.",
        ),
        (
            [{"a": 3}, {"b": 2}],
            (("a", "#ff0000"),),
            "“1” has cells of the class “b”, which is not in the palette. Add it, or rename the "
            "class.",
        ),
        (
            [{"a": 3}],
            (("a", "#ff0000"), ("c", "#0000ff")),
            "No cell has the class “c” of the palette. Remove it, or add pairs that show it.",
        ),
    ],
)
def test_classes_that_differ_between_files_are_refused(
    counts: list[dict[str, int]], palette: tuple, words: str
) -> None:
    named = [(str(number), Counter(count)) for number, count in enumerate(counts)]
    assert refused(palette_of, replace(WITH_CLASSES, palette=palette), named) == words


def test_a_palette_with_two_equal_colours_is_refused() -> None:
    palette = (("a", "#ff0000"), ("b", "#FF0000"))
    assert refused(replace, WITH_CLASSES, palette=palette) == (
        "The classes “a” and “b” have the same colour, or nearly (#ff0000, #ff0000). Choose "
        "colours that differ."
    )


def test_the_commonest_class_comes_first_and_cells_without_one_are_white() -> None:
    palette = palette_of(WITH_CLASSES, [("0", Counter({"a": 1, "b": 5, "": 2}))])
    assert [name for name, _ in palette] == ["b", "a", ""] and palette[-1][1] == "#ffffff"
    assert palette_of(replace(WITH_CLASSES, classes=False), []) == ()
