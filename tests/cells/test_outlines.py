"""Outlines of label images, and outlines drawn as label images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from drawn_layouts import hard, sample
from reading_layouts import read_layout
from skimage.segmentation import relabel_sequential
from tifffile import imread

from napari_pixcell.cells import Outlines, outlines_of, rasterise
from napari_pixcell.cells.outlines import OUTSIDE


def square(x: float, y: float, side: float) -> shapely.Polygon:
    return shapely.box(x, y, x + side, y + side)


@pytest.mark.parametrize("labels", [hard(), sample()], ids=["hard", "sample"])
def test_drawing_outlines_reproduces_the_labels(labels) -> None:
    outlines = outlines_of(labels)
    assert shapely.is_valid(outlines.polygons).all()
    assert shapely.area(outlines.polygons).tolist() == np.bincount(labels.ravel())[1:].tolist()
    again, kept, report = rasterise(outlines, labels.shape)
    np.testing.assert_array_equal(again, labels)
    assert again.dtype == np.int32
    assert kept.tolist() == list(range(labels.max()))
    assert not report.dropped and not report.changed


def test_random_labels_have_valid_outlines_that_reproduce_them() -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        labels = rng.integers(0, rng.integers(2, 6), rng.integers(1, 12, 2))
        outlines = outlines_of(labels)
        assert shapely.is_valid(outlines.polygons).all()
        np.testing.assert_array_equal(
            rasterise(outlines, labels.shape)[0], relabel_sequential(labels)[0]
        )


def test_masks_of_seven_tools_round_trip_through_outlines(shared_data: Path) -> None:
    paths = sorted((shared_data / "cellbindb_demo" / "human_lung_xenium_HE_256").glob("*_*.tif"))
    assert len(paths) == 8
    for path in paths:
        labels = relabel_sequential(read_layout(path, (256, 256)).astype(np.int32))[0]
        np.testing.assert_array_equal(rasterise(outlines_of(labels), (256, 256))[0], labels)


def test_holes_parts_and_classes_are_kept() -> None:
    outlines = outlines_of(hard(), {1: "Tumor", 3: "Stroma"})
    assert len(outlines.polygons[0].interiors) == 1
    assert outlines.polygons[2].geom_type == "MultiPolygon"
    assert outlines.classes.tolist() == ["Tumor", "", "Stroma", "", "", "", "", "", ""]


def test_an_empty_image_has_no_outlines() -> None:
    assert len(outlines_of(np.zeros((5, 5), np.int32))) == 0
    labels, kept, report = rasterise(Outlines.of([]), (5, 5))
    assert not labels.any() and not len(kept) and report.read == 0


@pytest.mark.parametrize("scale", [0.5, 1 / 3, 0.25, 2.0, 1.7])
def test_resizing_loses_and_merges_no_cells(shared_data: Path, scale: float) -> None:
    path = shared_data / "cellbindb_demo" / "mouse_HE_512" / "pred_MEDIAR.tif"
    labels = relabel_sequential(imread(path).astype(np.int32))[0]
    shape = round(512 * scale), round(512 * scale)
    drawn, kept, report = rasterise(outlines_of(labels), shape, scale=scale)
    assert len(kept) == labels.max() == report.read
    assert not report.dropped
    centre = (np.indices(shape) + 0.5) / scale
    under = labels[tuple(np.minimum(centre.astype(int), 511))]
    assert (drawn == under).mean() > 0.999  # but for the small ones that got a pixel


def test_a_cell_between_pixel_centres_gets_the_pixel_it_covers_most() -> None:
    tiny = Outlines.of([square(2.6, 1.1, 0.3), shapely.box(4.6, 3.8, 5.3, 4.1)])
    labels = rasterise(tiny, (6, 8))[0]
    assert np.argwhere(labels == 1).tolist() == [[1, 2]]
    assert np.argwhere(labels == 2).tolist() == [[3, 4]]


def test_tiny_cells_all_get_a_pixel_while_there_is_room() -> None:
    both = Outlines.of([square(1.55, 1.55, 0.4), square(1.7, 1.7, 0.29)])
    labels, kept, report = rasterise(both, (4, 4))
    assert len(kept) == 1  # one pixel is all that either covers
    assert report.dropped == {"too small to have a pixel of their own": 1}
    assert np.count_nonzero(labels) == 1
    both = Outlines.of([square(1.55, 1.55, 0.4), shapely.box(1.6, 1.6, 2.2, 1.9)])
    assert rasterise(both, (4, 4))[0][1].tolist() == [0, 1, 2, 0]


def test_the_smaller_of_two_overlapping_cells_is_on_top() -> None:
    labels, _, report = rasterise(Outlines.of([square(2, 2, 3), square(0, 0, 8)]), (8, 8))
    assert (labels[2:5, 2:5] == 1).all()
    assert np.count_nonzero(labels == 2) == 64 - 9
    assert report.changed == {"partly under other cells": 1}


def test_of_two_equal_cells_the_last_is_on_top() -> None:
    labels, kept, report = rasterise(Outlines.of([square(2, 2, 3), square(2, 2, 3)]), (8, 8))
    assert kept.tolist() == [1] and labels.max() == 1
    assert report.dropped == {"hidden under other cells": 1}


def test_cells_outside_are_cut_and_counted() -> None:
    cells = Outlines.of([square(1, 1, 2), square(-2, 3, 4), square(20, 20, 2), square(-1.6, 0, 2)])
    labels, kept, report = rasterise(cells, (8, 8))
    assert kept.tolist() == [0, 1]
    assert report.dropped == {OUTSIDE: 2}  # the last reaches in, but covers no pixel's centre
    assert report.changed == {"cut at the edge of the region": 1}
    assert np.count_nonzero(labels == 2) == 8


def test_drawing_supports_an_origin_and_two_scales() -> None:
    labels = rasterise(Outlines.of([square(102, 204, 2)]), (4, 8), (100, 200), (2, 0.5))[0]
    assert np.argwhere(labels).tolist() == [[2, 4], [2, 5], [2, 6], [2, 7]]


def test_slide_sized_shapes_are_drawn_in_small_images() -> None:
    labels = rasterise(Outlines.of([square(-1e7, -1e7, 2e7)]), (4, 4))[0]
    assert (labels == 1).all()
