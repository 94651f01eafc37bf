"""A layout from a file that has exactly the region's size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.layout import check_layout
from napari_pixcell.errors import PixCellError


def import_layout(path: Path | str, shape: tuple[int, int]) -> NDArray[np.uint32]:
    """Read the cells of a picture as a layout.

    Where the slide and the region are known, :func:`napari_pixcell.cells.slide_cells.cells_for`
    also takes what has another size.

    Parameters
    ----------
    path : Path or str
        Any file that :func:`napari_pixcell.cells.reading.read_cells` reads.
    shape : (height, width)
        What the region needs.

    Returns
    -------
    array, uint32, (height, width)

    Raises
    ------
    PixCellError
        If it cannot be read, is no label image, or is of no use as a layout.
    """
    from napari_pixcell.cells.outlines import rasterise
    from napari_pixcell.cells.reading import read_cells

    file = read_cells(path)
    labels = file.labels
    if labels is None:
        if file.shape is None:
            raise PixCellError(
                f"{file.name} has outlines without the size of their picture; import them where "
                "the slide is open."
            )
        labels = rasterise(file.as_outlines(), file.shape)[0]
    check_layout(labels, shape)
    return labels.astype(np.uint32)
