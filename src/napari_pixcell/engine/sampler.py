"""From noise to latents of whole tiles."""

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
    start: Tensor | None = None,
    free: Tensor | None = None,
    begun: Tensor | None = None,
) -> Tensor:
    """Denoise latents, following embeddings and, if given, a layout.

    Parameters
    ----------
    denoiser : Denoiser
        With all settings of the generation.
    latents : Tensor, (batch, channels, height, width)
        Noise of variance 1; solver and guidance run in float32 whatever the networks' precision.
    embeddings : Tensor, (batch, tokens, dimension)
        The style of each image.
    condition : Tensor, (batch, channels, height, width), optional
        Latents of the picture of the cells.
    on_step : callable, optional
        Gets the step (from 1), the number of steps and the predicted clean latents; whatever it
        raises ends the denoising.
    start : Tensor, (1 or batch, channels, height, width), optional
        Clean latents to start from, float32.
    free : Tensor, bool, (height, width), optional
        Where they change; all over without it.
    begun : Tensor, like the latents, optional
        What to begin with at the first step that is taken, instead of noise and start.

    Returns
    -------
    Tensor, (batch, channels, height, width)
        Clean latents, float32.
    """
    solver, styles, memory = denoiser.solver, denoiser.styles(embeddings), denoiser.memory()
    latents = solver.begin(latents.float(), start, free) if begun is None else begun
    before = None
    for index in range(solver.first, solver.steps):
        clean = denoiser.clean(index, latents, styles, condition, memory)
        if start is not None and free is not None:
            clean = hold(clean, start, free)
        latents = solver.advance(index, latents, clean, before)
        before = clean
        if on_step is not None:
            on_step(index + 1 - solver.first, solver.steps - solver.first, clean)
    return latents


def hold(clean: Tensor, start: Tensor, free: Tensor) -> Tensor:
    """Keep what is predicted where latents are free, and the start elsewhere.

    Blended latent diffusion (Avrahami et al., 2206.02779) replaces the noisy latents outside of
    the part by those of the start, noised anew for each step. Where the solver is told the start
    as the prediction it steps to the start with the noise of the beginning, which is the same but
    needs no noise, on whole tiles and in parts of a canvas alike.

    Parameters
    ----------
    clean, start : Tensor, (…, height, width)
        Predicted clean latents, and those to start from.
    free : Tensor, bool, (height, width)
        Where they change.
    """
    return torch.where(free, clean, start)
