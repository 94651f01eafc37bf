"""Denoising of whole tiles."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from napari_pixcell.engine.denoiser import Denoiser

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
    """Denoise latents under a style and, if given, a layout.

    Parameters
    ----------
    denoiser : Denoiser
        Holds all settings of the generation.
    latents : Tensor, (batch, channels, height, width)
        Noise of variance 1. Solver and guidance run in float32 at any network precision.
    embeddings : Tensor, (batch, tokens, dimension)
        The style of each image.
    condition : Tensor, (batch, channels, height, width), optional
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

    Returns
    -------
    Tensor, (batch, channels, height, width)
        Clean latents, float32.
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
    """Return the predicted latents where they are free, and the start elsewhere.

    Blended latent diffusion (Avrahami et al., 2206.02779) replaces the noisy latents outside the
    mask with those of the start, noised anew at each step. Given the start as the prediction, the
    solver steps to the start with the initial noise. The effect is the same, but needs no new
    noise, for whole tiles and for parts of a canvas alike.

    Parameters
    ----------
    clean, start : Tensor, (…, height, width)
        Predicted clean latents, and those of the start.
    free : Tensor, bool, (height, width)
        Mask of the latents that change.
    """
    return torch.where(free, clean, start)
