"""Smaller levels of a picture in memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COARSEST = 1024  # px; a picture with no longer side needs no smaller level
ROWS_AT_ONCE = 1024


def pyramid(image: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Give a picture and its smaller levels, each the mean of 2 × 2 px of the one before.

    Parameters
    ----------
    image : array, uint8, (height, width, 3)

    Returns
    -------
    list of array, uint8
        The picture itself first, without a copy.
    """
    levels = [image]
    while max(levels[-1].shape[:2]) > COARSEST and min(levels[-1].shape[:2]) > 1:
        levels.append(_halved(levels[-1]))
    return levels


def _halved(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = image.shape[0] // 2, image.shape[1] // 2
    out = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, ROWS_AT_ONCE):
        rows = min(ROWS_AT_ONCE, height - top)
        part = image[2 * top : 2 * (top + rows), : 2 * width].astype(np.uint16)
        pairs = part[0::2] + part[1::2]
        out[top : top + rows] = (pairs[:, 0::2] + pairs[:, 1::2] + 2) // 4
    return out
