"""Edits of single cells of a layout, as small patches that are fast and can be undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy  # whose parts are imported when they are first used
from numpy.typing import NDArray

AROUND = 64  # px searched around a point first; doubled until the cell is complete
CLOSES = 2  # px; gaps this wide are closed when two cells are merged

Point = tuple[float, float]
Box = tuple[int, int, NDArray[Any]]  # top, left, values
FEWEST_PX = 4  # smaller remains of cells cut by the border are left out


@dataclass(frozen=True, eq=False)
class Patch:
    """An undoable change of a box of a label image.

    Parameters
    ----------
    y, x : int
        First row and column of the box.
    before, after : array, (height, width)
        Labels of the box before and after the change.
    """

    y: int
    x: int
    before: NDArray[Any]
    after: NDArray[Any]

    @property
    def box(self) -> tuple[slice, slice]:
        """Rows and columns of the box."""
        height, width = self.after.shape
        return slice(self.y, self.y + height), slice(self.x, self.x + width)

    def apply(self, labels: NDArray[Any]) -> None:
        """Write the change into a label image."""
        labels[self.box] = self.after

    def changes(self) -> tuple[tuple[NDArray[Any], NDArray[Any]], NDArray[Any]]:
        """Return the (rows, columns) of the changed pixels, and their new values."""
        rows, columns = np.nonzero(self.before != self.after)
        return (rows + self.y, columns + self.x), self.after[rows, columns]

    def undo(self, labels: NDArray[Any]) -> None:
        """Revert the change in a label image."""
        labels[self.box] = self.before


def label_at(labels: NDArray[Any], point: Point) -> int:
    """Return the label at (y, x); 0 on background and outside."""
    y, x = (round(n) for n in point)
    inside = 0 <= y < labels.shape[0] and 0 <= x < labels.shape[1]
    return int(labels[y, x]) if inside else 0


def cell_at(labels: NDArray[Any], point: Point) -> tuple[int, int, NDArray[np.bool_]] | None:
    """Return top, left and the mask of the cell at a point, or None if there is no cell."""
    label = label_at(labels, point)
    if not label:
        return None
    top, left, part = _around(labels, point, label, margin=0)
    return top, left, part == label


def draw_outline(labels: NDArray[Any], outline: Sequence[Point], label: int) -> Patch | None:
    """Return the patch that fills a closed outline with a new cell, beside the other cells.

    Parameters
    ----------
    outline : sequence of (y, x)
        Vertices; the last one is joined with the first.
    label : int
        Label of the new cell.

    Returns
    -------
    Patch or None
        None if fewer than ``FEWEST_PX`` pixels of background lie within.
    """
    from skimage.draw import polygon2mask

    points = np.asarray(outline, float)
    top, left = (max(0, int(n)) for n in np.floor(points.min(axis=0)))
    bottom, right = (int(n) + 1 for n in np.ceil(points.max(axis=0)))
    part = labels[top:bottom, left:right].copy()
    if not part.size:
        return None
    inside = polygon2mask(part.shape, points - (top, left)) & (part == 0)
    if np.count_nonzero(inside) < FEWEST_PX:
        return None
    part[inside] = label
    return _patch(labels, top, left, part)


def delete(labels: NDArray[Any], point: Point) -> Patch | None:
    """Return the patch that deletes the cell at a point, or None if there is no cell."""
    label = label_at(labels, point)
    if not label:
        return None
    top, left, part = _around(labels, point, label)
    return _patch(labels, top, left, np.where(part == label, 0, part))


def merge(labels: NDArray[Any], first: Point, second: Point) -> Patch | None:
    """Return the patch that merges two cells under the first label, or None.

    A gap of ``CLOSES`` pixels between them becomes part of the cell. Without two cells, or if they
    lie farther apart, there is nothing to merge.
    """
    kept, gone = label_at(labels, first), label_at(labels, second)
    if not (kept and gone) or kept == gone:
        return None
    boxes = [_around(labels, point, label) for point, label in ((first, kept), (second, gone))]
    top, left, part = _about_all(labels, boxes)
    part[part == gone] = kept
    cell = np.pad(part == kept, CLOSES)
    disc = scipy.ndimage.iterate_structure(scipy.ndimage.generate_binary_structure(2, 1), CLOSES)
    closed = scipy.ndimage.binary_closing(cell, disc)[CLOSES:-CLOSES, CLOSES:-CLOSES]
    part[closed & (part == 0)] = kept
    pieces = scipy.ndimage.label(part == kept, np.ones((3, 3)))[0]
    ends = [pieces[round(y) - top, round(x) - left] for y, x in (first, second)]
    return _patch(labels, top, left, part) if ends[0] == ends[1] else None


def split(labels: NDArray[Any], line: Sequence[Point], next_label: int) -> Patch | None:
    """Return the patch that cuts all cells a line crosses completely, or None if it crosses none.

    Parameters
    ----------
    line : sequence of (y, x)
        Vertices of the line.
    next_label : int
        Label of the first new part; the largest part keeps the old one.
    """
    points = line_pixels(line, labels.shape)
    touched = [int(n) for n in np.unique(labels[tuple(points.T)]) if n]
    if not touched:
        return None
    top, left, part = _box_of_cells(labels, points, touched)
    cut = np.zeros(part.shape, bool)
    cut[tuple((points - (top, left)).T)] = True
    found = False
    for label in touched:
        cell = part == label
        pieces, count = scipy.ndimage.label(cell & ~cut)
        before = scipy.ndimage.label(cell)[1]
        if count <= before:
            continue
        found = True
        order = np.argsort(-np.bincount(pieces.ravel())[1:], kind="stable") + 1
        names = np.zeros(count + 1, part.dtype)
        names[order[0]] = label
        names[order[1:]] = np.arange(next_label, next_label + count - 1)
        next_label += count - 1
        # The pixels of the line go to the nearest part, so that no area is lost.
        nearest = scipy.ndimage.distance_transform_edt(
            pieces == 0, return_distances=False, return_indices=True
        )
        part[cell] = names[pieces[tuple(nearest)]][cell]
    return _patch(labels, top, left, part) if found else None


def fill_holes(labels: NDArray[Any], point: Point) -> Patch | None:
    """Return the patch that fills the holes of the cell at a point or around it, or None."""
    label = label_at(labels, point)
    if label:
        top, left, part = _around(labels, point, label)
        holes = scipy.ndimage.binary_fill_holes(part == label) & (part == 0)
        part = np.where(holes, label, part)
        return _patch(labels, top, left, part) if holes.any() else None
    hole = _hole_at(labels, point)
    if hole is None:
        return None
    top, left, mask = hole
    part = labels[top : top + mask.shape[0], left : left + mask.shape[1]].copy()
    rim = part[scipy.ndimage.binary_dilation(mask) & ~mask]
    if len(np.unique(rim)) != 1 or not rim[0]:
        return None  # background that several cells enclose by chance
    part[mask] = rim[0]
    return _patch(labels, top, left, part)


def grow(labels: NDArray[Any], point: Point, pixels: int) -> Patch | None:
    """Return the patch that grows the cell at a point by some pixels, or shrinks it if negative.

    Cells grow over background only and never shrink to nothing. Returns None without a change.
    """
    label = label_at(labels, point)
    if not label or not pixels:
        return None
    top, left, part = _around(labels, point, label, margin=abs(pixels) + 1)
    cell = part == label
    distance = scipy.ndimage.distance_transform_edt(~cell if pixels > 0 else np.pad(cell, 1))
    if pixels > 0:
        part = np.where((distance <= pixels) & (part == 0), label, part)
    else:
        inner = distance[1:-1, 1:-1] > -pixels
        if not inner.any():
            return None
        part = np.where(cell & ~inner, 0, part)
    return _patch(labels, top, left, part)


def line_pixels(line: Sequence[Point], shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Return the pixels under a line, (n, 2), without diagonal gaps."""
    found = []
    for (y0, x0), (y1, x1) in zip(line, [*line[1:], line[-1]], strict=True):
        steps = max(1, int(np.ceil(2 * max(abs(y1 - y0), abs(x1 - x0)))))
        part = np.linspace((y0, x0), (y1, x1), steps + 1)
        found.append(np.rint(part).astype(np.intp))
    points = np.concatenate(found)
    # Diagonal steps include the corner pixel, because parts are joined by edges, not corners.
    corners = np.stack([points[1:, 0], points[:-1, 1]], axis=1)
    points = np.unique(np.concatenate([points, corners]), axis=0)
    inside = (points >= 0).all(axis=1) & (points < shape[:2]).all(axis=1)
    kept: NDArray[np.intp] = points[inside]
    return kept


