"""Reading cells from files of other tools: one module per family of formats."""

from napari_pixcell.cells.reading.cells_file import CellsFile
from napari_pixcell.cells.reading.opening import read_cells

__all__ = ["CellsFile", "read_cells"]
