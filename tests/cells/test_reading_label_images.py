"""Label images and masks of all formats and data types."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn_layouts import SAMPLE_CELLS, SAMPLE_COUNT, sample
from PIL import Image
from tifffile import TiffWriter, imread, imwrite

from napari_pixcell.cells import count_cells, read_cells
from napari_pixcell.errors import PixCellError


@pytest.mark.parametrize(
    "name", ["labels.tif", "labels.ome.tif", "labels.png", "labels.npy", "sample_seg.npy"]
)
def test_all_image_formats_give_the_sample_cells(name: str) -> None:
    file = read_cells(SAMPLE_CELLS / name)
    np.testing.assert_array_equal(file.labels, sample())
    assert file.labels.dtype == np.int32
    assert file.shape == sample().shape
    assert str(file.report) == f"Read {SAMPLE_COUNT} cells."


def test_masks_with_gaps_give_their_components() -> None:
    assert read_cells(SAMPLE_CELLS / "mask.png").report.read == SAMPLE_COUNT


def test_masks_of_all_tools_are_read(shared_data: Path) -> None:
    for path in (shared_data / "cellbindb_demo").glob("*/*_*.tif"):
        values, file = imread(path), read_cells(path)
        np.testing.assert_array_equal(file.labels > 0, values > 0)
        if values.dtype == np.uint32:  # MEDIAR's labels
            np.testing.assert_array_equal(file.labels, values)
        assert file.mpp is None


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("top", [1, 255])
def test_binary_images_are_masks_whatever_their_values(tmp_path: Path, dtype, top: int) -> None:
    values = np.zeros((9, 9), dtype)
    values[1:3, 1:3] = values[5:7, 5:7] = top
    np.save(tmp_path / "m.npy", values)
    assert read_cells(tmp_path / "m.npy").report.read == 2


def test_touching_cells_of_a_mask_are_split_on_request(tmp_path: Path) -> None:
    y, x = np.indices((40, 60))
    discs = ((y - 20) ** 2 + (x - 20) ** 2 < 121) | ((y - 20) ** 2 + (x - 38) ** 2 < 121)
    Image.fromarray(discs.astype(np.uint8) * 255).save(tmp_path / "m.png")
    assert read_cells(tmp_path / "m.png").report.read == 1
    assert read_cells(tmp_path / "m.png", split_touching=True).report.read == 2


def test_formats_are_recognised_by_content_not_by_name(tmp_path: Path) -> None:
    imwrite(tmp_path / "m.png", sample())
    Image.fromarray(sample().astype(np.uint16)).save(tmp_path / "m.json", "PNG")
    for name in ("m.png", "m.json"):
        np.testing.assert_array_equal(read_cells(tmp_path / name).labels, sample())


def test_plausible_pixel_sizes_are_read(tmp_path: Path) -> None:
    labels = sample().astype(np.uint16)
    path = tmp_path / "m.tif"
    cm = {"resolution": (40_000, 40_000), "resolutionunit": "CENTIMETER"}
    imagej = {"imagej": True, "resolution": (4, 4), "metadata": {"unit": "um"}}
    for options, mpp in (
        (cm, 0.25),
        (imagej, 0.25),
        ({**imagej, "resolution": (1, 1)}, None),  # its default
        ({"resolution": (72, 72), "resolutionunit": "INCH"}, None),
        ({**cm, "resolution": (40_000, 20_000)}, None),  # no square pixels
        ({**cm, "resolution": (1, 1)}, None),  # a default
    ):
        imwrite(path, labels, **options)
        assert read_cells(path).mpp == (None if mpp is None else pytest.approx(mpp))
    nm = {"PhysicalSizeX": 250, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.25}
    imwrite(tmp_path / "m.ome.tif", labels, metadata={"axes": "YX", **nm})
    assert read_cells(tmp_path / "m.ome.tif").mpp == pytest.approx(0.25)


def test_unknown_metadata_do_not_prevent_reading(tmp_path: Path) -> None:
    imwrite(tmp_path / "m.tif", sample().astype(np.uint16), description="<OME><Image/></OME>")
    file = read_cells(tmp_path / "m.tif")
    assert file.mpp is None
    np.testing.assert_array_equal(file.labels, sample())


def test_labels_too_large_for_int32_are_renumbered(tmp_path: Path) -> None:
    values = sample().astype(np.uint64)
    values[values == SAMPLE_COUNT] = 2**40
    np.save(tmp_path / "m.npy", values)
    np.testing.assert_array_equal(read_cells(tmp_path / "m.npy").labels, sample())


def test_greyscale_images_with_transparency_are_read(tmp_path: Path) -> None:
    grey = Image.fromarray(sample().astype(np.uint8))
    for mode in ("LA", "RGBA"):
        grey.convert(mode).save(tmp_path / "m.png")
        np.testing.assert_array_equal(read_cells(tmp_path / "m.png").labels, sample())


def test_stacks_are_refused_but_pyramids_are_read(tmp_path: Path) -> None:
    path = tmp_path / "m.tif"
    imwrite(path, np.stack([sample()] * 5).astype(np.uint16), photometric="minisblack")
    with pytest.raises(PixCellError, match=r"m\.tif is a stack of planes"):
        read_cells(path)
    with TiffWriter(path) as file:
        for step in (1, 2):
            file.write(sample()[::step, ::step].astype(np.uint16))
    np.testing.assert_array_equal(read_cells(path).labels, sample())


def test_stacks_of_one_plane_are_read(tmp_path: Path) -> None:
    imwrite(tmp_path / "m.tif", sample()[None, None].astype(np.uint16))
    assert count_cells(read_cells(tmp_path / "m.tif").labels) == SAMPLE_COUNT


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (np.ones((7, 20, 30), np.uint8), r"is a stack \(30 × 20 × 7 px\), not a flat label image"),
        (np.ones(9, np.uint8), "is a stack"),
        (np.full((9, 9), 0.5), "has fractional values"),
        (np.full((9, 9), np.nan), "has fractional values"),
        (np.full((9, 9), -3), "has negative values"),
        (np.arange(243, dtype=np.uint8).reshape(9, 9, 3), "is a colour image"),
        (np.empty((0, 4), np.uint8), "has no pixels"),
        (np.ones((9, 9), complex), "cannot be read as a label image"),
        (np.full((9, 9), "a"), "cannot be read as a label image"),
    ],
)
def test_images_that_are_not_label_images_are_explained(
    tmp_path: Path, values, sentence: str
) -> None:
    np.save(tmp_path / "m.npy", values)
    with pytest.raises(PixCellError, match=sentence):
        read_cells(tmp_path / "m.npy")
