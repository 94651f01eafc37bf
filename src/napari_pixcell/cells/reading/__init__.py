"""Files of other tools to cells: one module for each family of formats."""

from napari_pixcell.cells.reading.cells_file import CellsFile
from napari_pixcell.cells.reading.opening import read_cells

__all__ = ["CellsFile", "read_cells"]
