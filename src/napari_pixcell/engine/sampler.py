"""From noise to latents of whole tiles."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from napari_pixcell.engine.denoiser import Denoiser

OnStep = Callable[[int, int, Tensor], None]


def denoise(
    denoiser: Denoiser,
    latents: Tensor,
    embeddings: Tensor,
    condition: Tensor | None = None,
    on_step: OnStep | None = None,
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

    Returns
    -------
    Tensor, (batch, channels, height, width)
        Clean latents, float32.
    """
    solver, styles, memory = denoiser.solver, denoiser.styles(embeddings), denoiser.memory()
    latents = latents.float() * solver.start
    before = None
    for index in range(solver.steps):
        clean = denoiser.clean(index, latents, styles, condition, memory)
        latents = solver.advance(index, latents, clean, before)
        before = clean
        if on_step is not None:
            on_step(index + 1, solver.steps, clean)
    return latents
