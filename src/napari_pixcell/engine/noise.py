"""Noise that depends on a seed and a place alone; imports no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BLOCK = 32  # side, in latents, of what one stream of random numbers fills


def noise_at(
    seed: int, channels: int, top: int, left: int, height: int, width: int
) -> NDArray[np.float32]:
    """Draw the noise of a rectangle: any part of a canvas has the same noise as the whole.

    A counter-based generator (Philox; Salmon et al., 2011) starts anew for each block of the
    plane, keyed on the seed and the block's place.

    Parameters
    ----------
    seed : int
        0 to 2**32 - 1.
    channels : int
        Of the latents.
    top, left, height, width : int
        The rectangle, in latents; its corner is not negative.

    Returns
    -------
    array, float32, (channels, height, width)
        Of mean 0 and variance 1.
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
    # The key says whose numbers these are, the counter's upper words where they start.
    bits = np.random.Philox(key=[seed, channels], counter=[0, 0, row, column])
    return np.random.Generator(bits).standard_normal((channels, BLOCK, BLOCK), np.float32)
