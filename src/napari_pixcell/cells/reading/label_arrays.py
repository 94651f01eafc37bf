"""Label images that come as arrays, from files of several formats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.layout import Report, count_cells, in_px
from napari_pixcell.cells.reading.gathering import CellsFile
from napari_pixcell.cells.reading.label_images import USUAL_MPP
from napari_pixcell.errors import PixCellError


def cells_of(
    name: str,
    values: NDArray[Any],
    mpp: float | None = None,
    classes: Mapping[int, str] | None = None,
    split_touching: bool = False,
) -> CellsFile:
    """Return the cells of a label image, or of a mask whose connected components are cells.

    Parameters
    ----------
    name : str
        Name of the file.
    values : array, (height, width)
    mpp : float, optional
        Pixel size in µm.
    classes : mapping, optional
        Class name of each label that has one.
    split_touching : bool
        Whether to split the components of a mask at their waists.

    Raises
    ------
    PixCellError
        If the array is not flat, or has negative or fractional values.
    """
    if values.ndim != 2 or not values.size:
        raise PixCellError(
            f"“{name}” holds {in_px(values.shape)}, not a flat label image. Export one plane."
        )
    if values.dtype.kind == "f":
        values = _whole(values)
    if values.dtype.kind not in "biu" or values.min() < 0:
        raise PixCellError(
            f"“{name}” has negative or fractional values. Export 0 for the background and one "
            "whole number for each cell."
        )
    if _is_mask(values):
        labels, classes = _components(values > 0, split_touching, mpp or USUAL_MPP), {}
    elif values.max() <= np.iinfo(np.int32).max:
        # Without a copy if possible, because slides are large
        labels = values.view(np.int32) if values.dtype == np.uint32 else values.astype(np.int32)
    else:
        found, number = np.unique(values, return_inverse=True)
        labels = (number.reshape(values.shape) + int(found[0] != 0)).astype(np.int32)
        classes = {}
    report = Report(count_cells(labels))
    return CellsFile(name, report, labels, None, classes or {}, labels.shape, mpp)


def _whole(values: NDArray[Any]) -> NDArray[Any]:
    """Return floats as integers if they are whole numbers, else as they are."""
    dtype = np.int32 if values.max() < 2**31 else np.int64
    whole = np.empty(values.shape, dtype)
    for row, out in zip(values, whole, strict=True):  # to bound memory
        if not (np.abs(row) < 2**62).all() or (row != np.round(row)).any():
            return values
        out[:] = row
    return whole


def _is_mask(values: NDArray[Any]) -> bool:
    top = values.max()
    return bool(top in (1, 255) and (values == 0).any() and ((values == 0) | (values == top)).all())


def _components(mask: NDArray[np.bool_], split_touching: bool, mpp: float) -> NDArray[np.int32]:
    if split_touching:
        from napari_pixcell.cells.segmentation import split

        return split(mask, mpp)
    from scipy import ndimage

    return np.asarray(ndimage.label(mask)[0], np.int32)
