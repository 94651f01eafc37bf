"""Variations of one layout: cells moved a little, some dropped, some added."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from napari_pixcell.cells.inventing.invent import TOLD_EVERY, OnProgress
from napari_pixcell.cells.inventing.placing import place
from napari_pixcell.cells.inventing.recipe import check_seed
from napari_pixcell.cells.inventing.shapes import CellShapes, cell_shapes
from napari_pixcell.cells.inventing.stamps import StampLibrary
from napari_pixcell.cells.layout import MAX_CELLS
from napari_pixcell.errors import PixCellError

MOVES = 6  # tries to move one cell, each by half of the one before
ADDITIONS = 24  # tries to find room for one
LARGEST_JITTER_UM = 50.0
MOST_ADDED = 5.0


@dataclass(frozen=True)
class Varied:
    """A variation of a layout.

    Parameters
    ----------
    labels : array, int32, (height, width)
        Instance label image.
    dropped, added, wanted : int
        Cells that were left out, that came, and that should have come.
    """

    labels: NDArray[np.int32]
    dropped: int
    added: int
    wanted: int

    def __str__(self) -> str:
        dropped = f"{self.dropped:,} cell{'' if self.dropped == 1 else 's'} left out"
        if self.added == self.wanted:
            return f"{dropped}, {self.added:,} added."
        return (
            f"{dropped}, {self.added:,} of {self.wanted:,} added; the rest found no room: add "
            "fewer, or leave out more."
        )


def vary(
    labels: NDArray[Any],
    mpp: float,
    seed: int,
    jitter_um: float = 0.0,
    drop: float = 0.0,
    add: float = 0.0,
    on_progress: OnProgress = lambda done, total: None,
) -> Varied:
    """Make a variation of a layout.

    Cells keep their numbers; those that are added go on from the largest. Cells that the border
    cuts are not moved, as nobody knows their other part. A moved or added cell keeps a pixel to
    every other; one that finds no room stays where it was, or is not added.

    Parameters
    ----------
    labels : array, (height, width)
        Instance label image; not changed.
    mpp : float
        Its pixel size in µm.
    seed : int
        The same seed gives the same variation.
    jitter_um : float
        Standard deviation of each cell's move along y and x, 0 to 50.
    drop : float
        Part of the cells to leave out, 0 to 1.
    add : float
        Cells to add, as a part of those there are, 0 to 5; shaped and sized like these, and
        scattered about as far from them as they are from each other.
    on_progress : callable, optional
        Called with the number of cells that were moved or added and of all. What it raises ends
        the work.

    Returns
    -------
    Varied
        With fewer cells added than asked for where there is no room for them.

    Raises
    ------
    PixCellError
        If a value is out of range, or there would be more than 65,535 cells.
    """
    _check(jitter_um, drop, add)
    check_seed(seed)
    shapes = cell_shapes(labels, mpp)
    count = len(shapes)
    added = round(add * count)
    if count + added > MAX_CELLS:
        raise PixCellError(
            f"The variation would have {count + added:,} cells, more than {MAX_CELLS:,}; add fewer."
        )
    rng = np.random.default_rng(seed)
    gone = rng.permutation(count)[: round(drop * count)]
    result = _without(labels, shapes.labels[gone])
    kept = np.setdiff1d(np.arange(count), gone)
    moved = rng.permutation(kept[~shapes.cut[kept]]) if jitter_um else kept[:0]
    total, came = len(moved) + added, 0
    on_progress(0, total)
    if len(moved):
        _move(result, shapes, moved, jitter_um / mpp, rng, lambda done: on_progress(done, total))
    if added:
        library = StampLibrary.from_layout(labels, mpp)
        came = _add(
            result,
            shapes,
            library,
            added,
            mpp,
            rng,
            lambda done: on_progress(len(moved) + done, total),
        )
    return Varied(result, len(gone), came, added)


def _without(labels: NDArray[Any], numbers: NDArray[np.int64]) -> NDArray[np.int32]:
    return np.where(np.isin(labels, numbers), 0, labels).astype(np.int32)


def _move(
    labels: NDArray[np.int32],
    shapes: CellShapes,
    rows: NDArray[np.int64],
    jitter_px: float,
    rng: np.random.Generator,
    on_done: Callable[[int], None],
) -> None:
    """Move cells one after the other; each may take the room that others left."""
    where: Any = ndimage.find_objects(_dense(labels, shapes.labels))
    for done, row in enumerate(rows):
        if done % TOLD_EVERY == 0:
            on_done(done)
        number = int(shapes.labels[row])
        box = where[row]
        outline = labels[box] == number
        height, width = outline.shape
        # An odd box, so that its middle is a pixel.
        outline = np.pad(outline, ((0, 1 - height % 2), (0, 1 - width % 2)))
        middle = np.array([box[0].start + height // 2, box[1].start + width // 2])
        labels[box][outline[:height, :width]] = 0
        offset = rng.normal(0, jitter_px, 2)
        for attempt in range(MOVES):
            at = np.rint(middle + offset / 2**attempt).astype(int)
            if _inside(at, outline.shape, labels.shape) and place(
                labels, outline, (int(at[0]), int(at[1])), label=number
            ):
                break
        else:
            labels[box][outline[:height, :width]] = number


def _dense(labels: NDArray[np.int32], numbers: NDArray[np.int64]) -> NDArray[np.int32]:
    """Give the label image with each cell's row, from 1, as its number."""
    rows = np.searchsorted(numbers, labels) + 1
    return np.where(labels > 0, rows, 0).astype(np.int32)


