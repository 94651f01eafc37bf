"""Image pyramids, and resampling at exact positions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

COARSEST = 1024  # px; an image whose sides are no longer needs no smaller level
BLOCK = 1024, 4096  # rows and columns of a smaller level computed at once


def resample(
    patch: NDArray[np.uint8], box: tuple[float, float, float, float], shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """Resample a box of an image: area averages when shrinking, linear when enlarging.

    Parameters
    ----------
    patch : (h, w, 3) uint8
    box : (top, left, bottom, right)
        In pixels of ``patch``, counted from its corner; may be fractional. Leave one pixel around
        it for interpolation.
    shape : (rows, columns)
        Shape of the result, which is uint8 too.
    """
    top, left, bottom, right = box
    rows, columns = shape
    height, width, channels = patch.shape
    if (top, left, bottom, right) == (0, 0, rows, columns) == (0, 0, height, width):
        return patch
    down = _weights(height, top, bottom, rows)
    across = _weights(width, left, right, columns)
    lines = down @ patch.reshape(height, -1).astype(np.float32)
    lines = lines.reshape(rows, width, channels).transpose(1, 0, 2).reshape(width, -1)
    out = (across @ lines).reshape(columns, rows, channels).transpose(1, 0, 2)
    return np.ascontiguousarray(np.clip(np.rint(out), 0, 255).astype(np.uint8))


def _weights(count: int, start: float, stop: float, out: int) -> csr_array:
    """Return the (out, count) matrix that resamples ``start``–``stop`` of ``count`` samples."""
    from scipy.sparse import csr_array  # a slow import, not needed at start-up

    step = (stop - start) / out
    if step >= 1:  # the share of each sample that lies inside each output pixel
        edges = start + step * np.arange(out + 1)
        first = np.floor(edges[:-1]).astype(int)
        index = first[:, None] + np.arange(int(np.ceil(step)) + 1)
        low = np.maximum(index, edges[:-1, None])
        high = np.minimum(index + 1, edges[1:, None])
        value = np.clip(high - low, 0, None) / step
    else:  # between the two nearest sample centres
        centre = start + step * (np.arange(out) + 0.5) - 0.5
        first = np.floor(centre).astype(int)
        index = first[:, None] + np.arange(2)
        second = centre - first
        value = np.stack([1 - second, second], axis=1)
    row = np.broadcast_to(np.arange(out)[:, None], index.shape)
    index = np.clip(index, 0, count - 1)
    triple = (value.astype(np.float32).ravel(), (row.ravel(), index.ravel()))
    return csr_array(triple, shape=(out, count))


def level_sizes(size: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the (height, width) of an image and of its smaller levels."""
    sizes = [size]
    while max(sizes[-1]) > COARSEST and min(sizes[-1]) > 1:
        height, width = sizes[-1]
        sizes.append((height // 2, width // 2))
    return sizes


def pyramid(image: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Return an image and its smaller levels, each averaging 2 × 2 px of the previous one.

    All are uint8, (height, width, 3). The image itself comes first, without a copy.
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
