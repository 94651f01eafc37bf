"""Layouts of cells: import, segment, render as a condition. No torch, no Qt."""

from importlib import import_module
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
    from napari_pixcell.cells.outlines import Outlines, outlines_of, rasterise
    from napari_pixcell.cells.reading import CellsFile, read_cells
    from napari_pixcell.cells.segmentation import segment_nuclei
    from napari_pixcell.cells.slide_cells import SlideCells, cells_for, put_on_slide
    from napari_pixcell.cells.writing import write_cellpose, write_geojson, write_labels

__all__ = [
    "MAX_CELLS",
    "CellsFile",
    "Outlines",
    "SlideCells",
    "advice",
    "cells_for",
    "check_layout",
    "condition_image",
    "count_cells",
    "describe",
    "import_layout",
    "outlines_of",
    "put_on_slide",
    "rasterise",
    "read_cells",
    "segment_nuclei",
    "write_cellpose",
    "write_geojson",
    "write_labels",
]

# Imported when first asked for: scikit-image, scipy and shapely take 0.3 s.
_LATE = {
    "segmentation": ("segment_nuclei",),
    "outlines": ("Outlines", "outlines_of", "rasterise"),
    "reading": ("CellsFile", "read_cells"),
    "slide_cells": ("SlideCells", "cells_for", "put_on_slide"),
    "writing": ("write_cellpose", "write_geojson", "write_labels"),
}


def __getattr__(name: str) -> Any:
    for module, names in _LATE.items():
        if name in names:
            return getattr(import_module(f"napari_pixcell.cells.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