def _inside(at: NDArray[np.int64], size: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether a box around a middle lies in the picture: a moved cell is not cut."""
    half = np.array(size) // 2
    return bool((at - half >= 0).all() and (at + half < shape).all())


def _add(
    labels: NDArray[np.int32],
    shapes: CellShapes,
    library: StampLibrary,
    count: int,
    mpp: float,
    rng: np.random.Generator,
    on_done: Callable[[int], None],
) -> int:
    """Add cells beside others, as far away as these are from their nearest; how many came."""
    points = np.stack([shapes.y_um, shapes.x_um], axis=1)
    distance = max(mpp, float(np.sqrt(labels.size * mpp**2 / len(points)) / 2))
    if len(points) > 1:
        distance = float(np.median(cKDTree(points).query(points, 2)[0][:, 1]))
    first = number = int(max(labels.max(), shapes.labels.max()))
    for done in range(count):
        if done % TOLD_EVERY == 0:
            on_done(done)
        for _ in range(ADDITIONS):
            stamp = int(rng.integers(len(library)))
            turn = rng.uniform(0, 2 * np.pi)
            far = distance * rng.uniform(0.8, 2.0)
            centre = points[rng.integers(len(points))] + far * np.array(
                (np.sin(turn), np.cos(turn))
            )
            at = centre / mpp
            if not ((at >= 0).all() and (at <= np.array(labels.shape) - 1).all()):
                continue
            outline = library.draw(stamp, mpp, mirrored=bool(rng.integers(2)))
            if place(labels, outline, (float(at[0]), float(at[1])), label=number + 1):
                number += 1
                break
    return number - first


def _check(jitter_um: float, drop: float, add: float) -> None:
    if not 0 <= jitter_um <= LARGEST_JITTER_UM:
        raise PixCellError(
            f"The jitter is {jitter_um:g} µm; choose from 0 to {LARGEST_JITTER_UM:g} µm."
        )
    if not 0 <= drop <= 1:
        raise PixCellError(f"The part to drop is {drop:.0%}; choose from 0 to 100 %.")
    if not 0 <= add <= MOST_ADDED:
        raise PixCellError(f"The part to add is {add:.0%}; choose from 0 to {MOST_ADDED:.0%}.")
