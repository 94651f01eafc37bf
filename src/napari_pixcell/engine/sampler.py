"""From noise to latents, with guidance and a layout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from diffusers import DPMSolverMultistepScheduler
from torch import Tensor

OnStep = Callable[[int, int, Tensor], None]


def make_scheduler(config: dict[str, Any]) -> DPMSolverMultistepScheduler:
    """Make a fresh scheduler from a checkpoint's own configuration."""
    return DPMSolverMultistepScheduler.from_config(config)


def denoise(
    transformer: Any,
    scheduler: DPMSolverMultistepScheduler,
    latents: Tensor,
    embeddings: Tensor,
    *,
    guidance: float,
    steps: int,
    controlnet: Any | None = None,
    condition: Tensor | None = None,
    layout_strength: float = 1.0,
    layout_until: float = 1.0,
    control_both: bool = False,
    two_passes: bool = False,
    on_step: OnStep | None = None,
) -> Tensor:
    """Denoise latents, following embeddings and, if given, a layout.

    Parameters
    ----------
    transformer : PixCellTransformer2DModel
        Predicts what the scheduler's configuration says (epsilon or velocity).
    scheduler : DPMSolverMultistepScheduler
        Only its configuration is read: each call makes its own, see :func:`make_scheduler`.
    latents : Tensor, (batch, channels, height, width)
        Noise; solver and guidance run in float32 whatever the networks' precision.
    embeddings : Tensor, (batch, tokens, dimension)
        The style of each image.
    guidance : float
        ``u + guidance · (c − u)``; 1 or less is the conditional prediction alone.
    steps : int
        Denoising steps.
    controlnet : PixCellControlNet, optional
        With ``condition``, steers the transformer.
    condition : Tensor, (batch, channels, height, width), optional
        Latents of the picture of the cells.
    layout_strength : float
        Factor of the ControlNet's residuals.
    layout_until : float
        Part of the steps, from the first, in which the layout acts.
    control_both : bool
        Give the residuals to the unconditional half as well.
    two_passes : bool
        Run the halves of the guidance batch one after the other: half the memory, same numbers
        but for rounding.
    on_step : callable, optional
        Gets the step (from 1), the number of steps and the predicted clean latents; whatever it
        raises ends the denoising.

    Returns
    -------
    Tensor, (batch, channels, height, width)
        Clean latents, float32.
    """
    batch, channels = latents.shape[:2]
    guided = guidance > 1
    precision = transformer.dtype
    styles = embeddings.to(precision)
    if guided:
        styles = torch.cat([transformer.unconditional(batch).to(styles), styles])
    if condition is not None:
        condition = condition.to(precision)
    scheduler = make_scheduler(scheduler.config)
    scheduler.set_timesteps(steps, device=latents.device)
    latents = latents.float() * scheduler.init_noise_sigma
    for index, time in enumerate(scheduler.timesteps):
        noisy = (torch.cat([latents, latents]) if guided else latents).to(precision)
        times = time.expand(len(noisy))
        residuals = None
        if controlnet is not None and condition is not None and index < layout_until * steps:
            residuals = _residuals(
                controlnet, noisy, condition, styles, times, layout_strength, batch, control_both
            )
        predicted = _predict(transformer, noisy, styles, times, residuals, two_passes and guided)
        predicted = predicted[:, :channels].float()
        if guided:
            without, within = predicted.chunk(2)
            predicted = without + guidance * (within - without)
        latents = scheduler.step(predicted, time, latents).prev_sample
        if on_step is not None:
            # dpmsolver++ turns every prediction into the clean latents and keeps them
            on_step(index + 1, steps, scheduler.model_outputs[-1])
    return latents


def _predict(
    transformer: Any,
    noisy: Tensor,
    styles: Tensor,
    times: Tensor,
    residuals: list[Tensor] | None,
    in_halves: bool,
) -> Tensor:
    if not in_halves:
        whole: Tensor = transformer(noisy, styles, times, residuals).sample
        return whole
    halves = []
    for index in (0, 1):
        part = [value.chunk(2)[index] for value in (noisy, styles, times)]
        own = [residual.chunk(2)[index] for residual in residuals] if residuals else None
        halves.append(transformer(*part, own).sample)
    return torch.cat(halves)


def _residuals(
    controlnet: Any,
    noisy: Tensor,
    condition: Tensor,
    styles: Tensor,
    times: Tensor,
    strength: float,
    batch: int,
    both: bool,
) -> list[Tensor]:
    """Run the ControlNet on the conditional half; the other one gets zeros, or the same run."""
    guided = len(noisy) > batch
    if both and guided:
        condition = torch.cat([condition, condition])
        return list(controlnet(noisy, condition, styles, times, strength))
    found = controlnet(noisy[-batch:], condition, styles[-batch:], times[-batch:], strength)
    if not guided:
        return list(found)
    return [torch.cat([torch.zeros_like(residual), residual]) for residual in found]
