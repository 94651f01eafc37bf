"""Combining segmented cells with those of a layout: which are kept, added, cut or dropped."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.layout import in_px
from napari_pixcell.errors import PixCellError

KEEPS = ("replace", "existing")
MOST_OVERLAP = 0.2  # share of a new cell on kept cells, above which it is the same cell again
SAME_CELL = 0.5  # shared part of the smaller cell, above which two cells are the same
Mask = NDArray[np.bool_]
MOST_LABEL = int(np.iinfo(np.int32).max)


def combine(
    existing: NDArray[Any] | None,
    found: NDArray[Any],
    part: Mask | None = None,
    keep: str = "replace",
) -> tuple[NDArray[np.int32], int, int]:
    """Merge segmented cells into a layout.

    Kept cells retain their labels and all of their pixels. A new cell is cut where it overlaps
    kept cells. It is dropped if more than ``MOST_OVERLAP`` of its area overlaps them.

    Parameters
    ----------
    existing : array of integers, (height, width), optional
        Instance label image; 0 is background.
    found : array of integers, (height, width)
        Instance label image of the segmented cells.
    part : array, bool, (height, width), optional
        Restricts the change to cells whose centre of mass lies in this mask.
    keep : str
        ``replace`` removes the existing cells (within ``part``, if given). ``existing`` keeps
        them.

    Returns
    -------
    labels : array, int32, (height, width)
        New cells are numbered above the existing ones, or from 1 if none are kept.
    added, dropped : int
        Number of new cells added, and of those dropped in favour of kept cells. Cells outside
        ``part`` count as neither.

    Raises
    ------
    PixCellError
        If shapes differ or ``part`` is empty.
    """
    if keep not in KEEPS:
        raise PixCellError(
            f"“{keep}” is not a way to combine cells. Choose one of: {', '.join(KEEPS)}."
        )
    if existing is not None and existing.shape != found.shape:
        raise PixCellError(
            f"The layout is {in_px(existing.shape)} but the segmentation is {in_px(found.shape)}. "
            "Segment the region again."
        )
    if part is not None:
        check_part(part, found.shape)
    kept = _kept(existing, part, keep)
    new, numbers = _compact(found)
    area = np.bincount(new.ravel(), minlength=len(numbers))
    accepted = area > 0 if part is None else _centred_in(new, len(numbers), part)
    accepted[0] = False
    candidates = int(np.count_nonzero(accepted))
    if kept is not None:
        covered = np.bincount(new[kept > 0], minlength=len(numbers))
        accepted &= covered <= MOST_OVERLAP * area
    added = int(np.count_nonzero(accepted))
    first = int(existing.max(initial=0)) + 1 if kept is not None and existing is not None else 1
    if first + added > MOST_LABEL:
        raise PixCellError(
            f"The layout's cells are numbered up to {first - 1:,}, which leaves no numbers for new "
            "ones. Save it as a label image and import that."
        )
    names = np.zeros(len(numbers), np.int32)
    names[accepted] = np.arange(first, first + added)
    labels = names[new]
    if kept is not None:
        np.copyto(labels, kept, where=kept > 0)
    return labels, added, candidates - added


def check_part(part: NDArray[Any], shape: tuple[int, ...]) -> None:
    """Check the mask that restricts segmentation to part of a region.

    Raises
    ------
    PixCellError
        If its shape differs from the region's, or it is empty.
    """
    if part.shape != tuple(shape):
        raise PixCellError(
            f"The marked area is {in_px(part.shape)} but the region is {in_px(shape)}. Mark it "
            "again."
        )
    if not part.any():
        raise PixCellError(
            "No area is marked. Paint over part of the region, or segment the whole region."
        )


def within_sizes(
    labels: NDArray[np.int32], mpp: float, smallest_um2: float, largest_um2: float | None = None
) -> NDArray[np.int32]:
    """Return a layout without cells that are too small or too large, renumbered without gaps.

    Parameters
    ----------
    labels : instance label image, int32, (height, width)
    mpp : float, µm per pixel
    smallest_um2 : float
        Smallest area to keep, in µm²; 0 for no limit.
    largest_um2 : float, optional
        Largest area to keep, in µm². Default: no limit.
    """
    if smallest_um2 <= 0 and largest_um2 is None:
        return labels
    area = np.bincount(labels.ravel(), minlength=1) * mpp**2
    return _only(labels, (area >= smallest_um2) & (area <= (largest_um2 or np.inf)))


def without_rejected(labels: NDArray[Any], rejected: NDArray[Any]) -> NDArray[np.int32]:
    """Return a layout without cells that the user has rejected before, renumbered without gaps.

    Two cells are the same if they share more than ``SAME_CELL`` of the smaller one, so rejected
    cells do not return when their outlines grow or shrink.

    Parameters
    ----------
    labels, rejected : array of integers, (height, width)
        Instance label images of the cells and of the rejected ones; 0 is background.
    """
    cells, numbers = _compact(labels)
    bad, bad_numbers = _compact(rejected)
    both = (cells > 0) & (bad > 0)
    pairs = cells[both].astype(np.int64) * len(bad_numbers) + bad[both]
    pairs, shared = np.unique(pairs, return_counts=True)
    cell, other = np.divmod(pairs, len(bad_numbers))
    area = np.bincount(cells.ravel(), minlength=len(numbers))
    bad_area = np.bincount(bad.ravel())
    same = shared > SAME_CELL * np.minimum(area[cell], bad_area[other])
    stays = area > 0
    stays[cell[same]] = False
    return _only(cells, stays)


def take_out(labels: NDArray[Any], gone: Iterable[int]) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """Return a label image without some cells, and one of these cells only, numbered from 1."""
    wanted = np.array(sorted({label for label in gone if label > 0}), np.int64)
    away = np.isin(labels, wanted)
    taken = np.zeros(labels.shape, np.int32)
    taken[away] = np.searchsorted(wanted, labels[away]) + 1
    return np.where(away, labels.dtype.type(0), labels), taken


def _kept(existing: NDArray[Any] | None, part: Mask | None, keep: str) -> NDArray[Any] | None:
    """Return the existing cells to keep, with their labels, or None if there are none."""
    if existing is None or (keep == "replace" and part is None) or not existing.any():
        return None
    if keep == "existing" or part is None:
        return existing
    cells, numbers = _compact(existing)
    goes = _centred_in(cells, len(numbers), part)
    goes[0] = True
    return None if goes.all() else np.where(goes[cells], 0, existing)


def _only(labels: NDArray[Any], stays: Mask) -> NDArray[np.int32]:
    """Return only the labels marked in ``stays``, renumbered from 1."""
    stays[0] = False
    names = np.zeros(len(stays), np.int32)
    names[stays] = np.arange(1, np.count_nonzero(stays) + 1)
    return np.asarray(names[labels])


def _compact(labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return labels as numbers from 0 to n, and the label of each number.

    Labels that are small enough are returned unchanged; then some numbers have no pixels.
    """
    lowest, highest = int(labels.min(initial=0)), int(labels.max(initial=0))
    if lowest >= 0 and highest <= max(1024, labels.size):
        return labels, np.arange(highest + 1)
    numbers, order = np.unique(np.append(0, labels.ravel()), return_inverse=True)
    if numbers[0] < 0:
        raise PixCellError(
            "The layout has negative labels. Use one positive number per cell, and 0 for the "
            "background."
        )
    return order[1:].reshape(labels.shape), numbers


def _centred_in(cells: NDArray[Any], count: int, part: Mask) -> Mask:
    """Whether the centre of mass of each of ``count`` labels lies in a mask."""
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
