"""A layout as a whole: its label image, and all that is known about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from napari_pixcell.cells.methods import LayoutSource


@dataclass(frozen=True, eq=False)
class Cells:
    """A layout as a whole."""

    labels: NDArray[Any]  # (height, width): instance label image; 0 is background
    origin: str = ""  # how it was made, in words
    source: LayoutSource | None = None  # the same, for records
    classes: dict[int, str] = field(default_factory=dict)  # class names by label, where known
