"""Cells that were found beside cells that are there: which stay, which come, which are cut."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.errors import PixCellError

KEEPS = ("replace", "existing")
# A found cell of which more lies on cells that stay is the same cell, found again.
MOST_OVERLAP = 0.2
# A found cell that covers more of a rejected one, or is covered by it, is the same cell again.
SAME_CELL = 0.5
MOST_LABEL = int(np.iinfo(np.int32).max)


def combine(
    existing: NDArray[Any] | None,
    found: NDArray[Any],
    part: NDArray[np.bool_] | None = None,
    keep: str = "replace",
) -> tuple[NDArray[np.int32], int, int]:
    """Put the cells that were found into a layout.

    Cells that stay keep their labels and all of their pixels. Of a found cell, up to
    ``MOST_OVERLAP`` of its area on cells that stay is cut away; if there is more it is left out.

    Parameters
    ----------
    existing : array of integers, (height, width), optional
        Instance label image; 0 is background.
    found : array of integers, (height, width)
        What was found.
    part : array, bool, (height, width), optional
        Only cells whose centre of mass lies here come and go.
    keep : str
        ``replace``: the existing cells go, those of ``part`` where it is given. ``existing``: they
        stay.

    Returns
    -------
    labels : array, int32, (height, width)
        New cells are numbered above the existing ones, or from 1 where none stay.
    added, dropped : int
        How many of the found cells came, and how many were left out for cells that stay; those
        outside of ``part`` are neither.

    Raises
    ------
    PixCellError
        If a shape is another, or nothing of the part is marked.
    """
    if keep not in KEEPS:
        raise PixCellError(
            f"There is no way “{keep}” to combine cells; choose one of: {', '.join(KEEPS)}."
        )
    if existing is not None and existing.shape != found.shape:
        raise PixCellError(
            f"The layout is {_size(existing)} but cells were looked for in {_size(found)}; "
            "find them again."
        )
    if part is not None:
        check_part(part, found.shape)
    staying = _staying(existing, part, keep)
    came, numbers = _compact(found)
    area = np.bincount(came.ravel(), minlength=len(numbers))
    takes = area > 0 if part is None else _centred_in(came, len(numbers), part)
    takes[0] = False
    wanted = int(np.count_nonzero(takes))
    if staying is not None:
        covered = np.bincount(came[staying > 0], minlength=len(numbers))
        takes &= covered <= MOST_OVERLAP * area
    added = int(np.count_nonzero(takes))
    first = int(existing.max(initial=0)) + 1 if staying is not None and existing is not None else 1
    if first + added > MOST_LABEL:
        raise PixCellError(
            f"The layout's cells are numbered up to {first - 1:,}, and no number is left for new "
            "ones; save it as a label image and import that."
        )
    names = np.zeros(len(numbers), np.int32)
    names[takes] = np.arange(first, first + added)
    labels = names[came]
    if staying is not None:
        np.copyto(labels, staying, where=staying > 0)
    return labels, added, wanted - added


def check_part(part: NDArray[Any], shape: tuple[int, ...]) -> None:
    """Refuse a part in which no cell can be looked for.

    Raises
    ------
    PixCellError
        If it has another shape than the region's picture, or nothing of it is marked.
    """
    if part.shape != tuple(shape):
        wants = " × ".join(str(n) for n in shape[::-1])
        raise PixCellError(
            f"The marked part is {_size(part)} but the region is {wants} px; mark it again."
        )
    if not part.any():
        raise PixCellError(
            "Nothing is marked; paint over a part of the region, or look in the whole region."
        )


def without_small(labels: NDArray[np.int32], mpp: float, smallest_um2: float) -> NDArray[np.int32]:
    """Leave out cells of a smaller area than ``smallest_um2``; the others are numbered anew.

    Parameters
    ----------
    labels : array, int32, (height, width)
        Instance label image; 0 is background.
    mpp : float
        Its pixel size in µm.
    smallest_um2 : float
        In µm²; with 0 nothing is changed.
    """
    if smallest_um2 <= 0:
        return labels
    area = np.bincount(labels.ravel(), minlength=1) * mpp**2
    return _only(labels, area >= smallest_um2)


def without_rejected(labels: NDArray[Any], rejected: NDArray[Any]) -> NDArray[np.int32]:
    """Leave out cells that a user has rejected before; the others are numbered anew.

    A cell is taken for the same one if they share more than ``SAME_CELL`` of the smaller of the
    two: rejected cells stay away when their outlines grow or shrink.

    Parameters
    ----------
    labels : array of integers, (height, width)
        Instance label image; 0 is background.
    rejected : array of integers, (height, width)
        The rejected cells, each with a label of its own.
    """
    cells, numbers = _compact(labels)
    bad, bad_numbers = _compact(rejected)
    both = (cells > 0) & (bad > 0)
    pairs, shared = np.unique(
        cells[both].astype(np.int64) * len(bad_numbers) + bad[both], return_counts=True
    )
    cell, other = np.divmod(pairs, len(bad_numbers))
    area = np.bincount(cells.ravel(), minlength=len(numbers))
    bad_area = np.bincount(bad.ravel())
    same = shared > SAME_CELL * np.minimum(area[cell], bad_area[other])
    stays = area > 0
    stays[cell[same]] = False
    return _only(cells, stays)


def take_out(labels: NDArray[Any], gone: Iterable[int]) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """Give a label image without some of its cells, and these cells alone, numbered from 1 on."""
    wanted = np.array(sorted({label for label in gone if label > 0}), np.int64)
    away = np.isin(labels, wanted)
    taken = np.zeros(labels.shape, np.int32)
    taken[away] = np.searchsorted(wanted, labels[away]) + 1
    return np.where(away, labels.dtype.type(0), labels), taken


def _staying(
    existing: NDArray[Any] | None, part: NDArray[np.bool_] | None, keep: str
) -> NDArray[Any] | None:
    """Give the existing cells that stay, under their labels; None where none do."""
    if existing is None or (keep == "replace" and part is None) or not existing.any():
        return None
    if keep == "existing" or part is None:
        return existing
    cells, numbers = _compact(existing)
    goes = _centred_in(cells, len(numbers), part)
    goes[0] = True
    return None if goes.all() else np.where(goes[cells], 0, existing)


def _only(labels: NDArray[Any], stays: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Leave out labels from 0 to n that do not stay, and number the others from 1 on."""
    stays[0] = False
    names = np.zeros(len(stays), np.int32)
    names[stays] = np.arange(1, np.count_nonzero(stays) + 1)
    return names[labels]


