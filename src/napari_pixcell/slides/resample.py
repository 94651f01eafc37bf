"""Resampling at exact positions: area averages when shrinking, linear when enlarging."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def resample(
    patch: NDArray[np.uint8], box: tuple[float, float, float, float], shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """Resample a box of an image.

    Parameters
    ----------
    patch : (h, w, 3) uint8
    box : (top, left, bottom, right)
        In pixels of ``patch``, counted from its corner; may be fractional. Leave one pixel around
        it for interpolation.
    shape : (rows, columns)
        Shape of the result.

    Returns
    -------
    (rows, columns, 3) uint8
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
