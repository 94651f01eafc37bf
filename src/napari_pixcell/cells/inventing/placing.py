"""Place an outline on a label image without touching other cells."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_pixcell.cells.patch import Patch

FEWEST_PX = 4  # smaller remains of cells cut by the border are left out


def fit(
    labels: NDArray[Any],
    outline: NDArray[np.bool_],
    centre_yx: tuple[float, float],
    *,
    label: int | None = None,
    gap_px: int = 1,
) -> Patch | None:
    """Return the patch that would place an outline, without writing it.

    Parameters
    ----------
    labels : array, (height, width)
        Instance label image.
    outline : array, bool
        At the pixel size of ``labels``, centred on ``centre_yx`` and cut at the image border.
    centre_yx : (y, x)
        In pixels of ``labels``; 0 is the centre of the first pixel.
    label : int, optional
        Label of the new cell. Default: one more than the largest, which reads the whole image.
    gap_px : int
        Background pixels to keep from other cells, diagonals included; at least 1.

    Returns
    -------
    Patch or None
        None if the cell would touch another one, or lies almost entirely outside.
    """
    height, width = outline.shape
    top, left = round(centre_yx[0]) - height // 2, round(centre_yx[1]) - width // 2
    y0, x0 = max(0, top), max(0, left)
    y1, x1 = min(labels.shape[0], top + height), min(labels.shape[1], left + width)
    if y1 <= y0 or x1 <= x0:
        return None
    inside = outline[y0 - top : y1 - top, x0 - left : x1 - left]
    if np.count_nonzero(inside) < FEWEST_PX:
        return None
    gap = max(1, gap_px)
    v0, u0 = max(0, y0 - gap), max(0, x0 - gap)
    around = labels[v0 : y1 + gap, u0 : x1 + gap]
    if around.any():
        wide = np.zeros(around.shape, np.uint8)
        wide[y0 - v0 : y1 - v0, x0 - u0 : x1 - u0] = inside
        if around[ndimage.maximum_filter(wide, 2 * gap + 1).view(bool)].any():
            return None
    before = labels[y0:y1, x0:x1].copy()
    after = before.copy()
    after[inside] = int(labels.max()) + 1 if label is None else label
    return Patch(y0, x0, before, after)


def place(
    labels: NDArray[Any],
    outline: NDArray[np.bool_],
    centre_yx: tuple[float, float],
    *,
    label: int | None = None,
    gap_px: int = 1,
) -> Patch | None:
    """Write an outline into a label image if it fits; see :func:`fit`.

    Returns
    -------
    Patch or None
        The change, or None if it did not fit.
    """
    patch = fit(labels, outline, centre_yx, label=label, gap_px=gap_px)
    if patch is not None:
        patch.apply(labels)
    return patch
