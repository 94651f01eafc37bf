"""A stateless solver of the probability-flow equation.

A diffusers scheduler stores the last predictions and steps whole arrays. Canvases are stepped in
parts, in any order, so here the caller supplies the previous prediction.
"""

from __future__ import annotations

import math
from typing import Any

from diffusers import DPMSolverMultistepScheduler
from torch import Tensor

from napari_pixcell.errors import PixCellError

# A first-order step of DPM-Solver++ is one of DDIM (Song et al., 2010.02502).
FIRST_ORDER = {"solver_order": 1}
CLASS = "DPMSolverMultistepScheduler"
# Settings of a scheduler that change its result, and the values that are implemented here.
SUPPORTED: dict[str, tuple[object, ...]] = {
    "algorithm_type": ("dpmsolver++",),
    "solver_type": ("midpoint",),
    "solver_order": (1, 2),
    "prediction_type": ("epsilon", "v_prediction", "sample"),
    "beta_schedule": ("linear", "scaled_linear", "squaredcos_cap_v2"),
    "timestep_spacing": ("linspace", "leading", "trailing"),
    "final_sigmas_type": ("zero", "sigma_min"),
    "thresholding": (False,),
    "use_flow_sigmas": (False,),
    "use_dynamic_shifting": (False,),
}


class Solver:
    """DPM-Solver++(2M) of Lu et al. (2211.01095), set up by a checkpoint's scheduler configuration.

    Parameters
    ----------
    config : dict
        Configuration of a ``DPMSolverMultistepScheduler``.
    steps : int
        Denoising steps.
    first : int
        Index of the first step to run. Earlier steps are skipped if there is an image to start
        from (SDEdit; Meng et al., 2108.01073).

    Attributes
    ----------
    times : Tensor, (steps,)
        Time of each step, as the networks take it.
    start : float
        Standard deviation of the initial noise.

    Raises
    ------
    PixCellError
        If the configuration asks for another solver, or is damaged.
    """

    def __init__(self, config: dict[str, Any], steps: int, first: int = 0) -> None:
        scheduler = _scheduler(config, steps)
        self._config = scheduler.config
        self.steps, self.first = steps, first
        self.times = scheduler.timesteps
        self.start = float(scheduler.init_noise_sigma)
        sigmas = [float(sigma) for sigma in scheduler.sigmas]
        self._alphas = [1 / math.sqrt(sigma**2 + 1) for sigma in sigmas]
        self._sigmas = [sigma * alpha for sigma, alpha in zip(sigmas, self._alphas, strict=True)]

    def begin(
        self, noise: Tensor, start: Tensor | None = None, free: Tensor | None = None
    ) -> Tensor:
        """Return the noisy latents at the first step to run.

        Parameters
        ----------
        noise : Tensor
            Noise of variance 1.
        start : Tensor, like the noise, optional
            Clean latents to start from. They have no effect if no step is skipped.
        free : Tensor, bool, (height, width), optional
            Mask of the latents that change. Elsewhere the start always has its effect.
        """
        if start is not None and self.first > 0:
            return self._alphas[self.first] * start + self._sigmas[self.first] * noise
        latents = noise * self.start
        if start is not None and free is not None:
            latents = latents + self._alphas[0] * start * ~free
        return latents

    def clean(self, index: int, predicted: Tensor, noisy: Tensor) -> Tensor:
        """Convert the network's prediction at a step, from 0, to clean latents, float32.

        ``predicted`` is noise, velocity or sample, by the configuration, for the ``noisy`` latents.
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
        """Return the latents after one step, computed elementwise. After the last, they are clean.

        Parameters
        ----------
        index : int
            Of the step, from 0.
        noisy, clean : Tensor, of one shape
            Latents at this step, and the clean latents predicted from them.
        before : Tensor or None
            Clean latents of the previous step. None at the first step to run.
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
        """Invert one first-order step: return the latents at its start from those at its end.

        ``clean`` are predicted from the latents at the end, at the time of this step, from 0.
        """
        alpha, sigma = self._alphas[index], self._sigmas[index]
        noise = (latents - alpha * clean) / sigma
        rest = (latents - self._sigmas[index + 1] * noise) / self._alphas[index + 1]
        return alpha * rest + sigma * noise

    def _log_ratio(self, index: int) -> float:
        return math.log(self._alphas[index] / self._sigmas[index])

    def _first_order(self, index: int) -> bool:
        # A last step of second order would be unstable when there are few steps.
        config = self._config
        few = config.lower_order_final and self.steps < 15
        last = index == self.steps - 1 and (config.euler_at_final or few)
        return bool(config.solver_order == 1 or last)


def _scheduler(config: dict[str, Any], steps: int) -> Any:
    """Return the scheduler of a configuration, which lists the times and noise levels."""
    asked = {name: config[name] for name in SUPPORTED if name in config}
    odd = [f"{name} = {value}" for name, value in asked.items() if value not in SUPPORTED[name]]
    if config.get("_class_name", CLASS) != CLASS:
        odd.insert(0, str(config["_class_name"]))
    if odd:
        raise PixCellError(
            f"The scheduler of this family asks for {', '.join(odd)}, which this version does "
            "not support. Use the published scheduler_config.json."
        )
    try:
        scheduler = DPMSolverMultistepScheduler.from_config(config)
        scheduler.set_timesteps(steps)
        sigmas = [float(sigma) for sigma in scheduler.sigmas]
        if len(sigmas) != steps + 1 or not all(0 <= sigma < math.inf for sigma in sigmas):
            raise ValueError("noise levels")
    except Exception as error:  # diffusers raises anything on odd values
        raise PixCellError(
            "The scheduler of this family is damaged, as its settings give no noise levels. Use "
            "the published scheduler_config.json."
        ) from error
    return scheduler
