"""Cells from COCO, HoVer-Net, CellViT and ImageJ."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_layouts import SAMPLE_CELLS, SAMPLE_CORNER, hard, sample
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from roifile import ROI_SUBTYPE, ROI_TYPE, ImagejRoi, roiwrite

from napari_pixcell.cells import CellsFile, outlines_of, rasterise, read_cells
from napari_pixcell.errors import PixCellError


@pytest.mark.parametrize(
    ("name", "origin", "classes"),
    [
        ("qupath.geojson", SAMPLE_CORNER, {"Tumor", "Immune cells"}),
        ("qupath.geojson.gz", SAMPLE_CORNER, {"Tumor", "Immune cells"}),
        ("hovernet.json", SAMPLE_CORNER, {"type 1", "type 2"}),
        ("cellvit.json", SAMPLE_CORNER, {"Tumor", "Immune cells"}),
        ("coco.json", (0, 0), {"Tumor", "Immune cells"}),
        ("imagej.zip", (0, 0), {"group 1", "group 2"}),
    ],
)
def test_all_outline_formats_give_the_sample_cells(name: str, origin, classes: set[str]) -> None:
    file = read_cells(SAMPLE_CELLS / name)
    labels, kept, _ = rasterise(file.outlines, sample().shape, origin)
    np.testing.assert_array_equal(labels, sample())
    assert set(file.outlines.classes[kept]) == classes


@pytest.fixture
def read(tmp_path: Path):
    def read(value: Any, **options: Any) -> CellsFile:
        (tmp_path / "cells.json").write_text(json.dumps(value))
        return read_cells(tmp_path / "cells.json", **options)

    return read


# COCO


def coco(segmentations: list[Any], images: list[str], image_id: int = 1) -> dict[str, Any]:
    return {
        "annotations": [
            {"image_id": image_id, "category_id": 5, "segmentation": one} for one in segmentations
        ],
        "images": [
            {"id": n, "file_name": name, "width": 32, "height": 24}
            for n, name in enumerate(images, 1)
        ],
        "categories": [{"id": 5, "name": "nucleus"}],
    }


def run_lengths(mask: NDArray[np.bool_], compressed: bool) -> dict[str, Any]:
    if compressed:
        value = coco_mask.encode(np.asfortranarray(mask, np.uint8))
        return {"size": value["size"], "counts": value["counts"].decode()}
    flat = np.concatenate(([False], mask.ravel(order="F"), [False]))
    changes = np.flatnonzero(np.diff(flat.astype(int)))
    edges = np.concatenate(([0], changes, [mask.size]))
    return {"size": list(mask.shape), "counts": np.diff(edges).tolist()}


@pytest.mark.parametrize("compressed", [True, False])
def test_run_lengths_are_exact_with_holes_and_parts(read, compressed: bool) -> None:
    labels = hard()
    file = read(coco([run_lengths(labels == n, compressed) for n in range(1, 10)], ["a.png"]))
    np.testing.assert_array_equal(rasterise(file.outlines, labels.shape)[0], labels)
    assert file.shape == (24, 32)
    assert set(file.outlines.classes) == {"nucleus"}


def test_several_polygons_of_one_annotation_are_one_cell(read) -> None:
    file = read(coco([[[0, 0, 4, 0, 4, 4, 0, 4], [6, 0, 8, 0, 8, 2]]], ["a.png"]))
    assert [shape.area for shape in file.outlines.polygons] == [18]


def test_the_named_image_of_several_is_read(read) -> None:
    value = coco([[[0, 0, 4, 0, 4, 4]]], ["train/a.png", "train\\b.png"], image_id=2)
    assert read(value, image="b.svs").report.read == 1
    with pytest.raises(
        PixCellError, match=r"has the cells of 2 images \(a\.png, b\.png\)\. Choose one"
    ):
        read(value)
    with pytest.raises(PixCellError, match="has no cells"):
        read(value, image="a")


def test_broken_annotations_are_dropped_and_counted(read) -> None:
    whole = run_lengths(hard() == 4, True)
    segmentations = [
        whole,
        {**whole, "counts": whole["counts"][:3]},
        {**whole, "counts": [5, 3]},
        {**whole, "counts": ["a"]},
        {**whole, "size": None},
        {"size": [24, 32], "counts": [24 * 32]},
        [[0, 0, 4, 0, 4]],
        [],
        None,
    ]
    report = read(coco(segmentations, ["a.png"])).report
    assert report.read == 1
    assert report.dropped == {"with broken coordinates": 5, "without area": 1, "without a shape": 2}


def test_run_lengths_of_huge_images_are_refused(read) -> None:
    huge = {"size": [100_000, 100_000], "counts": "a"}
    with pytest.raises(PixCellError, match="100,000 × 100,000 px, too large for a label image"):
        read(coco([huge], ["a.png"]))


def test_run_lengths_that_take_too_long_are_refused(read, monkeypatch) -> None:
    monkeypatch.setattr("napari_pixcell.cells.reading.coco.MOST_UNPACKED", 1500)
    runs = run_lengths(np.ones((24, 32), bool), False)  # 768 px each
    assert read(coco([runs], ["a.png"])).report.read == 1
    with pytest.raises(PixCellError, match=r"too large to decode\. Export polygons"):
        read(coco([runs, runs], ["a.png"]))


# HoVer-Net and CellViT


def hovernet(*contours: Any) -> dict[str, Any]:
    return {str(n): {"contour": one, "type": 1} for n, one in enumerate(contours, 1)}


def test_hovernet_json_without_its_outer_object_is_read(read) -> None:
    value = hovernet([[2, 3], [5, 3], [5, 6], [2, 6]])
    for labels in (
        rasterise(read(one).outlines, (10, 10))[0] for one in (value, {"nuc": value, "mag": 40})
    ):
        assert (labels[3:7, 2:6] == 1).all() and np.count_nonzero(labels) == 16


def test_thin_contours_keep_all_their_pixels(read) -> None:
    """OpenCV's contours run through the centres of the outermost pixels."""
    spiked = [[1, 1], [1, 4], [4, 4], [9, 4], [4, 4], [4, 1]]
    labels = rasterise(read(hovernet([[3, 8]], [[1, 6], [7, 6]], spiked)).outlines, (12, 12))[0]
    assert np.argwhere(labels == 1).tolist() == [[8, 3]]
    assert (labels[6, 1:8] == 2).all() and np.count_nonzero(labels == 2) == 7
    assert (labels[1:5, 1:5] == 3).all() and (labels[4, 5:10] == 3).all()
    assert np.count_nonzero(labels == 3) == 16 + 5


