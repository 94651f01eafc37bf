"""The solver of the probability-flow equation, without memory of its own.

A scheduler of diffusers keeps the last predictions itself and steps whole arrays. Canvases are
stepped in parts, in any order, so here the caller brings what came before.
"""

from __future__ import annotations

import math
from typing import Any

from diffusers import DPMSolverMultistepScheduler
from torch import Tensor

from napari_pixcell.errors import PixCellError


class Solver:
    """DPM-Solver++(2M) of Lu et al. (2211.01095), by a checkpoint's own scheduler configuration.

    Parameters
    ----------
    config : dict
        Configuration of a ``DPMSolverMultistepScheduler``.
    steps : int
        Denoising steps.
    first : int
        Index of the first step that is taken; those before it are left out where there is a
        picture to start from (SDEdit; Meng et al., 2108.01073).

    Attributes
    ----------
    times : Tensor, (steps,)
        Time of each step, as the networks read it.
    start : float
        Standard deviation of the noise to begin with.

    Raises
    ------
    PixCellError
        If the configuration asks for another solver.
    """

    def __init__(self, config: dict[str, Any], steps: int, first: int = 0) -> None:
        scheduler = DPMSolverMultistepScheduler.from_config(config)
        scheduler.set_timesteps(steps)
        self._config = scheduler.config
        wanted = {"algorithm_type": "dpmsolver++", "solver_type": "midpoint", "thresholding": False}
        odd = [
            f"{name} = {self._config[name]}"
            for name in wanted
            if self._config[name] != wanted[name]
        ]
        kinds = ("epsilon", "v_prediction", "sample")
        if self._config.prediction_type not in kinds:
            odd.append(f"prediction_type = {self._config.prediction_type}")
        if odd:
            raise PixCellError(
                f"The scheduler of this family asks for {', '.join(odd)}, which this version does "
                "not know; use the published scheduler_config.json."
            )
        self.steps, self.first = steps, first
        self.times = scheduler.timesteps
        self.start = float(scheduler.init_noise_sigma)
        sigmas = [float(sigma) for sigma in scheduler.sigmas]
        self._alphas = [1 / math.sqrt(sigma**2 + 1) for sigma in sigmas]
        self._sigmas = [sigma * alpha for sigma, alpha in zip(sigmas, self._alphas, strict=True)]

    def begin(
        self, noise: Tensor, start: Tensor | None = None, free: Tensor | None = None
    ) -> Tensor:
        """Give the latents at the first step that is taken.

        Parameters
        ----------
        noise : Tensor
            Of variance 1.
        start : Tensor, like the noise, optional
            Clean latents to start from; before the very first step they are forgotten.
        free : Tensor, bool, (height, width), optional
            Where they change; elsewhere they are kept, so nothing of them is forgotten there.
        """
        if start is not None and self.first > 0:
            return self._alphas[self.first] * start + self._sigmas[self.first] * noise
        latents = noise * self.start
        if start is not None and free is not None:
            latents = latents + self._alphas[0] * start * ~free
        return latents

    def clean(self, index: int, predicted: Tensor, noisy: Tensor) -> Tensor:
        """Turn what the network predicts at a step into clean latents, float32.

        Parameters
        ----------
        index : int
            Of the step, from 0.
        predicted, noisy : Tensor, of one shape
            Noise or velocity, as the configuration says, and what it was predicted from.
        """
        alpha, sigma = self._alphas[index], self._sigmas[index]
        predicted, noisy = predicted.float(), noisy.float()
        match self._config.prediction_type:
            case "epsilon":
                return (noisy - sigma * predicted) / alpha
            case "v_prediction":
                return alpha * noisy - sigma * predicted
        return predicted

    def advance(self, index: int, noisy: Tensor, clean: Tensor, before: Tensor | None) -> Tensor:
        """Take one step; every number depends on those at its own place alone.

        Parameters
        ----------
        index : int
            Of the step, from 0.
        noisy, clean : Tensor, of one shape
            Latents at this step, and the clean ones predicted from them.
        before : Tensor or None
            The clean ones of the step before; None at the first that is taken.

        Returns
        -------
        Tensor
            Latents at the next step; after the last one, the clean latents.
        """
        alpha, sigma = self._alphas[index + 1], self._sigmas[index + 1]
        ratio = sigma / self._sigmas[index]
        if sigma == 0:
            return ratio * noisy + alpha * clean
        h = self._log_ratio(index + 1) - self._log_ratio(index)
        gain = -alpha * math.expm1(-h)
        moved = ratio * noisy + gain * clean
        if before is None or index == self.first or self._first_order(index):
            return moved
        r = (self._log_ratio(index) - self._log_ratio(index - 1)) / h
        return moved + (0.5 * gain / r) * (clean - before)

    def back(self, index: int, latents: Tensor, clean: Tensor) -> Tensor:
        """Undo one step of first order, from its end to its beginning.

        Parameters
        ----------
        index : int
            Of the step, from 0.
        latents, clean : Tensor, of one shape
            At its end, and the clean ones that the network predicts from them at this step's time.
        """
        alpha, sigma = self._alphas[index], self._sigmas[index]
        noise = (latents - alpha * clean) / sigma
        rest = (latents - self._sigmas[index + 1] * noise) / self._alphas[index + 1]
        return alpha * rest + sigma * noise

    def _log_ratio(self, index: int) -> float:
        return math.log(self._alphas[index] / self._sigmas[index])

    def _first_order(self, index: int) -> bool:
        """Whether the last step is of first order, where few steps would make it unstable."""
        config = self._config
        few = config.lower_order_final and self.steps < 15
        last = index == self.steps - 1 and (config.euler_at_final or few)
        return bool(config.solver_order == 1 or last)
