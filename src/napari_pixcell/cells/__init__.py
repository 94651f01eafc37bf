"""Layouts of cells: import, segment, render as a condition. No torch, no Qt."""

from typing import TYPE_CHECKING, Any

from napari_pixcell.cells.importing import import_layout
from napari_pixcell.cells.layout import (
    MAX_CELLS,
    advice,
    check_layout,
    condition_image,
    count_cells,
    describe,
)

if TYPE_CHECKING:
    from napari_pixcell.cells.segmentation import segment_nuclei

__all__ = [
    "MAX_CELLS",
    "advice",
    "check_layout",
    "condition_image",
    "count_cells",
    "describe",
    "import_layout",
    "segment_nuclei",
]


def __getattr__(name: str) -> Any:
    """Import the segmentation when it is first asked for: scikit-image and scipy take 0.2 s."""
    if name != "segment_nuclei":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from napari_pixcell.cells.segmentation import segment_nuclei

    return segment_nuclei
