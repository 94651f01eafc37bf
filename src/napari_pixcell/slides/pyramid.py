"""Image pyramids: an image and its smaller levels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

COARSEST = 1024  # px; an image whose sides are no longer needs no smaller level
BLOCK = 1024, 4096  # rows and columns of a smaller level computed at once


def level_sizes(size: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the (height, width) of an image and of its smaller levels."""
    sizes = [size]
    while max(sizes[-1]) > COARSEST and min(sizes[-1]) > 1:
        height, width = sizes[-1]
        sizes.append((height // 2, width // 2))
    return sizes


def pyramid(image: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Return an image and its smaller levels, each averaging 2 × 2 px of the previous one.

    Parameters
    ----------
    image : array, uint8, (height, width, 3)

    Returns
    -------
    list of array, uint8
        The image itself comes first, without a copy.
    """
    levels = [image]
    for height, width in level_sizes((image.shape[0], image.shape[1]))[1:]:
        out = np.empty((height, width, 3), np.uint8)
        halve(levels[-1], out)
        levels.append(out)
    return levels


def halve(source: Any, out: Any) -> None:
    """Write the 2 × 2 px means of one level into the next coarser one, block by block.

    Parameters
    ----------
    source : array-like, uint8, (height, width, 3)
    out : array-like, uint8, (height // 2, width // 2, 3)
        Either may be on disk.
    """
    height, width = out.shape[:2]
    for top in range(0, height, BLOCK[0]):
        bottom = min(top + BLOCK[0], height)
        for left in range(0, width, BLOCK[1]):
            right = min(left + BLOCK[1], width)
            part = np.asarray(source[2 * top : 2 * bottom, 2 * left : 2 * right])
            pairs = part[0::2].astype(np.uint16) + part[1::2]
            out[top:bottom, left:right] = (pairs[:, 0::2] + pairs[:, 1::2] + 2) // 4
