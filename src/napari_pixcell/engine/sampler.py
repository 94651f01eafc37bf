"""Noise that depends only on seed and position, and denoising of whole tiles."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_pixcell.engine.denoiser import Denoiser

BLOCK = 32  # side, in latents, of the block filled by one stream of random numbers

OnStep = Callable[[int, int, Tensor], None]


def denoise(
    denoiser: Denoiser,
    latents: Tensor,
    embeddings: Tensor,
    condition: Tensor | None = None,
    on_step: OnStep | None = None,
    *,
    start: Tensor | None = None,
    free: Tensor | None = None,
    begun: Tensor | None = None,
) -> Tensor:
    """Denoise latents under a style and, if given, a layout. Returns clean latents, float32.

    Parameters
    ----------
    latents : Tensor, (batch, channels, height, width)
        Noise of variance 1. Solver and guidance run in float32 at any network precision.
    embeddings : Tensor, (batch, tokens, dimension)
        The style of each image.
    condition : Tensor, like the latents, optional
        Latents of the layout image.
    on_step : callable, optional
        Receives the step (from 1), the number of steps and the predicted clean latents. An
        exception raised in it ends the denoising.
    start : Tensor, (1 or batch, channels, height, width), optional
        Clean latents to start from, float32.
    free : Tensor, bool, (height, width), optional
        Mask of the latents that change. By default all do.
    begun : Tensor, like the latents, optional
        Noisy latents at the first step to run, instead of those made from noise and start.
    """
    solver, styles, cache = denoiser.solver, denoiser.styles(embeddings), denoiser.step_cache()
    latents = solver.begin(latents.float(), start, free) if begun is None else begun
    before = None
    for index in range(solver.first, solver.steps):
        clean = denoiser.clean(index, latents, styles, condition, cache)
        if start is not None and free is not None:
            clean = hold(clean, start, free)
        latents = solver.advance(index, latents, clean, before)
        before = clean
        if on_step is not None:
            on_step(index + 1 - solver.first, solver.steps - solver.first, clean)
    return latents


def hold(clean: Tensor, start: Tensor, free: Tensor) -> Tensor:
    """Return the predicted clean latents where they are ``free``, and those of the start elsewhere.

    Blended latent diffusion (Avrahami et al., 2206.02779) replaces the noisy latents outside the
    mask with those of the start, noised anew at each step. Given the start as the prediction, the
    solver steps to the start with the initial noise. The effect is the same, but needs no new
    noise, for whole tiles and for parts of a canvas alike.
    """
    return torch.where(free, clean, start)


def noise_at(
    seed: int, channels: int, top: int, left: int, height: int, width: int
) -> NDArray[np.float32]:
    """Return the noise of a rectangle, the same whichever part of a canvas is drawn.

    A counter-based generator (Philox; Salmon et al., 2011) restarts for each block of the plane,
    keyed on the seed, 0 to 2**32 - 1, and the block's position. The rectangle is in latents, and
    its corner must not be negative.

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
