"""A swipe divider over a variant: left of it another picture, right of it the variant."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_pixcell.studio.results.results import Result

LINE = (47, 111, 223)
LARGEST = 4096  # px; larger pictures are not composed fast enough to follow the mouse


class Swipe:
    """State of the divider."""

    changed = Signal()  # the divider moved, or was switched on or off

    def __init__(self) -> None:
        self.on = False
        self.at = 0.5  # position of the divider, 0 (left edge) to 1
        self.left: Result | None = None  # variant on the left of it; None for the tissue

    def switch(self, on: bool, left: Result | None = None) -> None:
        self.on, self.left = on, left if on else None
        self.changed.emit()

    def move(self, at: float) -> None:
        """Move the divider to a position, 0 to 1."""
        at = min(1.0, max(0.0, at))
        if at != self.at:
            self.at = at
            self.changed.emit()

    def beside(self, result: Result) -> NDArray[np.uint8] | None:
        """Return the pixels on the left of a variant; None if there are none in memory."""
        left = self.left
        if (
            left is not None
            and left is not result
            and left.target.number == result.target.number
            and isinstance(left.memory, np.ndarray)
        ):
            return left.memory
        return result.target.pixels

    def why_not(self, result: Result | None) -> str:
        if result is None:
            return "Show a variant first."
        if max(result.shape[:2]) > LARGEST or not isinstance(result.memory, np.ndarray):
            return "The picture is too large for the divider. Hold H to see the original."
        if self.beside(result) is None:
            return "The tissue is not in memory. Hold H to see the original."
        return ""

    def words(self, result: Result) -> str:
        """Return the captions of both sides, such as “tissue | seed 7”."""
        left = self.left
        shown = left is not None and self.beside(result) is left.memory
        return f"{f'seed {left.seed}' if left and shown else 'tissue'} | seed {result.seed}"


def compose(
    left: NDArray[np.uint8], right: NDArray[np.uint8], at: float, out: NDArray[np.uint8]
) -> None:
    """Write two pictures side by side into ``out``, with a line between them.

    Parameters
    ----------
    left : array, uint8, (h, w, 3)
        Picture of the same region. It is resized by nearest neighbour if need be.
    right, out : array, uint8, (height, width, 3)
    at : float
        Position of the line, 0 to 1.
    """
    height, width = right.shape[:2]
    column = round(at * width)
    if left.shape != right.shape:
        rows = np.arange(height) * left.shape[0] // height
        left = left[rows[:, None], np.arange(width) * left.shape[1] // width]
    out[:, :column] = left[:, :column]
    out[:, column:] = right[:, column:]
    half = max(1, width // 400)
    out[:, max(0, column - half) : column + half] = LINE
