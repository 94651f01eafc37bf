"""Noise that depends only on a seed and a position. Imports no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BLOCK = 32  # side, in latents, of the block filled by one stream of random numbers


def noise_at(
    seed: int, channels: int, top: int, left: int, height: int, width: int
) -> NDArray[np.float32]:
    """Return the noise of a rectangle, the same whichever part of a canvas is drawn.

    A counter-based generator (Philox; Salmon et al., 2011) restarts for each block of the plane,
    keyed on the seed and the block's position.

    Parameters
    ----------
    seed : int
        0 to 2**32 - 1.
    channels : int
        Number of latent channels.
    top, left, height, width : int
        The rectangle, in latents. Its corner must not be negative.

    Returns
    -------
    array, float32, (channels, height, width)
        Mean 0, variance 1.
    """
    out = np.empty((channels, height, width), np.float32)
    for row in range(top // BLOCK, -(-(top + height) // BLOCK)):
        for column in range(left // BLOCK, -(-(left + width) // BLOCK)):
            block = _block(seed, channels, row, column)
            y, x = row * BLOCK, column * BLOCK
            t, b = max(top, y), min(top + height, y + BLOCK)
            l, r = max(left, x), min(left + width, x + BLOCK)  # noqa: E741
            out[:, t - top : b - top, l - left : r - left] = block[:, t - y : b - y, l - x : r - x]
    return out


def _block(seed: int, channels: int, row: int, column: int) -> NDArray[np.float32]:
    # The key identifies the stream. The counter's upper words are its position.
    bits = np.random.Philox(key=[seed, channels], counter=[0, 0, row, column])
    return np.random.Generator(bits).standard_normal((channels, BLOCK, BLOCK), np.float32)
