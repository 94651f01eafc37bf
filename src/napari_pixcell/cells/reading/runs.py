"""COCO's run-length masks, checked and decoded."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.reading import limits

BITS, LONGEST = 5, 7  # of a character, and characters of a number
FIRST, MORE, SIGN = 48, 32, 16  # character of 0; bits of a continued and of a negative number


def runs_of(value: dict[str, Any]) -> Run:
    """Return the runs of a run-length mask, of which an empty one has none.

    Raises
    ------
    ValueError, TypeError, KeyError or OverflowError
        If the mask is damaged: the runs do not add up to its size.
    PixCellError
        If it is too large.
    """
    height, width = (int(n) for n in value["size"])
    limits.check_pixels("A run-length mask", (height, width))
    counts = value["counts"]
    if isinstance(counts, str):
        lengths = _of_text(counts)
    else:
        lengths = np.array([int(n) for n in counts], np.int64)
    pixels = height * width
    if min(height, width) < 1 or not len(lengths):
        raise ValueError("the mask is empty")
    if lengths.min() < 0 or lengths.max() > pixels or lengths.sum() != pixels:
        raise ValueError("the runs do not fit the size")
    ends = np.cumsum(lengths)
    stops = ends[1::2]  # background and cell alternate
    starts = ends[::2][: len(stops)]
    some = stops > starts
    return Run((height, width), starts[some], stops[some])


def _of_text(text: str) -> NDArray[np.int64]:
    """Return the runs that pycocotools stores as text.

    Each number is a series of characters of five bits, the lowest first. From the fourth on it
    is the difference to the number two before.
    """
    codes = np.frombuffer(text.encode("latin1"), np.uint8).astype(np.int64) - FIRST
    if not len(codes) or codes.min() < 0 or codes.max() >= 2 * MORE or codes[-1] & MORE:
        raise ValueError("the text is not complete")
    ends = np.flatnonzero(codes & MORE == 0)
    starts = np.concatenate(([0], ends[:-1] + 1))
    length = ends - starts + 1
    if length.max() > LONGEST:
        raise ValueError("a number is too large")
    place = np.arange(len(codes)) - np.repeat(starts, length)
    numbers = np.add.reduceat((codes & (MORE - 1)) << (BITS * place), starts)
    numbers -= np.where(codes[ends] & SIGN, np.int64(1) << (BITS * length), 0)
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return numbers


class Run(NamedTuple):
    """The runs of a cell in an image of (height, width), numbered down the columns."""

    size: tuple[int, int]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]

    @property
    def columns(self) -> tuple[int, int]:
        """The first column with a part of the cell, and the one after the last."""
        height = self.size[0]
        return int(self.starts[0]) // height, int(self.stops[-1] - 1) // height + 1

    @property
    def pixels(self) -> int:
        """Number of pixels that :meth:`crop` unpacks."""
        left, right = self.columns
        return (right - left) * self.size[0]

    def crop(self) -> tuple[NDArray[np.uint8], int, int]:
        """Return the part of the image that holds the cell, with its left and top."""
        (left, right), height = self.columns, self.size[0]
        changes = np.zeros((right - left) * height + 1, np.int8)
        changes[self.starts - left * height] += 1
        changes[self.stops - left * height] -= 1
        slab = np.cumsum(changes[:-1], dtype=np.int8).reshape(right - left, height).T
        rows = np.flatnonzero(slab.any(axis=1))
        top = int(rows[0])
        return slab[top : rows[-1] + 1].astype(np.uint8), left, top
