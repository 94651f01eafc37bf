"""Cells from GeoJSON of QuPath and others."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from napari_pixcell.cells import CellsFile, rasterise, read_cells
from napari_pixcell.errors import PixCellError

SQUARE = [[2, 3], [6, 3], [6, 7], [2, 7], [2, 3]]
HOLE = [[3, 4], [5, 4], [5, 6], [3, 6], [3, 4]]
BOW_TIE = [[0, 0], [4, 4], [4, 0], [0, 4], [0, 0]]


def polygon(*rings: Any) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": rings or [SQUARE]}


def feature(geometry: Any = None, **more: Any) -> dict[str, Any]:
    properties = {"objectType": more.pop("objectType", "detection")}
    if "classification" in more:
        properties["classification"] = more.pop("classification")
    return {"type": "Feature", "geometry": geometry or polygon(), "properties": properties} | more


@pytest.fixture
def read(tmp_path: Path):
    def read(value: Any, name: str = "cells.geojson") -> CellsFile:
        text = value if isinstance(value, str) else json.dumps(value)
        data = text.encode()
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return read_cells(tmp_path / name)

    return read


@pytest.mark.parametrize(
    "value",
    [
        {"type": "FeatureCollection", "features": [feature()]},
        {"features": [feature()], "type": "FeatureCollection"},
        [feature()],
        feature(),
        {"type": "GeometryCollection", "geometries": [polygon()]},
        [polygon()],
        polygon(),
        {"type": "MultiPolygon", "coordinates": [[SQUARE]]},
    ],
    ids=["collection", "type last", "array", "feature", "geometries", "bare", "shape", "multi"],
)
@pytest.mark.parametrize("name", ["a.geojson", "a.json", "a.geojson.gz", "named wrongly.txt"])
def test_all_notations_of_a_cell_are_read(read, value: Any, name: str) -> None:
    file = read(value, name)
    assert str(file.report) == "Read 1 cell."
    assert file.outlines.polygons[0].equals(shapely.box(2, 3, 6, 7))


def test_coordinates_count_from_pixel_corners_as_in_qupath(read) -> None:
    labels = rasterise(read([feature()]).outlines, (10, 10))[0]
    assert (labels[3:7, 2:6] == 1).all() and np.count_nonzero(labels) == 16


def test_the_nucleus_of_a_cell_is_preferred(read) -> None:
    nucleus = polygon(HOLE)
    file = read([feature(nucleusGeometry=nucleus, objectType="cell"), feature(objectType="cell")])
    assert shapely.area(file.outlines.polygons).tolist() == [4, 16]


def test_holes_and_parts_are_kept(read) -> None:
    far = [[20, 20], [22, 20], [22, 22], [20, 22]]  # not closed
    shape = {"type": "MultiPolygon", "coordinates": [[SQUARE, HOLE], [far]]}
    outlines = read([feature(shape)]).outlines
    assert len(outlines) == 1
    assert outlines.polygons[0].area == 16 - 4 + 4


@pytest.mark.parametrize(
    ("classification", "name"),
    [
        ({"name": "Tumor", "color": [200, 0, 0]}, "Tumor"),
        ({"names": ["Tumor", "Positive"]}, "Tumor: Positive"),
        ("Stroma", "Stroma"),
        (["Tumor", "Negative"], "Tumor: Negative"),
        (None, ""),
        (7, "7"),
    ],
)
def test_class_names_of_all_qupath_versions_are_read(read, classification, name: str) -> None:
    assert read([feature(classification=classification)]).outlines.classes.tolist() == [name]


def test_objects_that_are_not_cells_are_counted(read) -> None:
    features = [
        feature(),
        feature({"type": "Point", "coordinates": [1, 2]}),
        feature({"type": "LineString", "coordinates": [[1, 2], [3, 4]]}),
        feature({"type": "MultiPoint", "coordinates": [[1, 2]]}),
        feature(polygon([[0, 0], [5, 5], [0, 0]])),
        feature(objectType="tma_core"),
        feature(objectType="annotation"),
        feature({"type": "Polygon", "coordinates": []}),
        feature({"type": "Curve"}),
        {"type": "Feature", "geometry": None},
        7,
    ]
    assert str(read(features).report) == (
        "Read 1 cell; 10 were dropped: 3 lines or points, 1 of TMA cores, 2 without a shape, "
        "1 of an unknown kind, 1 with broken coordinates, 1 without area, "
        "1 of annotations around cells."
    )


def test_annotations_are_cells_if_there_are_no_others(read) -> None:
    assert read([feature(objectType="annotation")]).report.read == 1


def test_one_cellvit_annotation_is_many_cells(read) -> None:
    other = [[x + 10, y] for x, y in SQUARE]
    shape = {"type": "MultiPolygon", "coordinates": [[SQUARE], [other]]}
    file = read([feature(shape, objectType="annotation", classification={"name": "Neoplastic"})])
    assert file.outlines.classes.tolist() == ["Neoplastic"] * 2
    assert file.report.changed == {"taken out of annotations of many cells": 2}


def test_self_crossing_outlines_are_repaired_and_counted(read) -> None:
    file = read([feature(polygon(BOW_TIE)), feature()])
    assert shapely.is_valid(file.outlines.polygons).all()
    assert file.outlines.polygons[0].area == 8
    assert file.report.changed == {"repaired where their outline crossed itself": 1}


@pytest.mark.parametrize(
    "ring",
    [
        "[[NaN, 1], [2, 2], [3, 1]]",
        "[[-Infinity, 1], [2, 2], [3, 1]]",
        "[[1e30, 1], [2, 2], [3, 1]]",
        "[[null, 1], [2, 2], [3, 1]]",
        '[["a", 1], [2, 2], [3, 1]]',
        "[[1], [2, 2], [3, 1]]",
        "[1, 2, 3]",
        "5",
    ],
)
def test_broken_coordinates_are_dropped_and_counted(read, ring: str) -> None:
    good, bad = json.dumps(feature()), json.dumps(feature(polygon("?"))).replace('"?"', ring)
    file = read(f"[{good}, {bad}]")
    assert file.report.read == 1
    assert file.report.dropped == {"with broken coordinates": 1}


def test_nan_measurements_are_ignored(read) -> None:
    """QuPath writes NaN, which is not valid JSON."""
    text = json.dumps(feature(polygon(), measurements={"a": float("nan"), "b": [float("-inf")]}))
    assert "NaN" in text
    assert read(f"[{text}]").report.read == 1


def test_a_third_coordinate_and_a_byte_order_mark_are_ignored(read) -> None:
    ring = [[*point, 0] for point in SQUARE]
    file = read("\ufeff" + json.dumps([feature(polygon(ring))]))
    assert file.outlines.polygons[0].area == 16


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"features": [', r"cells\.geojson is not a complete JSON file"),
        ("not JSON", "is not a complete JSON file"),
        ('{"features": [1e999]}', "is not a complete JSON file"),
        ("[]", "is JSON of an unknown format"),
        ('{"a": {"b": 1}}', "is JSON of an unknown format"),
        ('{"features": []}', r"has no cells. Export the cells as polygons"),
        ('{"features": 5}', "has no cells"),
        (json.dumps([feature({"type": "Point"})]), r"has no cells \(only 1 lines or points\)"),
    ],
)
def test_invalid_json_is_explained(read, text: str, sentence: str) -> None:
    with pytest.raises(PixCellError, match=sentence):
        read(text)
