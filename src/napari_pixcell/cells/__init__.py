"""Layouts of cells: reading, segmenting, editing, stamping, inventing. No torch, no Qt."""

from typing import TYPE_CHECKING

from napari_pixcell.cells.inventing.recipe import Recipe
from napari_pixcell.cells.layout import (
    MAX_CELLS,
    advice,
    check_layout,
    condition_image,
    count_cells,
    describe,
)
from napari_pixcell.late import late

if TYPE_CHECKING:
    from napari_pixcell.cells.inventing.invent import Invented, invent
    from napari_pixcell.cells.inventing.measuring import measure
    from napari_pixcell.cells.inventing.scatter import Scatter
    from napari_pixcell.cells.inventing.stamps import StampLibrary, default_library
    from napari_pixcell.cells.inventing.varying import vary
    from napari_pixcell.cells.outlines import Outlines, outlines_of, rasterise
    from napari_pixcell.cells.reading.gathering import CellsFile
    from napari_pixcell.cells.reading.opening import read_cells
    from napari_pixcell.cells.segmentation import segment_nuclei
    from napari_pixcell.cells.slide_cells import SlideCells, cells_for, put_on_slide
    from napari_pixcell.cells.writing import (
        export_layout,
        write_cellpose,
        write_geojson,
        write_labels,
    )

__all__ = [
    "MAX_CELLS",
    "CellsFile",
    "Invented",
    "Outlines",
    "Recipe",
    "Scatter",
    "SlideCells",
    "StampLibrary",
    "advice",
    "cells_for",
    "check_layout",
    "condition_image",
    "count_cells",
    "default_library",
    "describe",
    "export_layout",
    "invent",
    "measure",
    "outlines_of",
    "put_on_slide",
    "rasterise",
    "read_cells",
    "segment_nuclei",
    "vary",
    "write_cellpose",
    "write_geojson",
    "write_labels",
]

# Imported on first use, because scikit-image, scipy and shapely take 0.3 s.
__getattr__ = late(
    __name__,
    {
        "inventing.invent": ("Invented", "invent"),
        "inventing.measuring": ("measure",),
        "outlines": ("Outlines", "outlines_of", "rasterise"),
        "reading.gathering": ("CellsFile",),
        "reading.opening": ("read_cells",),
        "inventing.scatter": ("Scatter",),
        "segmentation": ("segment_nuclei",),
        "slide_cells": ("SlideCells", "cells_for", "put_on_slide"),
        "inventing.stamps": ("StampLibrary", "default_library"),
        "inventing.varying": ("vary",),
        "writing": ("export_layout", "write_cellpose", "write_geojson", "write_labels"),
    },
)