def _patch(labels: NDArray[Any], top: int, left: int, after: NDArray[Any]) -> Patch:
    height, width = after.shape
    before = labels[top : top + height, left : left + width].copy()
    return Patch(top, left, before, after)


def _around(labels: NDArray[Any], point: Point, label: int, margin: int = 1) -> Box:
    """Return top, left and a copy of a box with a whole cell and a margin."""
    y, x = (round(n) for n in point)
    height, width = labels.shape
    reach = AROUND
    while True:
        top, left = max(0, y - reach), max(0, x - reach)
        part = labels[top : y + reach + 1, left : x + reach + 1]
        rows, columns = np.nonzero(part == label)
        box = top + rows.min(), left + columns.min(), top + rows.max(), left + columns.max()
        open_sides = (
            (box[0] == top and top > 0)
            or (box[1] == left and left > 0)
            or (box[2] == y + reach < height - 1)
            or (box[3] == x + reach < width - 1)
        )
        if not open_sides:
            break
        reach *= 2
    top, left = max(0, int(box[0]) - margin), max(0, int(box[1]) - margin)
    bottom, right = int(box[2]) + margin + 1, int(box[3]) + margin + 1
    return top, left, labels[top:bottom, left:right].copy()


def _box_of_cells(labels: NDArray[Any], points: NDArray[np.intp], touched: Sequence[int]) -> Box:
    """Return top, left and a copy of the box around all cells that a line touches."""
    values = labels[tuple(points.T)]
    boxes = []
    for label in touched:
        y, x = points[np.argmax(values == label)]
        boxes.append(_around(labels, (float(y), float(x)), label))
    (top, left), size = points.min(axis=0), np.ptp(points, axis=0) + 1
    return _about_all(labels, [*boxes, (int(top), int(left), np.empty(size))])


