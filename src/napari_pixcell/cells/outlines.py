"""Outlines of cells: traced exactly from a label image, and drawn as a label image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from skimage.measure import label

from napari_pixcell.cells.layout import Report

PIXELS_AT_ONCE = 4_000_000  # drawn together, to bound memory
OUTSIDE = "outside of the region"
LONGEST_SLIVER = 65_536  # px of the box of a cell without a pixel centre
FAR = 1e9  # px; larger coordinates are clipped to this
CUT = 0.5  # px beyond the edge from which a cell counts as cut, because sizes are rounded


@dataclass(frozen=True, eq=False)
class Outlines:
    """The outlines of cells.

    Parameters
    ----------
    polygons : array of shapely geometries, (n,)
        Polygon or MultiPolygon, possibly with holes. Coordinates are (x, y) in pixels from pixel
        corners, as in QuPath: the first pixel spans 0 to 1.
    classes : array of str, (n,)
        Class name of each cell; "" if unknown.
    """

    polygons: NDArray[Any]
    classes: NDArray[Any]

    @classmethod
    def of(cls, polygons: Iterable[Any], classes: Iterable[str] | None = None) -> Outlines:
        """Build outlines from polygons and class names."""
        shapes = list(polygons)
        values = np.empty(len(shapes), object)
        values[:] = shapes
        names = [""] * len(shapes) if classes is None else list(classes)
        return cls(values, np.array(names, object))

    def __len__(self) -> int:
        return len(self.polygons)

    def take(self, which: NDArray[Any]) -> Outlines:
        """Return a subset, by indices or a mask."""
        return Outlines(self.polygons[which], self.classes[which])

    def moved(self, scale: tuple[float, float], shift: tuple[float, float] = (0, 0)) -> Outlines:
        """Return the outlines with (x, y) multiplied by ``scale``, then moved by ``shift``."""
        polygons = shapely.transform(self.polygons, lambda xy: xy * scale + shift)
        return Outlines(polygons, self.classes)


def outlines_of(labels: NDArray[Any], classes: Mapping[int, str] | None = None) -> Outlines:
    """Return the outlines of all cells of a label image, along pixel edges.

    All cells are traced together. Each boundary edge is directed so that its cell lies on the
    right, and is linked to the next edge. The cycles of this graph are the rings.

    Parameters
    ----------
    labels : instance label image, (height, width)
    classes : mapping, optional
        Class name of each label.

    Returns
    -------
    Outlines
        In ascending order of the labels. Drawing them at the same size reproduces the label
        image, numbered without gaps.
    """
    labels = np.asarray(labels)
    rows = max(1, PIXELS_AT_ONCE // max(1, labels.shape[1]))
    shapes, numbers = [], []
    for own, first, stop in _bands(labels, rows):
        band = labels[first:stop]
        found, values = _traced(np.where(np.isin(band, own), band, 0))
        shift = np.array((0, first))
        shapes.append(shapely.transform(found, lambda xy, shift=shift: xy + shift))
        numbers.append(values)
    if not shapes:
        return Outlines.of(())
    number = np.concatenate(numbers)
    order = np.argsort(number)
    names = [(classes or {}).get(int(one), "") for one in number[order]]
    return Outlines.of(np.concatenate(shapes)[order], names)


def _bands(labels: NDArray[Any], rows: int) -> Iterable[tuple[NDArray[Any], int, int]]:
    """Iterate over overlapping bands: the labels that start in each, its first row and stop row.

    A band extends to the end of its last cell.
    """
    starts = range(0, len(labels), rows)
    present = [np.setdiff1d(np.unique(labels[start : start + rows]), 0) for start in starts]
    band = np.repeat(np.arange(len(present)), [len(one) for one in present])
    every = np.concatenate([np.empty(0, labels.dtype), *present])
    numbers, first, where = np.unique(every, return_index=True, return_inverse=True)
    last = np.zeros(len(numbers), np.int64)
    np.maximum.at(last, where, band)
    for one in np.unique(band[first]):
        mine = band[first] == one
        yield numbers[mine], int(one) * rows, (int(last[mine].max()) + 1) * rows


def _traced(labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the outline of each label, and the labels in ascending order."""
    parts = np.asarray(label(labels, connectivity=1, background=0))
    value = np.zeros(int(parts.max(initial=0)) + 1, np.int64)
    value[parts.ravel()] = np.asarray(labels).ravel()
    points, ring, owner = _rings(parts)
    rings = shapely.linearrings(points, indices=ring)
    # Rings with the cell on their right run clockwise on screen, holes counter-clockwise.
    x, y = points.T
    after = np.arange(1, len(ring) + 1)
    starts = np.flatnonzero(np.diff(ring, prepend=-1))
    after[np.append(starts[1:], len(ring)) - 1] = starts
    hole = np.add.reduceat(x * y[after] - x[after] * y, starts) < 0
    order = np.lexsort((hole, owner))  # the outer ring of each part first
    polygons = shapely.polygons(rings[order], indices=owner[order] - 1)
    by_label = np.argsort(value[1:], kind="stable")
    return united(polygons[by_label], value[1:][by_label])


