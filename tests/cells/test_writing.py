"""Layouts exported to other tools and read back."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import numpy as np
import pytest
import shapely
from drawn_layouts import hard, sample
from reading_layouts import read_layout
from skimage.segmentation import relabel_sequential
from tifffile import TiffFile, imread

from napari_pixcell.cells import (
    SlideCells,
    outlines_of,
    rasterise,
    read_cells,
    write_cellpose,
    write_geojson,
    write_labels,
)
from napari_pixcell.cells.layout import Report
from napari_pixcell.slides import Region


@pytest.mark.parametrize("name", ["a.geojson", "a.geojson.gz"])
@pytest.mark.parametrize("labels", [hard(), sample()], ids=["hard", "sample"])
def test_labels_round_trip_through_geojson(tmp_path: Path, name: str, labels) -> None:
    classes = {1: "Tumor", 2: "Größe “x”"}
    written = outlines_of(labels, classes)
    write_geojson(tmp_path / name, written)
    read = read_cells(tmp_path / name).outlines
    np.testing.assert_array_equal(rasterise(read, labels.shape)[0], labels)
    assert read.classes.tolist() == written.classes.tolist()


def test_masks_of_real_tools_round_trip_through_geojson(tmp_path: Path, shared_data: Path) -> None:
    folder = shared_data / "cellbindb_demo" / "mouse_HE_512"
    for name in ("pred_MEDIAR.tif", "gt_mask.tif"):
        labels = relabel_sequential(read_layout(folder / name, (512, 512)).astype(np.int32))[0]
        write_geojson(tmp_path / "a.geojson", outlines_of(labels))
        read = read_cells(tmp_path / "a.geojson").outlines
        np.testing.assert_array_equal(rasterise(read, (512, 512))[0], labels)


@pytest.mark.parametrize("mpp", [0.25, 0.499, 0.2267])
def test_slide_coordinates_round_trip_exactly(tmp_path: Path, mpp: float) -> None:
    size, factor = sample().shape, 0.5 / mpp
    region = Region(1000.25, 77, size[1] * factor, size[0] * factor)
    write_geojson(tmp_path / "a.geojson", outlines_of(sample()), (region.x, region.y), factor)
    cells = SlideCells(read_cells(tmp_path / "a.geojson").outlines)
    np.testing.assert_array_equal(cells.layout(region, size)[0], sample())


def test_geojson_has_the_properties_qupath_needs(tmp_path: Path) -> None:
    write_geojson(tmp_path / "a.geojson", outlines_of(hard(), {1: "Tumor"}), (600, 800), 2)
    value = json.loads((tmp_path / "a.geojson").read_text())
    assert value["type"] == "FeatureCollection"
    first, second = value["features"][:2]
    assert first["type"] == "Feature"
    assert first["properties"]["objectType"] == "cell"
    assert first["properties"]["classification"]["name"] == "Tumor"
    assert len(first["properties"]["classification"]["color"]) == 3
    assert "classification" not in second["properties"]
    assert len({uuid.UUID(one["id"]) for one in value["features"]}) == 9
    assert shapely.geometry.shape(first["geometry"]).bounds == (602, 802, 618, 816)


def test_a_layout_without_cells_is_valid_json(tmp_path: Path) -> None:
    write_geojson(tmp_path / "a.geojson", outlines_of(np.zeros((4, 4), int)))
    assert json.loads((tmp_path / "a.geojson").read_text())["features"] == []


def test_label_images_use_the_smallest_type(tmp_path: Path) -> None:
    labels = sample().astype(np.int64)
    for top, dtype in ((20, np.uint16), (65_535, np.uint16), (65_536, np.uint32)):
        labels[labels == labels.max()] = top
        write_labels(tmp_path / "a.tif", labels)
        assert imread(tmp_path / "a.tif").dtype == dtype
        np.testing.assert_array_equal(read_cells(tmp_path / "a.tif").labels, labels)


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif"])
def test_label_images_store_their_pixel_size(tmp_path: Path, name: str) -> None:
    write_labels(tmp_path / name, sample(), 0.2267)
    assert read_cells(tmp_path / name).mpp == pytest.approx(0.2267)
    with TiffFile(tmp_path / name) as file:
        assert file.is_ome == (name == "a.ome.tif")


def test_cellpose_files_are_numbered_without_gaps(tmp_path: Path) -> None:
    labels = sample()
    labels[labels == 7] = 0
    for path in write_cellpose(tmp_path / "a_seg.npy", labels, np.zeros((128, 160, 3), np.uint8)):
        found = read_cells(path).labels
        np.testing.assert_array_equal(found, relabel_sequential(labels)[0])


def test_a_report_is_one_sentence() -> None:
    dropped = {"lines or points": 3, "without area": 1, "never seen": 0}
    report = Report(1203, dropped)
    assert str(report) == "Read 1,203 cells; 4 were dropped: 3 lines or points, 1 without area."
    later = report.then(Report(1, {"lines or points": 1}, {"cut at the edge of the region": 1}))
    assert str(later) == (
        "Read 1 cell; 5 were dropped: 4 lines or points, 1 without area; "
        "1 cut at the edge of the region."
    )
    assert str(Report(2)) == "Read 2 cells."
