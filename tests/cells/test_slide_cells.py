"""Cells of a slide, and layouts of its regions from any file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from drawn_layouts import SAMPLE_CELLS, SAMPLE_COUNT, sample
from skimage.segmentation import relabel_sequential
from tifffile import imread

from napari_pixcell.cells import (
    CellsFile,
    Outlines,
    SlideCells,
    cells_for,
    outlines_of,
    put_on_slide,
    read_cells,
    write_labels,
)
from napari_pixcell.cells.layout import Report
from napari_pixcell.errors import PixCellError
from napari_pixcell.slides import Region
from napari_pixcell.slides.samples import SAMPLE_MASK

SLIDE = (1984, 1984)  # the sample slide
OBLONG = (2000, 3000)
WHOLE = sorted(
    path.name for path in SAMPLE_CELLS.iterdir() if path.name not in ("imagej.roi", "mask.png")
)
REGION = Region(800, 640, 160, 128)


def spread(side: int = 4, step: int = 20, shape: tuple[int, int] = OBLONG) -> Outlines:
    """Return squares all over a slide, with tumour cells in every second column."""
    y, x = np.mgrid[step : shape[0] : step, step : shape[1] : step].reshape(2, -1)
    names = np.where(x % (2 * step) == step, "Tumor", "")
    return Outlines.of(shapely.box(x, y, x + side, y + side), names.tolist())


def picture(labels, mpp: float | None = None) -> CellsFile:
    report = Report(int(labels.max()))
    return CellsFile("m.tif", report, labels, shape=labels.shape, mpp=mpp)


@pytest.mark.parametrize("name", WHOLE)
def test_all_sample_files_give_the_layout_of_their_region(name: str) -> None:
    origin = "region" if name == "imagej.zip" else "auto"
    file = read_cells(SAMPLE_CELLS / name)
    labels, classes, report = cells_for(file, REGION, (128, 160), SLIDE, 0.5, origin)
    np.testing.assert_array_equal(labels, sample())
    assert report.read == SAMPLE_COUNT
    assert len(classes) == (SAMPLE_COUNT if file.outlines is not None else 0)


def test_regions_contain_their_cells_and_classes() -> None:
    cells = SlideCells(spread(), "a.geojson", Report(1))
    labels, classes, report = cells.layout(Region(100, 200, 80, 60), (60, 80))
    assert labels.max() == report.read == 12
    assert (labels[0:4, 0:4] == 1).all() and labels[4, 0] == 0
    assert set(classes.values()) == {"Tumor"}
    assert {labels[y, x] for y in (0, 20, 40) for x in (0, 40)} == set(classes)
    assert report.dropped == {"outside of the region": len(cells) - 12}


def test_a_layout_is_drawn_at_the_models_pixel_size() -> None:
    cells = SlideCells(spread())
    labels, _, _ = cells.layout(Region(100, 200, 80.0, 60.0), (30, 40))
    assert np.argwhere(labels == 1).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    labels, _, report = cells.layout(Region(0, 0, 2000, 2000), (40, 40))  # 50 px in one
    assert report.read == labels.max()
    assert report.dropped["too small to have a pixel of their own"] > 0


def test_cells_on_the_edge_of_a_region_are_cut() -> None:
    labels, _, report = SlideCells(spread()).layout(Region(102, 202, 16, 16), (16, 16))
    assert np.argwhere(labels).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert report.changed == {"cut at the edge of the region": 1}


def test_adjacent_regions_show_the_same_cells_as_one_region() -> None:
    mask = relabel_sequential(imread(SAMPLE_MASK)[:400, :400].astype(np.int32))[0]
    cells = SlideCells(outlines_of(mask))
    whole, _, _ = cells.layout(Region(0, 0, 400, 400), (400, 400))
    parts = [cells.layout(Region(x, 0, 200, 400), (400, 200))[0] for x in (0, 200)]
    np.testing.assert_array_equal(whole, mask)
    np.testing.assert_array_equal(np.hstack(parts) > 0, mask > 0)


@pytest.mark.parametrize("down", [1, 2, 4, 2.5])
def test_whole_slide_masks_fit_at_any_level(down: float) -> None:
    """Level sizes are rounded down, as in OpenSlide."""
    shape = tuple(int(n / down) for n in (2001, 3001))
    labels = np.zeros(shape, np.int32)
    labels[int(1000 / down) : int(1040 / down), int(1200 / down) : int(1240 / down)] = 5
    found, _, report = cells_for(
        picture(labels), Region(1100, 900, 256, 256), (256, 256), (2001, 3001), 0.25
    )
    rows, columns = np.flatnonzero(found.any(1)), np.flatnonzero(found.any(0))
    assert report.read == 1
    for got, wanted in zip((rows[0], rows[-1] + 1), (100, 140), strict=True):
        assert abs(got - wanted) <= down
    for got, wanted in zip((columns[0], columns[-1] + 1), (100, 140), strict=True):
        assert abs(got - wanted) <= down


def test_a_mask_of_the_region_at_level_0_is_rescaled() -> None:
    labels = np.kron(sample(), np.ones((2, 2), np.int32))
    found, _, _ = cells_for(picture(labels), Region(10, 20, 320, 256), (128, 160), OBLONG, 0.25)
    np.testing.assert_array_equal(found, sample())


@pytest.mark.parametrize("mpp", [0.25, 0.125, 1.0])
def test_a_mask_of_the_region_with_its_pixel_size_is_rescaled(mpp: float) -> None:
    factor = 0.5 / mpp
    labels = sample()
    if factor >= 1:
        labels = np.kron(labels, np.ones((int(factor),) * 2, np.int32))
    else:
        labels = labels[::2, ::2].copy()
    found, _, report = cells_for(picture(labels, mpp), REGION, (128, 160), SLIDE, 0.5)
    assert report.read == len(np.unique(labels)) - 1
    assert found.shape == (128, 160)
    assert ((found > 0) == (sample() > 0)).mean() > 0.95


def test_tiff_layouts_round_trip_with_classes(tmp_path: Path) -> None:
    names = {3: "Tumor", 7: "Immune cells"}
    write_labels(tmp_path / "m.tif", sample(), 0.5, names)
    labels, classes, _ = cells_for(read_cells(tmp_path / "m.tif"), REGION, (128, 160), SLIDE, 0.5)
    np.testing.assert_array_equal(labels, sample())
    assert classes == names


@pytest.mark.parametrize(
    ("shape", "slide", "mpp"),
    [
        ((10, 10), SLIDE, 0.5),  # square as the slide is, but 100 µm/px
        ((512, 512), SLIDE, 0.5),  # a square tile of some other slide
        ((512, 600), OBLONG, 0.25),
        ((4000, 6000), OBLONG, 0.25),  # finer than level 0
        ((20, 30), OBLONG, 0.25),  # cells would be smaller than its pixels
    ],
)
def test_masks_that_fit_neither_region_nor_slide_are_explained(shape, slide, mpp) -> None:
    labels = np.ones(shape, np.int32)
    with pytest.raises(PixCellError) as error:
        cells_for(picture(labels), Region(0, 0, 256, 200), (200, 256), slide, mpp)
    for height, width in (shape, (200, 256), slide):
        assert f"{width} × {height} px" in str(error.value)
    assert "Import a layout of the region's size, or enter its pixel size" in str(error.value)


def test_a_conflicting_pixel_size_is_not_ignored() -> None:
    labels = np.ones((1000, 1500), np.int32)  # half of the slide's size
    cells_for(picture(labels, 0.5), Region(0, 0, 256, 200), (200, 256), OBLONG, 0.25)
    with pytest.raises(PixCellError, match="Import a layout of the region's size"):
        cells_for(picture(labels, 0.25), Region(0, 0, 256, 200), (200, 256), OBLONG, 0.25)


def test_outlines_outside_the_slide_are_explained() -> None:
    file = CellsFile("a.geojson", Report(1), outlines=Outlines.of([shapely.box(9000, 5, 9010, 9)]))
    with pytest.raises(
        PixCellError, match=r"span x 9,000 to 9,010 and y 5 to 9, but the slide is 3000 × 2000"
    ):
        put_on_slide(file, OBLONG, 0.25)


def test_regions_without_cells_are_explained() -> None:
    file = CellsFile("a.geojson", Report(1), outlines=Outlines.of([shapely.box(0, 0, 9, 9)]))
    with pytest.raises(PixCellError, match=r"None of the 1 cells of a\.geojson lie in this region"):
        cells_for(file, Region(500, 500, 256, 256), (256, 256), OBLONG, 0.25)


def test_outlines_in_region_coordinates_or_another_pixel_size_are_placed() -> None:
    file = CellsFile("a.zip", Report(1), outlines=Outlines.of([shapely.box(10, 20, 20, 30)]))
    region = Region(500, 500, 512, 512)
    labels, _, _ = cells_for(file, region, (256, 256), OBLONG, 0.25, "region")
    assert (labels[20:30, 10:20] == 1).all()
    labels, _, _ = cells_for(file.with_mpp(0.25), region, (256, 256), OBLONG, 0.25, "region")
    assert (labels[10:15, 5:10] == 1).all() and np.count_nonzero(labels) == 25
    labels, _, _ = cells_for(
        file.with_mpp(1.0), Region(0, 0, 512, 512), (256, 256), OBLONG, 0.25
    )  # 1 µm/px on a slide of 0.25
    assert (labels[40:60, 20:40] == 1).all() and np.count_nonzero(labels) == 400