def _compact(labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Give labels as numbers from 0 to n, and which label each number stands for.

    Labels that are small enough already are given as they are: then some numbers have no pixel.
    """
    lowest, highest = int(labels.min(initial=0)), int(labels.max(initial=0))
    if lowest >= 0 and highest <= max(1024, labels.size):
        return labels, np.arange(highest + 1)
    numbers, order = np.unique(np.append(0, labels.ravel()), return_inverse=True)
    if numbers[0] < 0:
        raise PixCellError(
            "The layout holds negative labels; give each cell one positive number, and the "
            "background 0."
        )
    return order[1:].reshape(labels.shape), numbers


def _centred_in(cells: NDArray[Any], count: int, part: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether the centre of mass of each of ``count`` labels lies in a part, in one pass."""
    y, x = np.nonzero(cells)
    which = cells[y, x]
    area = np.bincount(which, minlength=count)
    there = area > 0
    rows, columns = (
        np.rint(np.bincount(which, at, minlength=count)[there] / area[there]).astype(np.intp)
        for at in (y, x)
    )
    inside = np.zeros(count, bool)
    inside[there] = part[rows, columns]
    return inside


def _size(array: NDArray[Any]) -> str:
    return " × ".join(str(n) for n in array.shape[::-1]) + " px"
