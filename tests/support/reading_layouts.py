"""A file of cells read as the layout of a region of its size."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_pixcell.cells import cells_for, read_cells
from napari_pixcell.slides import Region


def read_layout(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """Give the layout, int32, where region and slide are (height, width) px."""
    region = Region(0, 0, shape[1], shape[0])
    return cells_for(read_cells(path), region, shape, shape, 0.5)[0]
