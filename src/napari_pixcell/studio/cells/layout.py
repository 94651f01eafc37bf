"""A layout as a whole: its label image, and all that is known about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from napari_pixcell.cells.methods import LayoutSource


@dataclass(frozen=True, eq=False)
class Cells:
    """A layout as a whole.

    Parameters
    ----------
    labels : array, (height, width)
        Instance label image; 0 is background.
    origin : str
        How it was made, in words.
    source : LayoutSource, optional
        The same, for records.
    classes : dict of int to str
        Class names by label, where known.
    """

    labels: NDArray[Any]
    origin: str = ""
    source: LayoutSource | None = None
    classes: dict[int, str] = field(default_factory=dict)
