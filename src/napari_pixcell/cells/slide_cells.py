"""Cells of a whole slide, and layouts of its regions."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
import shapely
from numpy.typing import NDArray

from napari_pixcell.cells.layout import Report, check_layout, in_px
from napari_pixcell.cells.outlines import OUTSIDE, Outlines, rasterise
from napari_pixcell.cells.reading.gathering import CellsFile
from napari_pixcell.errors import PixCellError

AUTO, SLIDE, REGION = "auto", "slide", "region"
COARSEST = 8.0  # µm/px; a nucleus is one pixel there
INEXACT = 0.005  # relative; pixel sizes are often written with few digits
ABOUT_SQUARE = 0.02  # a slide this close to square matches the shape of any square image

Size = tuple[int, int]  # height, width
XY = tuple[float, float]
# Label image, (height, width), class name of each label that has one, and the report.
RegionLayout = tuple[NDArray[np.int32], dict[int, str], Report]


class Box(Protocol):
    """A region of a slide in level-0 pixels, such as :class:`napari_pixcell.slides.Region`."""

    def as_list(self) -> list[float]:
        """Return x, y, width, height."""


@dataclass(frozen=True, eq=False)
class SlideCells:
    """Cells of a slide with a spatial index.

    Parameters
    ----------
    outlines : Outlines
        In level-0 pixels.
    source : str
        Name of the file they were read from.
    """

    outlines: Outlines
    source: str = ""
    report: Report = field(default_factory=lambda: Report(0))

    def __len__(self) -> int:
        return len(self.outlines)

    @cached_property
    def _tree(self) -> shapely.STRtree:
        return shapely.STRtree(self.outlines.polygons)

    def count_in(self, region: Box) -> int:
        """Return the number of cells that lie in a region, at least in part."""
        x, y, width, height = region.as_list()
        box = shapely.box(x, y, x + width, y + height)
        return len(self._tree.query(box, predicate="intersects"))

    @cached_property
    def middle(self) -> XY:
        """Centre (x, y) of the cell that lies most in the middle of all, in level-0 pixels."""
        centres = shapely.get_coordinates(shapely.centroid(self.outlines.polygons))
        away = np.hypot(*(centres - np.median(centres, axis=0)).T)
        x, y = centres[np.argmin(away)]
        return float(x), float(y)

    def count_from_corner(self, size: Size) -> bool:
        """Return True if all cells would also lie in a picture of this (height, width)."""
        left, top, right, bottom = shapely.total_bounds(self.outlines.polygons)
        return bool(left >= -1 and top >= -1 and right <= size[1] + 1 and bottom <= size[0] + 1)

    def layout(self, region: Box, size: Size) -> RegionLayout:
        """Draw the cells of a region as a layout.

        Parameters
        ----------
        region : Box, in level-0 pixels
        size : (height, width) of the layout in px
        """
        x, y, width, height = region.as_list()
        found = np.sort(self._tree.query(shapely.box(x, y, x + width, y + height)))
        scale = size[1] / width, size[0] / height
        labels, classes, report = _drawn(self.outlines.take(found), size, (x, y), scale)
        elsewhere = report.dropped.get(OUTSIDE, 0) + len(self) - len(found)
        dropped = {**report.dropped, OUTSIDE: elsewhere}
        return labels, classes, Report(report.read, dropped, report.changed)


def put_on_slide(file: CellsFile, slide_shape: Size, slide_mpp: float | None) -> SlideCells | None:
    """Place the cells of a file on a slide; return None if its image does not match the slide.

    Outlines are in level-0 pixels, or in pixels of ``file.mpp`` if known. An image matches if it
    has the slide's shape at any level.

    Parameters
    ----------
    slide_shape : (height, width) in level-0 pixels
    slide_mpp : float or None, µm per level-0 pixel

    Raises
    ------
    PixCellError
        If no outline lies on the slide.
    """
    if file.shape is None:
        factor = file.mpp / slide_mpp if file.mpp and slide_mpp else 1.0
        scale = factor, factor
    else:
        found = _level(file.shape, slide_shape, slide_mpp, file.mpp)
        if found is None:
            return None
        scale = found
    outlines = file.as_outlines()
    if scale != (1, 1):
        outlines = outlines.moved(scale)
    left, top, right, bottom = shapely.bounds(outlines.polygons).T
    height, width = slide_shape
    if not ((left < width) & (right > 0) & (top < height) & (bottom > 0)).any():
        raise PixCellError(
            f"The cells of {file.name} span x {left.min():,.0f} to {right.max():,.0f} and "
            f"y {top.min():,.0f} to {bottom.max():,.0f}, but the slide is {in_px(slide_shape)}. "
            "They belong to another slide or pixel size. Choose the right file, or enter its "
            "pixel size."
        )
    return SlideCells(outlines, file.name, file.report)


def cells_for(
    file: CellsFile,
    region: Box,
    size: Size,
    slide_shape: Size,
    slide_mpp: float | None,
    counted_from: str = AUTO,
) -> RegionLayout:
    """Return the layout of a region from a file of cells.

    An image (a label image, or outlines with a known image size) belongs to the region if it has
    the size of the layout or of the region in level-0 pixels, or if its pixel size implies this.
    Otherwise it belongs to the slide if it has the slide's shape. Cells at another pixel size are
    redrawn from outlines, so that none is lost or merged.

    Parameters
    ----------
    region : Box, in level-0 pixels
    size : (height, width) of the layout in px
    slide_shape : (height, width) in level-0 pixels
    slide_mpp : float or None, µm per level-0 pixel
    counted_from : str
        For outlines without an image size: ``slide`` (or ``auto``) if they count from the
        slide's corner in level-0 pixels, ``region`` if from the region's corner in pixels of the
        layout. A known ``file.mpp`` replaces either pixel size.

    Returns
    -------
    RegionLayout
        Its report covers reading and drawing.

    Raises
    ------
    PixCellError
        If the file fits neither region nor slide, or has no cells there.
    """
    if file.shape == size and file.labels is not None:
        check_layout(file.labels, size)
        return file.labels, dict(file.classes), file.report
    scale = _region_scale(file, region, size, slide_mpp, counted_from)
    if scale is not None:
        labels, classes, report = _drawn(file.as_outlines(), size, (0, 0), scale)
    else:
        cells = put_on_slide(file, slide_shape, slide_mpp)
        if cells is None:
            assert file.shape is not None
            raise PixCellError(
                f"The layout is {in_px(file.shape)} but the region needs {in_px(size)} and the "
                f"slide has {in_px(slide_shape)}. Import a layout of the region's size, or enter "
                "its pixel size."
            )
        labels, classes, report = cells.layout(region, size)
    if not report.read:
        raise PixCellError(
            f"None of the {file.report.read:,} cells of {file.name} lie in this region. Choose "
            "another region, or state that coordinates count from the region's corner."
        )
    check_layout(labels, size)
    return labels, classes, file.report.then(report)


def _drawn(outlines: Outlines, size: Size, origin: XY, scale: XY) -> RegionLayout:
    labels, kept, report = rasterise(outlines, size, origin, scale)
    names = enumerate(outlines.classes[kept].tolist(), 1)
    return labels, {number: name for number, name in names if name}, report


def _region_scale(
    file: CellsFile, region: Box, size: Size, slide_mpp: float | None, counted_from: str
) -> XY | None:
    """Return layout pixels per pixel of the file if the file shows only the region, else None."""
    *_, region_width, region_height = region.as_list()
    if file.shape is None:
        if counted_from != REGION:
            return None
        if not (file.mpp and slide_mpp):
            return 1.0, 1.0
        factor = file.mpp / slide_mpp
        return factor * size[1] / region_width, factor * size[0] / region_height
    height, width = file.shape
    scale = size[1] / width, size[0] / height
    if file.shape == size:
        return scale
    factor = slide_mpp / file.mpp if file.mpp and slide_mpp else 1.0
    wanted = region_height * factor, region_width * factor
    fits = _agrees(file.shape, wanted, INEXACT if file.mpp else 0)
    return scale if fits else None


def _level(shape: Size, slide_shape: Size, slide_mpp: float | None, mpp: float | None) -> XY | None:
    """Return level-0 pixels, (x, y), per pixel of an image of the whole slide, or None.

    Without a pixel size the shapes decide. Level sizes are rounded, so a downsample close to an
    integer is taken as that integer.
    """
    (height, width), (rows, columns) = shape, slide_shape
    down = math.sqrt(rows * columns / (height * width))
    if mpp and slide_mpp:
        down = mpp / slide_mpp
    elif down < 0.99 or down * (slide_mpp or 0) > COARSEST:
        return None
    if not _agrees(shape, (rows / down, columns / down), INEXACT if mpp else 0):
        return None
    whole = max(1, round(down))
    if _agrees(shape, (rows / whole, columns / whole)):
        return float(whole), float(whole)
    if not mpp and abs(rows / columns - 1) < ABOUT_SQUARE:
        return None  # any square image would match
    return columns / width, rows / height


def _agrees(shape: Size, wanted: XY, part: float = 0) -> bool:
    """Whether sizes are equal up to rounding, or differ by at most a relative part."""
    sides = zip(shape, wanted, strict=True)
    return all(abs(has - needs) <= 1 + part * needs for has, needs in sides)
