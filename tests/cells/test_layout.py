"""Layouts: segmented, imported, drawn as a condition image."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from reading_layouts import read_layout
from tifffile import imwrite

from napari_pixcell.cells import advice, condition_image, count_cells, describe, segment_nuclei
from napari_pixcell.cells.layout import Summary
from napari_pixcell.errors import PixCellError
from napari_pixcell.slides import open_slide
from napari_pixcell.slides.region import Region


def test_nuclei_of_real_tissue_are_segmented(shared_data: Path) -> None:
    scores = []
    for path in sorted((shared_data / "tnbc_naylor_subset" / "images").glob("*.png")):
        labels = path.parents[1] / "labels" / path.name
        tissue = np.asarray(Image.open(path).convert("RGB").resize((256, 256), 4))
        truth = np.asarray(Image.open(labels).resize((256, 256), 0)) > 0
        found = segment_nuclei(tissue, 0.5) > 0
        scores.append(2 * (found & truth).sum() / (found.sum() + truth.sum()))
    assert np.mean(scores) > 0.65


def test_nuclei_beside_empty_glass_are_segmented(cmu_slide: Path) -> None:
    slide = open_slide(cmu_slide)
    for centre, fewest, most in (((1110, 1483), 70, 150), ((666, 890), 0, 3)):
        tile = slide.read(Region.tile(centre, 256, 0.5, slide.mpp), 0.5)
        assert fewest <= segment_nuclei(tile, 0.5).max() <= most
    slide.close()


def test_empty_glass_has_no_nuclei() -> None:
    assert segment_nuclei(np.full((256, 256, 3), 245, np.uint8)).max() == 0


def test_touching_cells_are_one_pixel_apart_in_the_condition() -> None:
    labels = np.zeros((10, 10), np.uint16)
    labels[2:8, 1:5] = 1
    labels[2:8, 5:9] = 2
    picture = condition_image(labels)
    assert picture.shape == (10, 10, 3)
    assert set(np.unique(picture)) == {0, 255}
    assert (picture[2:8, 5] == 0).all()
    assert (picture[2:8, [1, 2, 3, 4, 6, 7, 8]] == 255).all()


def test_layouts_are_summarised() -> None:
    labels = np.zeros((256, 256), np.uint16)
    labels[:10, :10] = 1
    labels[20:30, :10] = 5
    assert str(describe(labels, 0.5)) == "2 cells · 122 per mm² · median 25 µm²"
    assert str(describe(labels * 0, 0.5)) == "No cells yet"


@pytest.mark.parametrize("suffix", [".tif", ".png", ".npy"])
def test_label_images_are_imported_unchanged(tmp_path: Path, suffix: str) -> None:
    labels = np.zeros((32, 32), np.uint16)
    labels[:10, :10] = 7
    labels[10:20, 10:20] = 300
    path = tmp_path / f"m{suffix}"
    match suffix:
        case ".tif":
            imwrite(path, labels)
        case ".png":
            Image.fromarray(labels).save(path)
        case _:
            np.save(path, labels)
    np.testing.assert_array_equal(read_layout(path, (32, 32)), labels)


def test_binary_masks_are_split_into_components(shared_data: Path) -> None:
    folder = shared_data / "cellbindb_demo" / "mouse_HE_512"
    labels = read_layout(folder / "gt_mask.tif", (512, 512))
    assert count_cells(labels) > 50


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (np.ones((10, 12), np.uint8), "The layout is 12 × 10 px but the region needs 32 × 32 px"),
        (np.zeros((32, 32), np.uint8), "The layout has no cells"),
        (np.random.default_rng(0).random((32, 32)), "has fractional values"),
        (-np.ones((32, 32), np.int16), "has negative values"),
        (
            np.random.default_rng(0).integers(0, 9, (32, 32, 3), np.uint8),
            "is a colour image, not a label image",
        ),
    ],
)
def test_images_that_are_not_masks_are_explained(tmp_path: Path, values, sentence: str) -> None:
    np.save(tmp_path / "m.npy", values)
    with pytest.raises(PixCellError, match=sentence):
        read_layout(tmp_path / "m.npy", (32, 32))


def test_unreadable_files_are_explained(tmp_path: Path) -> None:
    path = tmp_path / "m.tif"
    with pytest.raises(PixCellError, match=r"“m\.tif” does not exist"):
        read_layout(path, (32, 32))
    path.write_text("nothing")
    with pytest.raises(PixCellError, match=r"m\.tif cannot be read as a label image"):
        read_layout(path, (32, 32))


def test_layouts_with_too_many_cells_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "m.npy", np.arange(1000 * 1000, dtype=np.uint32).reshape(1000, 1000))
    with pytest.raises(PixCellError, match="has 999,999 cells, more than 500,000"):
        read_layout(tmp_path / "m.npy", (1000, 1000))


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    path = tmp_path / "m.npy"
    np.save(path, np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(PixCellError, match="cannot be read as a label image"):
        read_layout(path, (32, 32))


@pytest.mark.parametrize(
    ("count", "per_mm2", "median", "words"),
    [
        (80, 5000.0, 40.0, ""),
        (0, 0.0, 0.0, ""),
        (10, 300.0, 900.0, "far larger than nuclei \\(median 900 µm², nuclei 10 to 250 µm²\\)"),
        (90, 5000.0, 4.0, "far smaller than nuclei.*Check the pixel size"),
        (900, 45_000.0, 12.0, "45,000 cells per mm² are denser than tissue"),
    ],
)
def test_layouts_unlike_tissue_give_a_warning(count, per_mm2, median, words) -> None:
    found = advice(Summary(count, per_mm2, median))
    assert re.search(words, found) if words else not found


def test_nearly_black_nuclei_are_segmented() -> None:
    noise = np.random.default_rng(0).normal(0, 6, (256, 256, 3))
    rows, columns = np.mgrid[:256, :256]
    picture = noise + np.array([225, 165, 205])
    mask = np.zeros((256, 256), bool)
    for number, place in enumerate(np.argwhere(np.ones((6, 6)))):
        y, x = 24 + 40 * place
        disc = (rows - y) ** 2 + (columns - x) ** 2 <= 49
        # Some let through no red at all: their optical density has no limit.
        picture[disc] = noise[disc] + ((-20, 5, 60) if number % 9 == 0 else (60, 42, 115))
        mask |= disc
    found = segment_nuclei(np.clip(picture, 0, 255).astype(np.uint8), 0.5)
    assert count_cells(found) == 36
    assert np.count_nonzero((found > 0) & mask) > 0.9 * np.count_nonzero(mask)
