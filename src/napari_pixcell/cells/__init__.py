"""Layouts of cells: import, segment, render as a condition. No torch, no Qt."""

from napari_pixcell.cells.importing import import_layout
from napari_pixcell.cells.layout import (
    MAX_CELLS,
    check_layout,
    condition_image,
    count_cells,
    describe,
)
from napari_pixcell.cells.segmentation import segment_nuclei

__all__ = [
    "MAX_CELLS",
    "check_layout",
    "condition_image",
    "count_cells",
    "describe",
    "import_layout",
    "segment_nuclei",
]