def test_objects_that_are_not_contours_are_counted(read) -> None:
    report = read(hovernet([[[1, 1]], [[4, 1]], [[4, 4]]], None, [["a", 1]], [])).report
    assert (report.read, report.dropped) == (
        1,
        {"without a shape": 2, "with broken coordinates": 1},
    )


def test_cellvit_type_maps_are_read_in_both_directions(read) -> None:
    cells = [{"contour": [[1, 1], [4, 1], [4, 4]], "type": n} for n in (1, 2, 0)]
    for names in ({"1": "Neoplastic"}, {"Neoplastic": 1}):
        file = read({"wsi_metadata": {}, "type_map": names, "cells": cells})
        assert file.outlines.classes.tolist() == ["Neoplastic", "type 2", ""]


# ImageJ


def roi(points: Any, **more: Any) -> ImagejRoi:
    made = ImagejRoi.frompoints(np.asarray(points))
    for name, value in more.items():
        setattr(made, name, value)
    return made


SQUARE = np.array([(2, 3), (6, 3), (6, 7), (2, 7)])


def test_a_single_roi_is_one_cell(tmp_path: Path) -> None:
    roi(SQUARE, group=3).tofile(tmp_path / "a.roi")
    file = read_cells(tmp_path / "a.roi")
    assert file.outlines.polygons[0].area == 16
    assert file.outlines.classes.tolist() == ["group 3"]


def test_rectangles_ovals_and_fractions_are_cells(tmp_path: Path) -> None:
    box = {"left": 2, "top": 3, "right": 6, "bottom": 7}
    rois = [
        ImagejRoi(roitype=ROI_TYPE.RECT, **box),
        ImagejRoi(roitype=ROI_TYPE.OVAL, **box),
        roi(SQUARE + 0.25),
    ]
    roiwrite(tmp_path / "a.zip", rois)
    areas = [shape.area for shape in read_cells(tmp_path / "a.zip").outlines.polygons]
    assert areas == pytest.approx([16, 4 * np.pi, 16], rel=0.02)


def test_a_composite_roi_keeps_its_holes(tmp_path: Path) -> None:
    path: list[float] = []
    for ring in (SQUARE, [(3, 4), (5, 4), (5, 6), (3, 6)], [(8, 8), (9, 8), (9, 9), (8, 9)]):
        for n, (x, y) in enumerate(ring):
            path += [float(n > 0), x, y]
        path.append(4.0)
    made = ImagejRoi(roitype=ROI_TYPE.RECT, left=2, top=3, right=9, bottom=9)
    made.multi_coordinates, made.shape_roi_size = np.array(path, np.float32), len(path)
    made.tofile(tmp_path / "a.roi")
    shape = read_cells(tmp_path / "a.roi").outlines.polygons[0]
    assert shape.area == 16 - 4 + 1


def test_imagej_lines_points_and_texts_are_counted(tmp_path: Path) -> None:
    rois = [
        roi(SQUARE),
        roi(SQUARE, roitype=ROI_TYPE.POINT),
        roi(SQUARE, roitype=ROI_TYPE.POLYLINE),
        ImagejRoi(roitype=ROI_TYPE.LINE, x2=5, y2=5),
        ImagejRoi(roitype=ROI_TYPE.RECT, subtype=ROI_SUBTYPE.TEXT, right=5, bottom=5),
    ]
    roiwrite(tmp_path / "a.zip", rois)
    with zipfile.ZipFile(tmp_path / "a.zip", "a") as archive:
        archive.writestr("notes.txt", "hello")
        archive.writestr("broken.roi", b"Iout\0\1")
    assert read_cells(tmp_path / "a.zip").report.dropped == {
        "lines or points": 4,
        "that are not ROIs": 1,
        "with broken coordinates": 1,
    }


def test_truncated_zips_are_explained(tmp_path: Path) -> None:
    whole = (SAMPLE_CELLS / "imagej.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PixCellError, match=r"a\.zip is not a complete zip file"):
        read_cells(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("notes.txt", "hello")
    with pytest.raises(PixCellError, match=r"has no cells \(only 1 that are not ROIs\)"):
        read_cells(tmp_path / "b.zip")


def test_outlines_of_difficult_cells_are_valid_rois(tmp_path: Path) -> None:
    """Every outer ring that ImageJ can store is read back unchanged."""
    shapes = [shape for shape in outlines_of(hard()).polygons if shape.geom_type == "Polygon"]
    roiwrite(tmp_path / "a.zip", [roi(np.asarray(s.exterior.coords)[:-1]) for s in shapes])
    found = read_cells(tmp_path / "a.zip").outlines.polygons
    assert [a.exterior.equals(b.exterior) for a, b in zip(shapes, found, strict=True)] == [True] * 8
