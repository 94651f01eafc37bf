"""Small, undoable changes of a layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


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
