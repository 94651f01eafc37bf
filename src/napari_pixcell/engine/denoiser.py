"""Prediction of clean latents at one step, with guidance and a layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from napari_pixcell.engine.presets import EXACT, Preset
from napari_pixcell.engine.solver import Solver
from napari_pixcell.networks.prepared import DeltaCache, PreparedStyle

# Fraction of the blocks at each end that run at every step, even if a preset skips middle ones.
EDGE_BLOCKS = 0.25


@dataclass(frozen=True)
class PreparedStyles:
    """The styles of a batch, prepared for the transformer and, if there is one, the ControlNet."""

    transformer: PreparedStyle
    control: PreparedStyle | None = None


class StepCache:
    """Intermediate results that a batch reuses at later steps, as its preset asks for.

    Parameters
    ----------
    span : range
        Blocks of the transformer that are skipped at some steps. May be empty.
    """

    def __init__(self, span: range) -> None:
        self.residuals: list[Tensor] = []
        self.halves = [DeltaCache(span), DeltaCache(span)] if span else [None, None]
        self.guided = True

    def clear_blocks(self) -> None:
        """Make the next pass compute all blocks."""
        for half in self.halves:
            if half is not None:
                half.change = None


class Denoiser:
    """Predicts the clean latents of any batch at any step of one generation.

    Results that are the same at every step are computed once: the modulation of each time, and,
    by :meth:`styles`, the input of the cross-attentions.

    Parameters
    ----------
    transformer : PixCellTransformer2DModel
        Predicts epsilon or velocity, by the scheduler's configuration.
    config : dict
        Configuration of the scheduler.
    steps : int
        Denoising steps.
    guidance : float
        Guidance scale *g* in ``u + g · (c − u)``. 1 or less is the conditional prediction alone.
    controlnet : PixCellControlNet, optional
        Steers the transformer if a condition is given.
    layout_strength : float
        Factor of the ControlNet's residuals.
    layout_until : float
        Fraction of the steps, from the first, in which the layout acts.
    control_both : bool
        Apply the residuals to the unconditional half as well.
    two_passes : bool
        Run the halves of the guidance batch one after the other. This takes half the memory and
        differs only by rounding.
    preset : Preset
        The computations skipped at each step.
    first : int
        Index of the first step to run, see :class:`~.solver.Solver`.

    Attributes
    ----------
    solver : Solver
        Takes the steps.
    """

    def __init__(
        self,
        transformer: Any,
        config: dict[str, Any],
        *,
        steps: int,
        guidance: float,
        controlnet: Any | None = None,
        layout_strength: float = 1.0,
        layout_until: float = 1.0,
        control_both: bool = False,
        two_passes: bool = False,
        preset: Preset = EXACT,
        first: int = 0,
    ) -> None:
        self.solver = Solver(config, steps, first)
        self.plan = preset.schedule(steps, layout_until, first)
        self._transformer, self._controlnet = transformer, controlnet
        self._guidance, self._strength = guidance, layout_strength
        self._both, self._two_passes = control_both, two_passes
        self._precision = transformer.dtype
        device = transformer.device
        times = self.solver.times.to(device)
        self._times = transformer.prepare_times(times, self._precision)
        if controlnet is not None:
            self._control_times = controlnet.prepare_times(times, self._precision)
        unconditional = transformer.unconditional(1).to(self._precision)
        self._without = transformer.prepare_style(unconditional)
        if controlnet is not None:
            self._control_without = controlnet.prepare_style(unconditional)

    def styles(self, embeddings: Tensor) -> PreparedStyles:
        """Prepare the embeddings of a batch, (batch, tokens, dimension), for all steps."""
        embeddings = embeddings.to(self._precision)
        control = self._controlnet
        return PreparedStyles(
            self._transformer.prepare_style(embeddings),
            control.prepare_style(embeddings) if control is not None else None,
        )

    def step_cache(self) -> StepCache:
        """Return the cache for one batch."""
        if all(step.whole for step in self.plan):
            return StepCache(range(0))
        blocks = len(self._transformer.transformer_blocks)
        edge = max(1, round(EDGE_BLOCKS * blocks))
        return StepCache(range(edge, blocks - edge))

    def clean(
        self,
        index: int,
        noisy: Tensor,
        styles: PreparedStyles,
        condition: Tensor | None = None,
        cache: StepCache | None = None,
    ) -> Tensor:
        """Predict the clean latents of a batch, float32.

        Parameters
        ----------
        index : int
            Index of the step, from 0.
        noisy : Tensor, float32, (batch, channels, height, width)
            Latents at this step.
        condition : Tensor, like the latents, optional
            Latents of the layout image.
        cache : StepCache, optional
            Cache of this batch. Without it every step is computed in full.
        """
        step = self.plan[index]
        guided = self._guidance > 1 and step.guided
        given = noisy.to(self._precision)
        residuals: list[Tensor] = []
        if self._controlnet is not None and condition is not None:
            condition = condition.to(self._precision)
            residuals = self._residuals(index, given, styles, condition, guided, cache)
        if cache is not None:
            if step.whole or cache.guided != guided:
                cache.clear_blocks()
            cache.guided = guided
        style = styles.transformer
        if not guided:
            halves = [(given, style, residuals)]
        else:
            without = self._without.expand(len(given))
            half = len(residuals[0]) // 2 if residuals else 0
            halves = [
                (given, without, [both[:half] for both in residuals]),
                (given, style, [both[half:] for both in residuals]),
            ]
            if not self._two_passes:
                both = PreparedStyle.cat([without, style])
                halves = [(torch.cat([given, given]), both, residuals)]
        time, channels = self._times[index : index + 1], noisy.shape[1]
        predicted = torch.cat(
            [
                self._transformer(*half[:2], time, half[2], cache=middle).sample[:, :channels]
                for half, middle in zip(
                    halves, cache.halves if cache is not None else (None, None), strict=False
                )
            ]
        ).float()
        if guided:
            away, towards = predicted.chunk(2)
            predicted = away + self._guidance * (towards - away)
        return self.solver.clean(index, predicted, noisy)

    def _residuals(
        self,
        index: int,
        given: Tensor,
        styles: PreparedStyles,
        condition: Tensor,
        guided: bool,
        cache: StepCache | None,
    ) -> list[Tensor]:
        """Return the ControlNet's residuals, zero for the unconditional half, or an empty list."""
        step = self.plan[index]
        if step.layout == "off":
            return []
        assert self._controlnet is not None and styles.control is not None
        found = cache.residuals if cache is not None else []
        if step.layout == "run" or not found:
            style = styles.control
            if self._both:
                given, condition = torch.cat([given, given]), torch.cat([condition, condition])
                style = PreparedStyle.cat([self._control_without.expand(len(style)), style])
            time = self._control_times[index : index + 1]
            found = self._controlnet(given, condition, style, time, self._strength)
            if cache is not None:
                cache.residuals = found
        if self._both:
            return found if guided else [both.chunk(2)[1] for both in found]
        if not guided:
            return found
        return [torch.cat([torch.zeros_like(residual), residual]) for residual in found]
