"""Cells as read from a file, and outlines built from its coordinate rings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from napari_pixcell.cells.layout import Report
from napari_pixcell.cells.outlines import Outlines, outlines_of, united
from napari_pixcell.cells.reading.repairing import made_valid, without_repeats
from napari_pixcell.errors import PixCellError

AT_ONCE = 20_000  # cells built together, to bound memory
FARTHEST = 1e8  # px from the corner of a slide; no slide is this large
BROKEN, FLAT, SHAPELESS = "with broken coordinates", "without area", "without a shape"
AROUND = "of annotations around cells"
ELSEWHERE = "on other planes or at other times"
REPAIRED = "repaired where their outline crossed itself"
Plane = tuple[int, int]  # z and t
FIRST_PLANE: Plane = (0, 0)
Ring = Any  # a sequence of (x, y), as in JSON
Polygons = Sequence[Sequence[Ring]]  # each of them a shell and its holes


@dataclass(frozen=True, eq=False)
class CellsFile:
    """Cells of a file: a label image, or outlines.

    Parameters
    ----------
    name : str
        File name; never a path.
    labels : instance label image, int32, (height, width), optional
    outlines : Outlines, optional
        In pixels of the file, counted from pixel corners.
    classes : mapping
        Class name of each entry in ``labels`` that has one.
    shape : (height, width), optional
        Size of the segmented image in px, if the file states it.
    mpp : float, optional
        Its pixel size in µm, if the file states it.
    """

    name: str
    report: Report
    labels: NDArray[np.int32] | None = None
    outlines: Outlines | None = None
    classes: Mapping[int, str] = field(default_factory=dict)
    shape: tuple[int, int] | None = None
    mpp: float | None = None

    def as_outlines(self) -> Outlines:
        """Return the outlines, traced if the file is a label image."""
        if self.outlines is not None:
            return self.outlines
        assert self.labels is not None
        return outlines_of(self.labels, self.classes)

    def with_mpp(self, mpp: float | None) -> CellsFile:
        """Return the same cells with another pixel size; None changes nothing."""
        return self if mpp is None else replace(self, mpp=mpp)


class Gatherer:
    """Collector of cells that builds their outlines and a report.

    Parameters
    ----------
    on_centres : bool
        Whether points are the centres of a cell's outermost pixels, as in OpenCV's
        ``findContours``. Such outlines are grown by half a pixel.
    """

    def __init__(self, on_centres: bool = False) -> None:
        self.on_centres = on_centres
        self.dropped: Counter[str] = Counter()
        self.changed: Counter[str] = Counter()
        self._shapes: list[NDArray[Any]] = []
        self._names: list[str] = []
        self._around: list[bool] = []
        self._planes: list[Plane] = []
        self._points: list[NDArray[np.float64]] = []
        self._polygon_of_ring: list[int] = []
        self._cell_of_polygon: list[int] = []
        self._waiting = 0

    def drop(self, why: str, count: int = 1) -> None:
        """Count objects that are left out."""
        self.dropped[why] += count

    def add(
        self, polygons: Polygons, name: str = "", around: bool = False, plane: Plane = FIRST_PLANE
    ) -> None:
        """Add a cell.

        Parameters
        ----------
        polygons : sequence
            Its parts, each a shell and its holes, each a sequence of (x, y).
        name : str
            Class name.
        around : bool
            Whether it is an annotation, which counts as a cell only if the file has no other cells.
        plane : (z, t)
            Of several planes, the one with most cells is read.
        """
        try:
            rings = [[_ring(ring) for ring in polygon] for polygon in polygons if polygon]
        except (TypeError, ValueError, OverflowError):  # not pairs of numbers
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
        self._planes.append(plane)
        self._waiting += 1
        if self._waiting >= AT_ONCE:
            self._build()

    def add_shapes(self, shapes: NDArray[Any], names: Sequence[str]) -> None:
        """Add cells that are polygons already."""
        self._build()
        self._shapes.append(shapes)
        self._names += names
        self._around += [False] * len(shapes)
        self._planes += [FIRST_PLANE] * len(shapes)

    def finish(self, file: str, shape: tuple[int, int] | None = None) -> CellsFile:
        """Return the cells of a file, in an image of (height, width) px if given.

        Raises
        ------
        PixCellError
            If there are no cells.
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
        elsewhere = keep & ~self._on_fullest_plane(keep)
        self.drop(ELSEWHERE, int(np.count_nonzero(elsewhere)))
        keep &= ~elsewhere
        report = Report(int(np.count_nonzero(keep)), self.dropped, self.changed)
        if not report.read:
            found = ", ".join(f"{count:,} {why}" for why, count in report.dropped.items())
            raise PixCellError(
                f"{file} has no cells{f' (only {found})' if found else ''}. "
                "Export the cells as polygons."
            )
        outlines = Outlines(shapes[keep], names[keep])
        return CellsFile(file, report, outlines=outlines, shape=shape)

    def _on_fullest_plane(self, among: NDArray[np.bool_]) -> NDArray[np.bool_]:
        counts = Counter(plane for plane, one in zip(self._planes, among, strict=True) if one)
        if len(counts) < 2:
            return among
        fullest = min(counts, key=lambda plane: (-counts[plane], plane))
        return np.array([plane == fullest for plane in self._planes], bool)

    def _build(self) -> None:
        if not self._waiting:
            return
        lengths = [len(ring) for ring in self._points]
        points = np.concatenate(self._points) + (0.5 if self.on_centres else 0)
        rings = shapely.linearrings(points, indices=np.repeat(np.arange(len(lengths)), lengths))
        polygons = shapely.polygons(rings, indices=np.array(self._polygon_of_ring))
        shapes, _ = united(polygons, np.array(self._cell_of_polygon))
        self._shapes.append(self._repaired(shapes))
        self._points, self._polygon_of_ring, self._cell_of_polygon = [], [], []
        self._waiting = 0

    def _repaired(self, shapes: NDArray[Any]) -> NDArray[Any]:
        bad = np.flatnonzero(~shapely.is_valid(shapes))
        mended, crowded = made_valid(shapes[bad])
        if self.on_centres:  # outlines of thin cells that run there and back are valid
            shapes[bad[crowded]] = mended[crowded]
            bad, mended = bad[~crowded], mended[~crowded]
            thin = shapely.buffer(shapely.boundary(shapes[bad]), 0.5, quad_segs=2)
            shapes = shapely.buffer(shapes, 0.5, quad_segs=2)
            shapes[bad] = shapely.union(shapely.buffer(mended, 0.5, quad_segs=2), thin)
            return shapes
        shapes[bad] = mended
        flat = np.count_nonzero(shapely.area(mended) == 0)
        self.changed[REPAIRED] += len(bad) - int(flat)
        return shapes


def _ring(values: Ring) -> NDArray[np.float64]:
    """Return the closed points of a ring, (n, 2); raise ValueError if they are invalid."""
    points = np.asarray(values, np.float64)
    if points.ndim == 3 and points.shape[1] == 1:  # nested as in OpenCV
        points = points[:, 0]
    if points.ndim != 2 or points.shape[1] < 2 or not (np.abs(points) < FARTHEST).all():
        if points.size:
            raise ValueError("not pairs of finite numbers")
        return np.empty((0, 2))
    return closed(without_repeats(closed(points[:, :2])))


def closed(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a closed ring; a point or a line becomes one without area."""
    while len(points) and (len(points) < 4 or (points[0] != points[-1]).any()):
        points = np.concatenate((points, points[:1]))
    return points


def _encloses(points: NDArray[np.float64]) -> bool:
    """Whether a ring has at least three corners."""
    return len(points) > 4 or (len(points) == 4 and (points[1] != points[2]).any())