def united(polygons: NDArray[Any], owner: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return one geometry per owner, a MultiPolygon for several polygons, and the owners.

    Parameters
    ----------
    polygons : array of shapely polygons, (n,)
    owner : array of integers, (n,)
        Ascending.
    """
    owners, first, count = np.unique(owner, return_index=True, return_counts=True)
    shapes = polygons[first]
    several = np.flatnonzero(count > 1)
    if len(several):
        members = np.repeat(count > 1, count)
        index = np.repeat(np.arange(len(several)), count[several])
        shapes[several] = shapely.multipolygons(polygons[members], indices=index)
    return shapes, owners


def _rings(parts: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the corners of all rings, the ring of each corner, and the part of each ring.

    ``parts`` are 4-connected, so no ring touches itself.
    """
    padded = np.pad(parts, 1)
    columns = parts.shape[1] + 1
    nw, ne, sw, se = padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    # For the directions right, down, left and up: the pixels to the right and left of the edge
    # that leaves a vertex.
    right_of, left_of = (se, sw, nw, ne), (ne, se, sw, nw)
    step = np.array((1, columns, -1, -columns))
    edges = [
        np.flatnonzero((right != 0) & (right != left)) * 4 + number
        for number, (right, left) in enumerate(zip(right_of, left_of, strict=True))
    ]
    edge = np.sort(np.concatenate(edges))
    vertex, way = np.divmod(edge, 4)
    row, column = np.divmod(vertex, columns)
    owner = np.empty(len(edge), parts.dtype)
    turn = np.empty(len(edge), np.int64)
    end_row, end_column = np.divmod(vertex + step[way], columns)
    for one in range(4):
        mine = way == one
        owner[mine] = right_of[one][row[mine], column[mine]]
        there = end_row[mine], end_column[mine]
        left = left_of[one][there] == owner[mine]
        ahead = right_of[one][there] == owner[mine]
        turn[mine] = np.where(left, -1, np.where(ahead, 0, 1))
    follower = np.searchsorted(edge, (vertex + step[way]) * 4 + (way + turn) % 4)
    corner = np.zeros(len(edge), bool)
    corner[follower] = turn != 0
    order, ring = _cycles(follower)
    kept = corner[order]
    order, ring = order[kept], ring[kept]
    first = np.flatnonzero(np.diff(ring, prepend=-1))
    return np.stack((column, row), 1)[order].astype(float), ring, owner[order][first]


def _cycles(follower: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the edges ordered cycle by cycle, and the cycle of each."""
    after: list[int] = follower.tolist()
    seen = bytearray(len(after))
    order: list[int] = []
    lengths: list[int] = []
    for start in range(len(after)):
        if seen[start]:
            continue
        here, length = start, len(order)
        while not seen[here]:
            seen[here] = 1
            order.append(here)
            here = after[here]
        lengths.append(len(order) - length)
    return np.array(order), np.repeat(np.arange(len(lengths)), lengths)


def rasterise(
    outlines: Outlines,
    shape: tuple[int, int],
    origin: tuple[float, float] = (0.0, 0.0),
    scale: float | tuple[float, float] = 1.0,
) -> tuple[NDArray[np.int32], NDArray[np.intp], Report]:
    """Draw outlines as a label image.

    A pixel belongs to the cell that contains its centre; of several, to the smallest, and of
    equal ones to the last. A cell that contains no pixel centre gets the free pixel it covers
    most. Every cell has its own label, so neighbours stay apart.

    Parameters
    ----------
    shape : (height, width)
        Shape of the label image.
    origin : (x, y)
        Its upper left corner in pixels of the outlines.
    scale : float or (x, y)
        Pixels of the label image per pixel of the outlines.

    Returns
    -------
    labels : array, int32, (height, width)
        Numbered from 1 without gaps.
    kept : array of int
        Label ``n`` is outline ``kept[n - 1]``.
    report : Report
        Counts of cells outside, cut, overlapping or without a pixel.
    """
    height, width = shape
    factor = np.broadcast_to(np.asarray(scale, float), 2)
    labels = np.zeros(shape, np.int32)
    bounds = (shapely.bounds(outlines.polygons).reshape(-1, 2, 2) - origin) * factor
    (left, top), (right, bottom) = bounds[:, 0].T, bounds[:, 1].T
    near = (left < width) & (right > 0) & (top < height) & (bottom > 0)
    order = np.flatnonzero(near)
    order = order[np.argsort(-shapely.area(outlines.polygons[order]), kind="stable")]
    drawn = np.zeros(len(outlines), np.int64)
    holds_centre = np.zeros(len(outlines), bool)
    for batch in _batches(order, bounds, shape):
        cell, row, start, stop = _spans(outlines.polygons[batch], height, origin, factor)
        holds_centre[batch[cell[stop > start]]] = True
        start, stop = np.clip(start, 0, width), np.clip(stop, 0, width)
        seen = (stop > start) & (row >= 0) & (row < height)
        cell, row, start, length = cell[seen], row[seen], start[seen], (stop - start)[seen]
        drawn[batch] += np.bincount(cell, length, len(batch)).astype(np.int64)
        # Larger cells come first, because NumPy keeps the last of several values.
        for some in _groups(length):
            pixels = _expanded((row * width + start)[some], length[some])
            labels.ravel()[pixels] = np.repeat(batch[cell[some]] + 1, length[some])
    tiny = order[~holds_centre[order]]
    inside = np.zeros(len(tiny), bool)
    boxes = np.clip(np.diff(bounds[tiny], axis=1)[:, 0], 1, max(shape)).prod(axis=1)
    for some in _groups(16 * np.minimum(boxes, LONGEST_SLIVER)):
        shapes = outlines.polygons[tiny[some]]
        inside[some] = _place_tiny(labels, tiny[some], shapes, origin, factor)
    got = np.zeros(len(outlines) + 1, np.int64)
    for part in np.array_split(labels.ravel(), labels.size // PIXELS_AT_ONCE + 1):
        got += np.bincount(part, minlength=len(got))
    got = got[1:]
    kept = np.flatnonzero(got)
    number = np.zeros(len(outlines) + 1, np.int32)
    number[kept + 1] = np.arange(1, len(kept) + 1)
    crowded = int(np.count_nonzero(inside & (got[tiny] == 0)))
    hidden = int(np.count_nonzero((got == 0) & (drawn > 0)))
    cut = (left < -CUT) | (right > width + CUT) | (top < -CUT) | (bottom > height + CUT)
    report = Report(
        len(kept),
        {
            OUTSIDE: len(outlines) - len(kept) - crowded - hidden,
            "too small to have a pixel of their own": crowded,
            "hidden under other cells": hidden,
        },
        {
            "cut at the edge of the region": int(np.count_nonzero(cut[kept])),
            "partly under other cells": int(np.count_nonzero((got > 0) & (got < drawn))),
        },
    )
    return number[labels], kept, report


def _batches(
    order: NDArray[np.intp], bounds: NDArray[Any], shape: tuple[int, int]
) -> Iterable[NDArray[np.intp]]:
    """Return groups of cells whose boxes together stay within the pixel limit."""
    frame = np.array(shape[::-1])
    box = np.clip(bounds[order, 1], 0, frame) - np.clip(bounds[order, 0], 0, frame) + 1
    return [order[some] for some in _groups(box.prod(axis=1))]


def _groups(pixels: NDArray[Any]) -> list[slice]:
    """Return slices of a sequence that each stay within the pixel limit."""
    cuts = np.flatnonzero(np.diff(np.cumsum(pixels) // PIXELS_AT_ONCE)) + 1
    return [slice(*pair) for pair in pairwise((0, *cuts.tolist(), len(pixels)))]


def _expanded(start: NDArray[Any], length: NDArray[Any]) -> NDArray[Any]:
    """Return start, start + 1, … of each span, concatenated."""
    first = np.cumsum(length) - length
    return np.asarray(np.arange(int(length.sum())) + np.repeat(start - first, length))


def _spans(
    polygons: NDArray[Any], height: int, origin: tuple[float, float], factor: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the runs of pixels whose centres lie in each polygon: cell, row, start and stop.

    Applies the even-odd rule along the centre line of each row, for all polygons at once.
    """
    parts, cell = shapely.get_parts(polygons, return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    points = (points - origin) * factor
    one = np.flatnonzero(ring[:-1] == ring[1:])
    a, b = points[one], points[one + 1]
    down = (a[:, 1] <= b[:, 1])[:, None]
    a, b = np.where(down, a, b), np.where(down, b, a)  # same crossing for neighbours
    first = np.ceil(np.clip(a[:, 1], -2, height + 2) - 0.5).astype(np.int64)
    count = np.ceil(np.clip(b[:, 1], -2, height + 2) - 0.5).astype(np.int64) - first
    row = _expanded(first, count)
    a, slope = np.repeat(a, count, axis=0), np.repeat(_slope(a, b), count)
    x = a[:, 0] + (row + 0.5 - a[:, 1]) * slope
    owner = np.repeat(cell[part[ring[one]]], count)
    order = np.lexsort((x, row, owner))
    column = np.clip(np.ceil(x[order] - 0.5), -FAR, FAR).astype(np.int64)
    return owner[order][::2], row[order][::2], column[::2], column[1::2]


def _slope(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    rise, slope = b[:, 1] - a[:, 1], np.zeros(len(a))
    np.divide(b[:, 0] - a[:, 0], rise, out=slope, where=rise > 0)
    return slope


def _place_tiny(
    labels: NDArray[np.int32],
    numbers: NDArray[np.intp],
    polygons: NDArray[Any],
    origin: tuple[float, float],
    factor: NDArray[Any],
) -> NDArray[np.bool_]:
    """Assign each cell the free pixel it covers most; return which cells lie in the image."""
    height, width = labels.shape
    inside = np.zeros(len(polygons), bool)
    if not len(polygons):
        return inside
    shapes = shapely.transform(polygons, lambda xy: (xy - origin) * factor)
    box = np.clip(shapely.bounds(shapes), -1, np.tile((width, height), 2) + 1)
    low, high = np.floor(box[:, :2]).astype(np.int64), np.ceil(box[:, 2:]).astype(np.int64)
    # Of a long sliver, the part around its middle is enough.
    long = (high - low).prod(axis=1) > LONGEST_SLIVER
    if long.any():
        middle = shapely.get_coordinates(shapely.point_on_surface(shapes[long]))
        middle = np.floor(np.clip(middle, -2, np.array((width, height)) + 1)).astype(np.int64)
        low[long], high[long] = middle, middle + 1
    columns, rows = np.maximum(high - low, 1).T
    cell = np.repeat(np.arange(len(shapes)), rows * columns)
    pixel = _expanded(np.zeros(len(shapes), np.int64), rows * columns)
    row, column = np.divmod(pixel, columns[cell])
    column, row = column + low[cell, 0], row + low[cell, 1]
    squares = shapely.box(column, row, column + 1, row + 1)
    covered = shapely.area(shapely.intersection(squares, shapes[cell]))
    some = covered > 0
    choices = np.bincount(cell[some], minlength=len(shapes))
    best = np.lexsort((-covered, cell, choices[cell]))  # fewest choices first
    best = best[some[best]]
    done = np.zeros(len(shapes), bool)
    tops = np.zeros(len(shapes), bool)
    for one, y, x in zip(*(v[best].tolist() for v in (cell, row, column)), strict=True):
        framed = 0 <= y < height and 0 <= x < width
        if not tops[one]:
            tops[one], inside[one] = True, framed
            done[one] = not framed  # the cell lies outside with its best pixel
        if not done[one] and framed and not labels[y, x]:
            labels[y, x], done[one] = numbers[one] + 1, True
    return inside
