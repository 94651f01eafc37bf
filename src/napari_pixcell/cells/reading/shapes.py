"""Rings of simple shapes, and outlines of small masks, for annotation tools."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from napari_pixcell.cells.outlines import outlines_of
from napari_pixcell.cells.reading.gathering import FLAT, Gatherer
from napari_pixcell.errors import PixCellError

CORNERS = 64  # of a drawn ellipse
TRACED_AT_ONCE = 500
LARGE = 256  # px; larger masks are traced one by one
MOST_CROP = 4_000**2  # px of one mask
MOST_CROPS = 500_000_000  # px of all masks of a file
MOST_EDGES = 4_000_000  # of pixels along all outlines; those of 80,000 nuclei
SIMPLE = "drawn as rectangles or ellipses"

Ring = NDArray[np.float64]
Crop = tuple[NDArray[np.bool_], int, int, str]  # mask, left, top, class name


def rectangle(left: float, top: float, right: float, bottom: float, turned: float = 0.0) -> Ring:
    """Return the corners of a rectangle, turned clockwise by degrees around its centre."""
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], float)
    return _turned(corners, turned)


def ellipse(x: float, y: float, across: float, down: float, turned: float = 0.0) -> Ring:
    """Return the corners of an ellipse with these radii, turned clockwise by degrees."""
    angles = np.linspace(0, 2 * math.pi, CORNERS, endpoint=False)
    round_ = np.stack([x + across * np.cos(angles), y + down * np.sin(angles)], axis=1)
    return _turned(round_, turned)


def _turned(points: Ring, degrees: float) -> Ring:
    if not degrees or not math.isfinite(degrees):
        return points
    centre = points.mean(axis=0)
    angle = math.radians(degrees)
    turn = np.array([(math.cos(angle), math.sin(angle)), (-math.sin(angle), math.cos(angle))])
    return np.asarray((points - centre) @ turn + centre)


class Crops:
    """Collector of masks of single cells, which are traced together.

    Parameters
    ----------
    gatherer : Gatherer
        Receives their outlines.
    name : str
        Name of the file, for errors.
    """

    def __init__(self, gatherer: Gatherer, name: str) -> None:
        self.gatherer, self.name = gatherer, name
        self._crops: list[Crop] = []
        self._pixels = self._waiting = self._edges = 0

    def check(self, width: int, height: int) -> None:
        """Check the size of a mask before it is decoded.

        Raises
        ------
        ValueError
            If the size is not positive.
        PixCellError
            If the masks would fill the memory.
        """
        if width < 1 or height < 1:
            raise ValueError("no pixels")
        self._pixels += width * height
        if width * height > MOST_CROP or self._pixels > MOST_CROPS:
            raise self._too_large()

    def _too_large(self) -> PixCellError:
        return PixCellError(
            f"The masks of “{self.name}” are too large to decode. Export polygons instead."
        )

    def add(self, mask: NDArray[np.bool_], left: int, top: int, name: str) -> None:
        """Add a mask, (height, width), whose first pixel is at (left, top), and its class name."""
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not len(rows):
            self.gatherer.drop(FLAT)
            return
        first, start = int(rows[0]), int(columns[0])
        crop = mask[first : rows[-1] + 1, start : columns[-1] + 1].copy()
        self._edges += sum(int(np.count_nonzero(np.diff(crop, axis=axis))) for axis in (0, 1))
        if self._edges > MOST_EDGES:
            raise self._too_large()
        self._crops.append((crop, left + start, top + first, name))
        self._waiting += crop.size
        if len(self._crops) >= TRACED_AT_ONCE or self._waiting > MOST_CROP:
            self.trace()

    def trace(self) -> None:
        """Pass the outlines of the masks so far to the gatherer."""
        crops, self._crops, self._waiting = self._crops, [], 0
        large = [crop for crop in crops if max(crop[0].shape) > LARGE]
        small = [crop for crop in crops if max(crop[0].shape) <= LARGE]
        for some in ([small] if small else []) + [[crop] for crop in large]:
            self.gatherer.add_shapes(_traced(some), [crop[-1] for crop in some])


def _traced(crops: list[Crop]) -> NDArray[Any]:
    """Return the outlines of masks, traced below each other in one label image."""
    starts = np.cumsum([0, *(len(mask) for mask, *_ in crops)])
    sheet = np.zeros((starts[-1], max(mask.shape[1] for mask, *_ in crops)), np.int32)
    for place, (mask, *_) in enumerate(crops):
        sheet[starts[place] : starts[place + 1], : mask.shape[1]] = mask * (place + 1)
    shapes = outlines_of(sheet).polygons
    points, owner = shapely.get_coordinates(shapes, return_index=True)
    moves = [(left, top - y) for (_, left, top, _), y in zip(crops, starts[:-1], strict=True)]
    moved: NDArray[Any] = shapely.set_coordinates(shapes, points + np.array(moves)[owner])
    return moved
