"""The many forms in which other tools write the same cells."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import shapely
from roifile import ImagejRoi, roiwrite

from napari_pixcell.cells import CellsFile, rasterise, read_cells
from napari_pixcell.cells.reading.coco import TRACED_AT_ONCE
from napari_pixcell.errors import PixCellError

SQUARE = [[2, 3], [6, 3], [6, 7], [2, 7], [2, 3]]
BOW_TIE = [[0, 0], [4, 4], [4, 0], [0, 4], [0, 0]]
FAR = [[20, 3], [26, 3], [26, 7], [20, 7], [20, 3]]


def polygon(*rings: Any) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": rings or [SQUARE]}


def feature(geometry: Any = None, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry or polygon(), "properties": properties}


@pytest.fixture
def read(tmp_path: Path):
    def read(value: Any, **options: Any) -> CellsFile:
        (tmp_path / "cells.json").write_text(json.dumps(value))
        return read_cells(tmp_path / "cells.json", **options)

    return read


# QuPath


@pytest.mark.parametrize("key", ["objectType", "object_type", "id"])
@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("tmaCore", "of TMA cores"),
        ("tma_core", "of TMA cores"),
        ("TMACoreObject", "of TMA cores"),
        ("PathTileObject", "of tiles"),
        ("PathRootObject", "of whole slides"),
        ("PathAnnotationObject", "of annotations around cells"),
        ("Annotation", "of annotations around cells"),
    ],
)
def test_object_types_of_all_qupath_versions_are_known(read, key, kind: str, why: str) -> None:
    around = {"type": "Feature", "geometry": polygon(FAR), "properties": {}}
    (around if key == "id" else around["properties"])[key] = kind
    for cell in ("PathCellObject", "cell", "PathDetectionObject"):
        report = read([around, feature(objectType=cell)]).report
        assert (report.read, report.dropped) == (1, {why: 1})


@pytest.mark.parametrize("inside", ["properties", "feature"])
def test_objects_inside_others_are_read(read, inside: str) -> None:
    parent = feature(polygon(FAR), objectType="annotation")
    child = feature(objectType="cell")
    child["properties"]["childObjects"] = [feature(polygon(FAR), objectType="cell")]
    (parent["properties"] if inside == "properties" else parent)["childObjects"] = [child]
    report = read({"type": "FeatureCollection", "features": [parent]}).report
    assert (report.read, report.dropped) == (2, {"of annotations around cells": 1})


def test_one_plane_of_a_stack_is_read(read) -> None:
    def on(z: Any, ring: Any = SQUARE, t: Any = 0) -> Any:
        return feature(polygon(ring) | {"plane": {"c": -1, "z": z, "t": t}})

    report = read([on(0), on(1), on(2), on(0, FAR), on(0, t=1)]).report
    assert report.read == 2
    assert report.dropped == {"on other planes or at other times": 3}
    assert read([on(4), on(4, FAR)]).report.read == 2
    assert read([on(None), on([]), on(float("inf")), on(1e300)]).report.read == 4


def test_rings_without_an_outer_list_are_read(read) -> None:
    flat = [
        {"type": "Polygon", "coordinates": SQUARE},
        {"type": "MultiPolygon", "coordinates": [SQUARE]},
    ]
    assert shapely.area(read([feature(one) for one in flat]).outlines.polygons).tolist() == [16, 16]


@pytest.mark.parametrize(
    ("properties", "name"),
    [
        ({"classification": '{"name": "Tumor", "color": [200, 0, 0]}'}, "Tumor"),
        ({"classification": "{'name': 'Tumor'}"}, "Tumor"),
        ({"classification": "{broken"}, "{broken"),
        ({"classification": {"names": "Tumor"}}, "Tumor"),
        ({"classification": {"name": 5}}, "5"),
        ({"type_str": "neoplastic", "type_int": 1}, "neoplastic"),
        ({"classification": [["a"], {"b": 1}]}, ""),
    ],
)
def test_class_names_are_read_from_text_and_numbers(read, properties, name: str) -> None:
    one = {"type": "Feature", "geometry": polygon(), "properties": properties}
    assert read([one]).outlines.classes.tolist() == [name]


def test_geojson_in_a_zip_is_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.geojson.zip", "w") as archive:
        archive.writestr("__MACOSX/._a.geojson", "x")
        archive.writestr("folder/a.geojson", json.dumps([feature()]))
    assert read_cells(tmp_path / "a.geojson.zip").report.read == 1
    with zipfile.ZipFile(tmp_path / "a.geojson.zip", "a") as archive:
        archive.writestr("b.geojson", json.dumps([feature()]))
    with pytest.raises(PixCellError, match=r"has 2 JSON files\. Unpack it and choose one"):
        read_cells(tmp_path / "a.geojson.zip")


def test_nan_is_read_wherever_a_block_of_the_file_ends(tmp_path: Path) -> None:
    whole = json.dumps([feature(measurements={"a": float("nan"), "b": float("-inf")})])
    for shift in range(whole.index("NaN") - 3, len(whole)):
        text = '{"name": "' + "x" * (65_536 - 24 - shift) + '", "features": ' + whole + "}"
        (tmp_path / "a.geojson").write_text(text)
        assert read_cells(tmp_path / "a.geojson").report.read == 1


# COCO


def coco(*annotations: Any, **image: Any) -> dict[str, Any]:
    return {
        "images": [{"id": 1, "file_name": "a.png", "width": 64, "height": 48} | image],
        "annotations": [{"image_id": 1, "category_id": 1} | one for one in annotations],
        "categories": [{"id": 1, "name": "nucleus"}],
    }


BOX = [10, 10, 20, 10, 20, 20, 10, 20]


@pytest.mark.parametrize("shape", [BOX, [BOX], np.reshape(BOX, (4, 2)).tolist()])
def test_coco_polygons_are_read_in_every_nesting(read, shape: Any) -> None:
    file = read(coco({"segmentation": shape}))
    assert shapely.area(file.outlines.polygons).tolist() == [100]


@pytest.mark.parametrize("category", [1, 1.0, "1", [1]])
def test_coco_numbers_are_read_as_text_lists_and_fractions(read, category: Any) -> None:
    one = {"segmentation": [BOX], "category_id": category, "image_id": category}
    assert read(coco(one)).outlines.classes.tolist() == ["nucleus"]


@pytest.mark.parametrize("category", [[1, 2], {}, None, True])
def test_unusual_categories_lose_no_cell(read, category: Any) -> None:
    value = coco({"segmentation": [BOX], "category_id": category})
    value["categories"].append({"id": category, "name": "x"})
    assert read(value).report.read == 1


def test_annotations_of_images_that_are_not_listed_are_counted(read) -> None:
    value = coco({"segmentation": [BOX]}, {"segmentation": [BOX], "image_id": 7})
    report = read(value).report
    assert report.dropped == {"of images that the file does not list": 1}
    value["annotations"] = value["annotations"][1:]
    with pytest.raises(PixCellError, match="only 1 of images that the file does not list"):
        read(value)


def test_run_lengths_of_another_size_are_not_misplaced(read) -> None:
    runs = {"size": [96, 128], "counts": [0, 10, 12278]}
    with pytest.raises(PixCellError, match="only 1 of another size than the image"):
        read(coco({"segmentation": runs}))


def test_coco_results_are_read(read) -> None:
    runs = {"size": [4, 4], "counts": [5, 2, 9]}
    results = [{"category_id": 3, "image_id": n, "segmentation": runs} for n in (1, 1, 2)]
    file = read(results[:2])
    assert (file.report.read, file.shape, file.outlines.classes[0]) == (2, (4, 4), "class 3")
    assert read(results, image="2").report.read == 1
    with pytest.raises(PixCellError, match=r"has the cells of 2 images \(1, 2\)"):
        read(results)


def test_many_run_lengths_keep_their_places(read) -> None:
    counts = [[48 * n, 1 + n % 5, 48 * 64 - 48 * n - 1 - n % 5] for n in range(60)]
    masks = [{"segmentation": {"size": [48, 64], "counts": one}} for one in counts * 5]
    assert len(masks) > TRACED_AT_ONCE
    bounds = shapely.bounds(read(coco(*masks)).outlines.polygons)
    want = [[n, 0, n + 1, 1 + n % 5] for n in range(60)] * 5
    assert bounds.tolist() == want


# Others


def test_hovernet_cells_in_a_list_are_read(read) -> None:
    file = read({"mag": 40, "nuc": [{"contour": [[2, 3], [5, 3], [5, 6], [2, 6]], "type": 1}]})
    assert file.outlines.classes.tolist() == ["type 1"]
    labels = rasterise(file.outlines, (10, 10))[0]
    assert (labels[3:7, 2:6] == 1).all() and np.count_nonzero(labels) == 16


def test_rois_of_cellpose_cover_the_pixels_of_their_masks(tmp_path: Path) -> None:
    """Cellpose writes the centres of the outermost pixels, as OpenCV's ``findContours``."""
    y, x = np.indices((40, 60))
    labels = np.zeros((40, 60), np.uint8)
    labels[(y - 12) ** 2 + (x - 12) ** 2 < 60] = 1
    labels[(y - 25) ** 2 / 2 + (x - 40) ** 2 < 70] = 2
    rois = []
    for number in (1, 2):
        mask = (labels == number).astype(np.uint8)
        (contour,), _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        rois.append(ImagejRoi.frompoints(contour[:, 0]))
    roiwrite(tmp_path / "a_rois.zip", rois)
    found = rasterise(read_cells(tmp_path / "a_rois.zip").outlines, labels.shape)[0]
    np.testing.assert_array_equal(found, labels)


def test_an_outline_drawn_many_times_is_one_cell(read) -> None:
    """A repair by GEOS would take minutes and gigabytes."""
    ring = [[0, 0], [9, 0], [9, 9]]
    for points in (ring * 2000, (ring * 2000)[:-1], [[0, 0]] * 3000 + ring):
        assert shapely.area(read([polygon(points)]).outlines.polygons).tolist() == [40.5]


def test_outlines_that_cross_themselves_thousands_of_times_keep_their_area(read) -> None:
    angle = np.linspace(0, 2 * np.pi * 1801, 6000)
    radius = 50 + 5 * np.cos(17 * angle)
    star = np.stack((60 + radius * np.cos(angle), 60 + radius * np.sin(angle)), 1).round(3)
    hole = [[50, 50], [70, 50], [70, 70], [50, 70]]
    file = read([polygon(star.tolist(), hole), polygon(BOW_TIE)])
    area, bow_tie = shapely.area(file.outlines.polygons)
    assert 0.97 * np.pi * 45**2 - 400 < area < np.pi * 55**2 - 400
    assert bow_tie == 8
    assert file.report.changed == {"repaired where their outline crossed itself": 2}
