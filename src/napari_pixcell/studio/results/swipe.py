"""A divider over a variant: left of it what it is compared with, right of it the variant."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_pixcell.studio.results.results import Result

LINE = (47, 111, 223)
LARGEST = 4096  # px; composing more than that for each move of the mouse is no longer smooth


class Swipe:
    """Where the divider is, and what is left of it.

    Attributes
    ----------
    changed : Signal
        It moved, or was switched.
    on : bool
        Whether there is one.
    at : float
        Its place, 0 (left edge) to 1.
    left : Result or None
        The variant left of it; None is the tissue.
    """

    changed = Signal()

    def __init__(self) -> None:
        self.on = False
        self.at = 0.5
        self.left: Result | None = None

    def switch(self, on: bool, left: Result | None = None) -> None:
        """Show the divider, or take it away; ``left`` is a variant in place of the tissue."""
        self.on, self.left = on, left if on else None
        self.changed.emit()

    def move(self, at: float) -> None:
        """Put it somewhere else, 0 to 1."""
        at = min(1.0, max(0.0, at))
        if at != self.at:
            self.at = at
            self.changed.emit()

    def beside(self, result: Result) -> NDArray[np.uint8] | None:
        """Give what is left of the divider on a variant; None where there is nothing."""
        left = self.left
        fits = (
            left is not None
            and left is not result
            and left.target.number == result.target.number
            and isinstance(left.memory, np.ndarray)
        )
        return left.memory if left is not None and fits else result.target.pixels  # type: ignore[return-value]

    def why_not(self, result: Result | None) -> str:
        """Say why there can be no divider on a variant; empty if there can."""
        if result is None:
            return "Show a variant first."
        if max(result.shape[:2]) > LARGEST or not isinstance(result.memory, np.ndarray):
            return "A picture this large has no divider; hold H to see the original."
        if self.beside(result) is None:
            return "Its tissue is not at hand; hold H to see the original."
        return ""

    def words(self, result: Result) -> str:
        """Say what is on either side."""
        left = self.left
        shown = left is not None and self.beside(result) is left.memory
        return f"{f'seed {left.seed}' if left and shown else 'tissue'} | seed {result.seed}"


def compose(
    left: NDArray[np.uint8], right: NDArray[np.uint8], at: float, out: NDArray[np.uint8]
) -> None:
    """Put two pictures side by side in place, with a line between them.

    Parameters
    ----------
    left : array, uint8, (h, w, 3)
        Of the same region; of another size it is fitted by its nearest pixels.
    right, out : array, uint8, (height, width, 3)
    at : float
        Where the line is, 0 to 1.
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
