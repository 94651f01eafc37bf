"""Layouts from label images on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.layout import check_layout
from napari_pixcell.errors import PixCellError


def import_layout(path: Path | str, shape: tuple[int, int]) -> NDArray[np.uint32]:
    """Read a label image as a layout.

    A picture of two values (such as 0 and 255) is taken as a mask and cut into its connected
    parts; otherwise each value is one cell.

    Parameters
    ----------
    path : Path or str
        TIFF, PNG or NPY.
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
    path = Path(path)
    values = np.squeeze(_read(path))
    if values.ndim == 3 and values.shape[-1] in (3, 4):
        if not (values[..., :3] == values[..., :1]).all():
            raise PixCellError(
                f"{path.name} is a colour picture, not a label image; export the mask with one "
                "number for each cell, or black and white."
            )
        values = values[..., 0]
    if not (np.issubdtype(values.dtype, np.integer) or values.dtype == bool):
        if not np.isfinite(values).all() or (values != np.round(values)).any():
            raise PixCellError(
                f"{path.name} holds fractions, not labels; export the mask with one whole number "
                "for each cell."
            )
        values = values.astype(np.int64)
    if values.size and values.min() < 0:
        raise PixCellError(
            f"{path.name} holds negative numbers; export the mask with 0 for the background and "
            "one positive number for each cell."
        )
    check_layout(values, shape)
    if len(np.unique(values)) == 2 and values.max() in (1, 255):
        from scipy import ndimage  # the dock's start does not wait for it

        values = ndimage.label(values)[0]
    check_layout(values, shape)
    return values.astype(np.uint32)


def _read(path: Path) -> NDArray[Any]:
    if not path.is_file():
        raise PixCellError(f"There is no file {path.name}; check its path.")
    try:
        match path.suffix.lower():
            case ".npy":
                return np.asarray(np.load(path, allow_pickle=False))
            case ".tif" | ".tiff":
                from tifffile import imread

                return np.asarray(imread(path))
            case _:
                from PIL import Image

                with Image.open(path) as image:
                    return np.asarray(image)
    except Exception as error:  # each library has errors of its own for a damaged file
        raise PixCellError(
            f"{path.name} cannot be read as a label image; use a TIFF, PNG or NPY file."
        ) from error
