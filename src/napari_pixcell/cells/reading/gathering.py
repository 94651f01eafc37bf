"""Rings of numbers, as files have them, to outlines that can be drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from napari_pixcell.cells.outlines import Outlines
from napari_pixcell.cells.report import Report
from napari_pixcell.errors import PixCellError

AT_ONCE = 20_000  # cells built together, so that lists of numbers do not pile up
FARTHEST = 1e8  # px from the corner of a slide; no slide is as large
BROKEN, FLAT, SHAPELESS = "with broken coordinates", "without area", "without a shape"
AROUND = "of annotations around cells"
REPAIRED = "repaired where their outline crossed itself"

Ring = Any  # a sequence of (x, y), as JSON has it
Polygons = Sequence[Sequence[Ring]]  # each of them a shell and its holes


class Gatherer:
    """Takes cells one by one, and gives their outlines with a report.

    Parameters
    ----------
    on_centres : bool
        Whether the points are the centres of a cell's outermost pixels, as OpenCV's
        ``findContours`` has them; such outlines grow by half a pixel.
    """

    def __init__(self, on_centres: bool = False) -> None:
        self.on_centres = on_centres
        self.dropped: Counter[str] = Counter()
        self.changed: Counter[str] = Counter()
        self._shapes: list[NDArray[Any]] = []
        self._names: list[str] = []
        self._around: list[bool] = []
        self._points: list[NDArray[np.float64]] = []
        self._polygon_of_ring: list[int] = []
        self._cell_of_polygon: list[int] = []
        self._waiting = 0

    def drop(self, why: str, count: int = 1) -> None:
        """Count what is left out."""
        self.dropped[why] += count

    def add(self, polygons: Polygons, name: str = "", around: bool = False) -> None:
        """Take one cell.

        Parameters
        ----------
        polygons : sequence
            Its parts, each a shell and its holes, each a sequence of (x, y).
        name : str
            Of its class.
        around : bool
            Whether it is an annotation, which is a cell only if nothing else in the file is.
        """
        try:
            rings = [[_ring(ring) for ring in polygon] for polygon in polygons if polygon]
        except (TypeError, ValueError):  # no numbers, or not in pairs
            self.drop(BROKEN)
            return
        parts = [
            [shell, *(hole for hole in holes if _encloses(hole))]
            for shell, *holes in rings
            if _encloses(shell) or (self.on_centres and len(shell))
        ]
        if not parts:
            self.drop(FLAT if polygons else SHAPELESS)
            return
        for part in parts:
            polygon = len(self._cell_of_polygon)
            self._cell_of_polygon.append(self._waiting)
            self._points += part
            self._polygon_of_ring += [polygon] * len(part)
        self._names.append(name)
        self._around.append(around)
        self._waiting += 1
        if self._waiting >= AT_ONCE:
            self._build()

    def add_shapes(self, shapes: NDArray[Any], names: Sequence[str]) -> None:
        """Take cells that are polygons already."""
        self._build()
        self._shapes.append(shapes)
        self._names += names
        self._around += [False] * len(shapes)

    def finish(self, file: str) -> tuple[Outlines, Report]:
        """Give what was gathered.

        Raises
        ------
        PixCellError
            If nothing was.
        """
        self._build()
        shapes = np.concatenate([np.empty(0, object), *self._shapes])
        names = np.array(self._names, object)
        around = np.array(self._around, bool)
        keep = shapely.area(shapes) > 0
        self.drop(FLAT, int(np.count_nonzero(~keep)))
        if (keep & ~around).any():
            self.drop(AROUND, int(np.count_nonzero(keep & around)))
            keep &= ~around
        report = Report(int(np.count_nonzero(keep)), self.dropped, self.changed)
        if not report.read:
            found = ", ".join(f"{count:,} {why}" for why, count in report.dropped.items())
            raise PixCellError(
                f"{file} has no cells{f' (only {found})' if found else ''}; "
                "export the cells themselves, as polygons."
            )
        return Outlines(shapes[keep], names[keep]), report

    def _build(self) -> None:
        """Make shapes of the rings that wait."""
        if not self._waiting:
            return
        lengths = [len(ring) for ring in self._points]
        points = np.concatenate(self._points) + (0.5 if self.on_centres else 0)
        rings = shapely.linearrings(points, indices=np.repeat(np.arange(len(lengths)), lengths))
        polygons = shapely.polygons(rings, indices=np.array(self._polygon_of_ring))
        owner = np.array(self._cell_of_polygon)
        first, count = np.unique(owner, return_index=True, return_counts=True)[1:]
        shapes = polygons[first]
        several = np.flatnonzero(count > 1)
        if len(several):
            members = np.repeat(count > 1, count)
            index = np.repeat(np.arange(len(several)), count[several])
            shapes[several] = shapely.multipolygons(polygons[members], indices=index)
        self._shapes.append(self._repaired(shapes))
        self._points, self._polygon_of_ring, self._cell_of_polygon = [], [], []
        self._waiting = 0

    def _repaired(self, shapes: NDArray[Any]) -> NDArray[Any]:
        bad = np.flatnonzero(~shapely.is_valid(shapes))
        mended = shapely.make_valid(shapes[bad], method="structure", keep_collapsed=False)
        if self.on_centres:  # thin cells, whose outlines run there and back, are no mistake
            thin = shapely.buffer(shapely.boundary(shapes[bad]), 0.5, quad_segs=2)
            shapes = shapely.buffer(shapes, 0.5, quad_segs=2)
            shapes[bad] = shapely.union(shapely.buffer(mended, 0.5, quad_segs=2), thin)
            return shapes
        shapes[bad] = mended
        flat = np.count_nonzero(shapely.area(mended) == 0)
        self.changed[REPAIRED] += len(bad) - int(flat)
        return shapes


def _ring(values: Ring) -> NDArray[np.float64]:
    """Give the points of a ring, (n, 2); a fault of theirs is a ValueError."""
    points = np.asarray(values, np.float64)
    if points.ndim == 3 and points.shape[1] == 1:  # OpenCV's way to nest
        points = points[:, 0]
    if points.ndim != 2 or points.shape[1] < 2 or not (np.abs(points) < FARTHEST).all():
        if points.size:
            raise ValueError("no finite pairs")
        return np.empty((0, 2))
    return _closed(points[:, :2])


def _closed(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Close a ring; a single point or a line becomes one that encloses nothing."""
    while len(points) and (len(points) < 4 or (points[0] != points[-1]).any()):
        points = np.concatenate((points, points[:1]))
    return points


def _encloses(points: NDArray[np.float64]) -> bool:
    """Whether a ring has three corners."""
    return len(points) > 4 or (len(points) == 4 and (points[1] != points[2]).any())