def _about_all(labels: NDArray[Any], boxes: Sequence[Box]) -> Box:
    top, left = min(box[0] for box in boxes), min(box[1] for box in boxes)
    bottom = max(box[0] + box[2].shape[0] for box in boxes)
    right = max(box[1] + box[2].shape[1] for box in boxes)
    return top, left, labels[top:bottom, left:right].copy()


def _hole_at(labels: NDArray[Any], point: Point) -> tuple[int, int, NDArray[np.bool_]] | None:
    """Return top, left and the mask of the background at a point, if cells enclose it."""
    y, x = (round(n) for n in point)
    height, width = labels.shape
    if not (0 <= y < height and 0 <= x < width):
        return None
    reach = AROUND
    while reach <= 8 * AROUND:  # larger areas are not holes of a cell
        top, left = max(0, y - reach), max(0, x - reach)
        background = labels[top : y + reach + 1, left : x + reach + 1] == 0
        pieces = scipy.ndimage.label(background)[0]
        mask = pieces == pieces[y - top, x - left]
        if not (mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any()):
            return top, left, mask
        reach *= 2
    return None


def fit(
    labels: NDArray[Any],
    outline: NDArray[np.bool_],
    centre_yx: Point,
    *,
    label: int | None = None,
    gap_px: int = 1,
) -> Patch | None:
    """Return the patch that would place an outline, without writing it.

    Parameters
    ----------
    labels : instance label image, (height, width)
    outline : array, bool
        At the pixel size of ``labels``, centred on ``centre_yx`` and cut at the image border.
    centre_yx : (y, x)
        In pixels of ``labels``; 0 is the centre of the first pixel.
    label : int, optional
        Label of the new cell. Default: one more than the largest, which reads the whole image.
    gap_px : int
        Background pixels to keep from other cells, diagonals included; at least 1.

    Returns
    -------
    Patch or None
        None if the cell would touch another one, or lies almost entirely outside.
    """
    height, width = outline.shape
    top, left = round(centre_yx[0]) - height // 2, round(centre_yx[1]) - width // 2
    y0, x0 = max(0, top), max(0, left)
    y1, x1 = min(labels.shape[0], top + height), min(labels.shape[1], left + width)
    if y1 <= y0 or x1 <= x0:
        return None
    inside = outline[y0 - top : y1 - top, x0 - left : x1 - left]
    if np.count_nonzero(inside) < FEWEST_PX:
        return None
    gap = max(1, gap_px)
    v0, u0 = max(0, y0 - gap), max(0, x0 - gap)
    around = labels[v0 : y1 + gap, u0 : x1 + gap]
    if around.any():
        wide = np.zeros(around.shape, np.uint8)
        wide[y0 - v0 : y1 - v0, x0 - u0 : x1 - u0] = inside
        if around[scipy.ndimage.maximum_filter(wide, 2 * gap + 1).view(bool)].any():
            return None
    before = labels[y0:y1, x0:x1].copy()
    after = before.copy()
    after[inside] = int(labels.max()) + 1 if label is None else label
    return Patch(y0, x0, before, after)


def place(
    labels: NDArray[Any],
    outline: NDArray[np.bool_],
    centre_yx: Point,
    *,
    label: int | None = None,
    gap_px: int = 1,
) -> Patch | None:
    """Write an outline into a label image if it fits; the parameters are those of :func:`fit`."""
    patch = fit(labels, outline, centre_yx, label=label, gap_px=gap_px)
    if patch is not None:
        patch.apply(labels)
    return patch
