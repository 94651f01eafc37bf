"""Images that are masks, classes or labels in other forms."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from drawn_layouts import SAMPLE_CELLS, SAMPLE_COUNT, sample
from PIL import Image
from tifffile import imwrite

from napari_pixcell.cells import count_cells, read_cells, write_labels
from napari_pixcell.errors import PixCellError


def discs(number: int = 24) -> np.ndarray:
    """Return separate round cells, (80, 120), numbered from 1."""
    y, x = np.indices((80, 120))
    labels = (y // 20) * 6 + x // 20 + 1
    inside = (y % 20 - 10) ** 2 + (x % 20 - 10) ** 2 < 64
    return np.where(inside & (labels <= number), labels, 0)


@pytest.mark.parametrize("ground", [0, 1])
@pytest.mark.parametrize("top", [2, 37, 128, 255, 65_535])
def test_any_two_values_are_a_mask(tmp_path: Path, ground: int, top: int) -> None:
    imwrite(tmp_path / "m.tif", np.where(discs(), top, ground).astype(np.uint16))
    file = read_cells(tmp_path / "m.tif")
    np.testing.assert_array_equal(file.labels, discs())
    note = {} if ground == 0 else {"on the most common value, 1, as background": 24}
    assert file.report.changed == note


@pytest.mark.parametrize("top", [1, 255])
def test_an_inverted_mask_is_read(tmp_path: Path, top: int) -> None:
    imwrite(tmp_path / "m.tif", np.where(discs(), 0, top).astype(np.uint8))
    file = read_cells(tmp_path / "m.tif")
    np.testing.assert_array_equal(file.labels, discs())
    assert file.report.changed == {f"on the most common value, {top}, as background": 24}


@pytest.mark.parametrize("shift", [0, 1])
def test_the_parts_of_a_class_are_cells(tmp_path: Path, shift: int) -> None:
    classes = np.where(discs(), discs() % 5 + 1, 0) + shift
    imwrite(tmp_path / "m.tif", classes.astype(np.uint8))
    file = read_cells(tmp_path / "m.tif")
    assert count_cells(file.labels) == 24
    assert set(file.classes.values()) == {f"class {n + shift}" for n in range(1, 6)}
    for label, name in file.classes.items():
        assert name == f"class {classes[file.labels == label][0]}"
    assert file.report.changed == {"as the connected parts of each class": 24}


def test_touching_cells_of_a_class_are_split_on_request(tmp_path: Path) -> None:
    y, x = np.indices((80, 120))
    pair = ((y - 20) ** 2 + (x - 20) ** 2 < 121) | ((y - 20) ** 2 + (x - 38) ** 2 < 121)
    classes = np.where(discs() * (y > 40), discs() % 3 + 1, pair * 2)
    imwrite(tmp_path / "m.tif", classes.astype(np.uint8))
    assert read_cells(tmp_path / "m.tif", split_touching=True).report.read == 14
    assert read_cells(tmp_path / "m.tif").report.read == 13


@pytest.mark.parametrize("name", ["m.jpg", "m.png", "m.webp"])
def test_blurred_masks_are_cut_in_the_middle(tmp_path: Path, name: str) -> None:
    image = Image.fromarray(np.where(discs(), 255, 0).astype(np.uint8))
    image.save(tmp_path / "m.jpg", quality=70)
    if name != "m.jpg":
        Image.open(tmp_path / "m.jpg").save(tmp_path / name)
    file = read_cells(tmp_path / name)
    assert file.report.changed == {"in a mask with blurred edges": 24}
    assert np.count_nonzero((file.labels > 0) != (discs() > 0)) < 0.02 * discs().size


def test_jpeg_in_tiff_is_a_mask_too(tmp_path: Path) -> None:
    values = np.where(discs(), 255, 0).astype(np.uint8)
    imwrite(tmp_path / "m.tif", values, compression="jpeg", tile=(32, 32))
    assert read_cells(tmp_path / "m.tif").report.read == 24


@pytest.mark.parametrize("name", ["m.jpg", "m.png"])
def test_photographs_are_refused(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(0).normal(130, 40, (80, 120)).clip(0, 255)
    Image.fromarray(noise.astype(np.uint8)).save(tmp_path / name)
    with pytest.raises(PixCellError, match="is a photograph or was saved with loss"):
        read_cells(tmp_path / name)


@pytest.mark.parametrize("scale", [1, 700])
def test_labels_in_red_green_and_blue_are_read(tmp_path: Path, scale: int) -> None:
    labels = discs() * scale
    Image.fromarray(np.stack((labels >> 16, labels >> 8, labels), -1).astype(np.uint8)).save(
        tmp_path / "m.png"
    )
    np.testing.assert_array_equal(read_cells(tmp_path / "m.png").labels, labels)


def test_colour_images_are_no_labels(tmp_path: Path, shared_data: Path) -> None:
    classes = np.zeros((80, 120, 3), np.uint8)
    classes[..., 0], classes[..., 1] = (discs() % 2) * 200, (discs() > 0) * 100
    Image.fromarray(classes).save(tmp_path / "classes.png")
    tissue = next((shared_data / "tnbc_naylor_subset").rglob("*.png"))
    for path in (tmp_path / "classes.png", tissue):
        with pytest.raises(PixCellError, match=r"is a (colour image|photograph)"):
            read_cells(path)


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_labels_beside_their_classes_are_read(tmp_path: Path, order, axis: int) -> None:
    kinds = np.where(discs(), discs() % 3 + 1, 0)
    np.save(tmp_path / "m.npy", np.stack([(discs(), kinds)[n] for n in order], axis))
    file = read_cells(tmp_path / "m.npy")
    np.testing.assert_array_equal(file.labels, discs())
    assert file.classes == {n: f"type {n % 3 + 1}" for n in range(1, 25)}
    np.save(tmp_path / "m.npy", np.random.default_rng(0).integers(0, 9, (80, 120, 2)))
    with pytest.raises(PixCellError, match="has two channels that are not labels and their"):
        read_cells(tmp_path / "m.npy")


def test_masks_in_npz_are_read(tmp_path: Path) -> None:
    path, labels = tmp_path / "m.npz", discs()
    np.savez_compressed(path, labels)
    np.testing.assert_array_equal(read_cells(path).labels, labels)
    np.savez(path, image=np.ones((80, 120, 3)), masks=labels)
    np.testing.assert_array_equal(read_cells(path).labels, labels)
    np.savez(path, a=labels, b=labels)
    with pytest.raises(PixCellError, match=r"no array named “masks” or “labels”, but 2 others"):
        read_cells(path)
    np.savez(path, masks=np.array([{}], object))
    with pytest.raises(PixCellError, match=r"m\.npz"):
        read_cells(path)


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif"])
@pytest.mark.parametrize("classes", [{}, {1: "Tumor"}])
def test_a_layout_of_one_cell_comes_back_as_one(tmp_path: Path, name: str, classes) -> None:
    """It has two values, like a mask, and here two parts."""
    labels = np.zeros((40, 40), np.int32)
    labels[2:9, 2:9] = labels[20:30, 20:30] = 1
    write_labels(tmp_path / name, labels, 0.5, classes)
    np.testing.assert_array_equal(read_cells(tmp_path / name).labels, labels)


def test_a_layout_of_one_cell_by_an_earlier_version_comes_back_as_one(tmp_path: Path) -> None:
    labels = np.zeros((40, 40), np.uint16)
    labels[2:9, 2:9] = labels[20:30, 20:30] = 1
    cm = {"resolution": (20_000, 20_000), "resolutionunit": "CENTIMETER"}
    imwrite(tmp_path / "a.tif", labels, compression="zlib", metadata=None, **cm)
    assert read_cells(tmp_path / "a.tif").report.read == 1


def test_labels_in_fragments_stay_labels(tmp_path: Path) -> None:
    """Cut and painted cells have crumbs, which are no cells."""
    labels = discs()
    for number in range(1, 25):
        y, x = np.argwhere(labels == number).mean(axis=0).astype(int)
        labels[y - 9, x] = number
    imwrite(tmp_path / "m.tif", labels.astype(np.uint8))
    np.testing.assert_array_equal(read_cells(tmp_path / "m.tif").labels, labels)
    np.save(tmp_path / "m.npy", sample())
    np.testing.assert_array_equal(read_cells(tmp_path / "m.npy").labels, sample())


# file of the shared cases: cells, or a part of the error
CASES = {
    "a01_qupath02_ids.json": 2,
    "a03_qupath06_tmaCore.geojson": 2,
    "a05_planes_z.geojson": 2,
    "a11_flat_ring.geojson": 1,
    "a30_zip.geojson.zip": 1,
    "b02_hovernet_nuc_list.json": 2,
    "d01_flat_segmentation.json": 2,
    "d07_category_list.json": 1,
    "d21_list_results_rle.json": 1,
    "d27_size_mismatch.json": "of another size than the image",
    "d44_100.json": "100 with broken coordinates",
    "e01_mask.jpg": 64,
    "e04_mask_0_65535.tif": 64,
    "e05_mask_0_128.tif": 64,
    "e07_semantic_0_5.tif": 64,
    "e09_qupath_packed_rgb.tif": 64,
    "e14b_hw2_type_inst.npy": 64,
    "e16_labels.npz": 64,
    "f06b_lzma_bad.zip": "is not a complete zip file",
    "f20_fuzz_1.roi": "with broken coordinates",
    "h01_one_polygon_6000.geojson.gz": 1,
    "h10_nan_at_65536.geojson": 1,
}


@pytest.mark.parametrize("name", CASES)
def test_collected_files_of_other_tools_are_read(shared: Path, name: str) -> None:
    path = shared / "cases" / "cells" / name
    if not path.exists():
        pytest.skip("the collected files are missing")
    want = CASES[name]
    if isinstance(want, int):
        assert read_cells(path).report.read == want
    else:
        with pytest.raises(PixCellError, match=want):
            read_cells(path)


def test_descriptions_with_damaged_classes_are_ignored(tmp_path: Path) -> None:
    for text in ("{}", '{"classes": 5}', '{"classes": {"x": 1}}', json.dumps([1])):
        imwrite(tmp_path / "m.tif", discs().astype(np.uint16), description=text, metadata=None)
        assert read_cells(tmp_path / "m.tif").classes == {}
    assert read_cells(SAMPLE_CELLS / "labels.tif").report.read == SAMPLE_COUNT
