"""Repair of outlines that cross themselves, in time that grows only with their length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from napari_pixcell.cells.outlines import outlines_of

Points = NDArray[np.float64]  # (n, 2), closed

SIMPLE = 24  # edges; any outline of so few is repaired exactly
MOST_PAIRS, PAIRS_PER_EDGE = 150, 8  # of edges that may cross, in an outline repaired exactly
PAIRS_AT_ONCE = 1_000_000
MOST_EDGES = 20_000
AT_ONCE = 1_000_000  # crossings of edges and rows of pixels
FINEST, COARSEST = 256, 64  # px along the longer side of a drawn outline
SMALLEST = 1e-200  # extent; below it scales overflow
MOST_PERIODS = 16  # tried


def without_repeats(points: Points) -> Points:
    """Return a closed ring without consecutive equal points, traced once if it is traced often."""
    if len(points) < 2:
        return points
    changes = (points[1:] != points[:-1]).any(axis=1)
    if not changes.all():
        points = points[np.concatenate(([True], changes))]
    returns = np.flatnonzero((points[1:-1] == points[0]).all(axis=1)) + 1
    for period in returns[:MOST_PERIODS].tolist():
        # Up to two points after the last round only run there and back.
        again = (points[period:-1] == points[: -period - 1]).all()
        if again and (len(points) - 1) % period <= 2:
            return points[: period + 1]
    return points


def made_valid(shapes: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return valid shapes of the same area, and which of them were redrawn on a grid.

    Those with very many crossings are redrawn.

    Parameters
    ----------
    shapes : array of shapely polygons and multipolygons, (n,)
    """
    crowded = np.array([_is_crowded(shape) for shape in shapes], bool)
    out = np.empty(len(shapes), object)
    out[~crowded] = shapely.make_valid(shapes[~crowded], method="structure", keep_collapsed=False)
    for number in np.flatnonzero(crowded):
        parts = shapely.get_parts(shapes[number])
        parts = [one if one.is_valid else _redrawn(_rings(one)) for one in parts]
        out[number] = parts[0] if len(parts) == 1 else shapely.union_all(parts)
    return out, crowded


def even_odd(rings: Sequence[Points]) -> Any:
    """Return the shape that several rings enclose, where an overlap of two is a hole."""
    polygons = shapely.polygons([shapely.linearrings(ring) for ring in rings])
    lines = shapely.multilinestrings([shapely.linestrings(ring) for ring in rings])
    if _is_crowded(lines):
        return _redrawn(rings, odd=True)
    shapes = shapely.make_valid(polygons, method="structure", keep_collapsed=False)
    while len(shapes) > 1:  # in pairs, because one after the other takes longer
        if len(shapes) % 2:
            shapes = np.append(shapes, shapely.Polygon())
        shapes = shapely.symmetric_difference(shapes[::2], shapes[1::2])
    return shapes[0]


def _rings(polygon: Any) -> list[Points]:
    return [shapely.get_coordinates(ring) for ring in shapely.get_rings(polygon)]


def _is_crowded(shape: Any) -> bool:
    """Whether so many edges may cross that an exact repair would take too long."""
    points, ring = shapely.get_coordinates(_lines(shape), return_index=True)
    first = np.flatnonzero(ring[:-1] == ring[1:])
    if len(first) <= SIMPLE:
        return False
    if len(first) > MOST_EDGES:
        return True
    edges = shapely.linestrings(np.stack((points[first], points[first + 1]), axis=1))
    tree = shapely.STRtree(edges)
    most, pairs = MOST_PAIRS + PAIRS_PER_EDGE * len(edges), 0
    step = max(1, PAIRS_AT_ONCE // len(edges))
    for start in range(0, len(edges), step):
        pairs += tree.query(edges[start : start + step]).shape[1]
        if pairs > most:
            return True
    return False


def _lines(shape: Any) -> NDArray[Any]:
    parts = shapely.get_parts(shape)
    return np.asarray(parts if shape.geom_type == "MultiLineString" else shapely.get_rings(parts))


def _redrawn(rings: Sequence[Points], odd: bool = False) -> Any:
    """Return the area within a shell but outside of its holes, traced from a drawing.

    Parameters
    ----------
    odd : bool
        Whether instead a point belongs to the area if an odd number of rings encloses it.
    """
    every = np.concatenate(rings)
    corner = every.min(axis=0)
    extent = float((every.max(axis=0) - corner).max())
    side = int(np.clip(2 * len(every), COARSEST, FINEST))
    scale = (side - 1e-6) / max(extent, SMALLEST)
    drawn = [(ring - corner) * scale for ring in rings]
    if odd:
        inside = _winding(drawn, side) % 2 != 0
    else:
        holes = [
            ring if shapely.is_ccw(shapely.linearrings(ring)) else ring[::-1] for ring in drawn[1:]
        ]
        inside = (_winding(drawn[:1], side) != 0) & (_winding(holes, side) == 0)
    if not inside.any():
        return shapely.Polygon()
    (shape,) = outlines_of(inside.astype(np.int32)).polygons
    return shapely.transform(shape, lambda xy: xy / scale + corner)


def _turned(ring: Points) -> Points:
    """Return a ring counter-clockwise, so that overlapping ones do not cancel out."""
    return ring if shapely.is_ccw(shapely.linearrings(ring)) else ring[::-1]


def _winding(rings: Sequence[Points], side: int) -> NDArray[np.int64]:
    """Return how often rings wind around the centre of each pixel of a square image."""
    changes = np.zeros(side * (side + 1), np.int64)
    if rings:
        a = np.concatenate([ring[:-1] for ring in rings])
        b = np.concatenate([ring[1:] for ring in rings])
        first, stop = (np.ceil(end[:, 1] - 0.5).astype(np.int64) for end in (a, b))
        count = np.abs(stop - first)  # rows whose centre line the edge crosses
        for some in np.split(
            np.arange(len(a)), np.flatnonzero(np.diff(np.cumsum(count) // AT_ONCE)) + 1
        ):
            edge = np.repeat(some, count[some])
            rank = np.arange(len(edge)) - np.repeat(
                np.cumsum(count[some]) - count[some], count[some]
            )
            row = np.minimum(first, stop)[edge] + rank
            (x, y), (x2, y2) = a[edge].T, b[edge].T
            column = np.ceil(x + (row + 0.5 - y) * (x2 - x) / (y2 - y) - 0.5).astype(np.int64)
            turn = np.where(first[edge] <= row, 1, -1)
            place = row * (side + 1) + np.clip(column, 0, side)
            changes += np.bincount(place, turn, len(changes)).astype(np.int64)
    return np.cumsum(changes.reshape(side, side + 1), axis=1)[:, :side]
