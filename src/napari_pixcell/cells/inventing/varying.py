"""Variations of a layout: cells moved slightly, dropped or added."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from napari_pixcell.cells.editing import place
from napari_pixcell.cells.inventing.invent import REPORT_EVERY, OnProgress
from napari_pixcell.cells.inventing.measuring import CellShapes, cell_shapes
from napari_pixcell.cells.inventing.recipe import check_seed
from napari_pixcell.cells.inventing.stamps import StampLibrary
from napari_pixcell.cells.layout import MAX_CELLS
from napari_pixcell.errors import PixCellError, check_range
from napari_pixcell.words import counted

MOVES = 6  # tries to move a cell, each half as far as the previous one
ADDITIONS = 24  # tries to find room for a new cell
LARGEST_JITTER_UM = 50.0
MOST_ADDED = 5.0


@dataclass(frozen=True)
class Varied:
    """A variation of a layout.

    Parameters
    ----------
    labels : instance label image, int32, (height, width)
    dropped, added, wanted : int
        Number of cells dropped and added, and number that should have been added.
    """

    labels: NDArray[np.int32]
    dropped: int
    added: int
    wanted: int

    def __str__(self) -> str:
        dropped = f"{counted(self.dropped, 'cell')} dropped"
        if self.added == self.wanted:
            return f"{dropped}, {self.added:,} added."
        return (
            f"{dropped}, {self.added:,} of {self.wanted:,} added; there is no room for the rest. "
            "Add fewer cells, or drop more."
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
    """Return a variation of a layout.

    Cells keep their labels, and new ones are numbered from the largest. Cells cut by the border
    are not moved, because their other part is unknown. A moved or added cell keeps a gap of one
    pixel. Without room, a cell stays in its old position or is not added.

    Parameters
    ----------
    labels : array, (height, width)
        Instance label image; not modified.
    mpp : float, µm per pixel
    seed : int
        The same seed gives the same variation.
    jitter_um : float
        Standard deviation of each cell's displacement along y and x, 0 to 50 µm.
    drop : float
        Share of cells to drop, 0 to 1.
    add : float
        Cells to add, relative to the existing ones, 0 to 5. They have the shapes, sizes and
        distances of the existing cells.
    on_progress : callable, optional
        Called with the number of cells processed and of all cells. It may raise to cancel.

    Raises
    ------
    PixCellError
        If a value is out of range, or there would be more than ``MAX_CELLS`` cells.
    """
    check_range("jitter", jitter_um, 0, LARGEST_JITTER_UM, " µm")
    check_range("share of cells to drop", 100 * drop, 0, 100, " %")
    check_range("share of cells to add", 100 * add, 0, 100 * MOST_ADDED, " %")
    check_seed(seed)
    shapes = cell_shapes(labels, mpp)
    count = len(shapes)
    added = round(add * count)
    if count + added > MAX_CELLS:
        raise PixCellError(
            f"The variation would have {count + added:,} cells, more than {MAX_CELLS:,}. Add fewer."
        )
    rng = np.random.default_rng(seed)
    gone = rng.permutation(count)[: round(drop * count)]
    result = np.where(np.isin(labels, shapes.labels[gone]), 0, labels).astype(np.int32)
    kept = np.setdiff1d(np.arange(count), gone)
    moved = rng.permutation(kept[~shapes.cut[kept]]) if jitter_um else kept[:0]
    total, placed = len(moved) + added, 0
    on_progress(0, total)
    if len(moved):
        _move(result, shapes, moved, jitter_um / mpp, rng, lambda done: on_progress(done, total))
    if added:
        library = StampLibrary.from_layout(labels, mpp)

        def on_added(done: int) -> None:
            on_progress(len(moved) + done, total)

        placed = _add(result, shapes, library, added, mpp, rng, on_added)
    return Varied(result, len(gone), placed, added)


def _move(
    labels: NDArray[np.int32],
    shapes: CellShapes,
    rows: NDArray[np.int64],
    jitter_px: float,
    rng: np.random.Generator,
    on_done: Callable[[int], None],
) -> None:
    """Move cells one after another; each may use the room that others left."""
    where: Any = ndimage.find_objects(_dense(labels, shapes.labels))
    for done, row in enumerate(rows):
        if done % REPORT_EVERY == 0:
            on_done(done)
        number = int(shapes.labels[row])
        box = where[row]
        outline = labels[box] == number
        height, width = outline.shape
        # Pad the box to odd sides, so that its middle is a pixel.
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
    """Return the label image with the row of each cell, from 1, as its label."""
    rows = np.searchsorted(numbers, labels) + 1
    return np.where(labels > 0, rows, 0).astype(np.int32)


def _inside(at: NDArray[np.int64], size: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether a box around ``at`` lies in the image, so that a moved cell is not cut."""
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
    """Add cells at about the nearest-neighbour distance from others; return the number added."""
    points = np.stack([shapes.y_um, shapes.x_um], axis=1)
    distance = max(mpp, float(np.sqrt(labels.size * mpp**2 / len(points)) / 2))
    if len(points) > 1:
        distance = float(np.median(cKDTree(points).query(points, 2)[0][:, 1]))
    first = number = int(max(labels.max(), shapes.labels.max()))
    for done in range(count):
        if done % REPORT_EVERY == 0:
            on_done(done)
        for _ in range(ADDITIONS):
            stamp = int(rng.integers(len(library)))
            turn = rng.uniform(0, 2 * np.pi)
            far = distance * rng.uniform(0.8, 2.0)
            offset = far * np.array((np.sin(turn), np.cos(turn)))
            at = (points[rng.integers(len(points))] + offset) / mpp
            if not ((at >= 0).all() and (at <= np.array(labels.shape) - 1).all()):
                continue
            outline = library.draw(stamp, mpp, mirrored=bool(rng.integers(2)))
            if place(labels, outline, (float(at[0]), float(at[1])), label=number + 1):
                number += 1
                break
    return number - first
