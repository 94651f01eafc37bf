"""One step from noisy to clean latents, with guidance and a layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from napari_pixcell.engine.presets import EXACT, Preset
from napari_pixcell.engine.solver import Solver
from napari_pixcell.networks.prepared import DeltaCache, PreparedStyle

# The first and last blocks are run at every step, where a preset leaves the middle ones out.
EDGE_BLOCKS = 0.25


@dataclass(frozen=True)
class Styles:
    """The styles of a batch, read by the transformer and by the ControlNet if there is one."""

    within: PreparedStyle
    control: PreparedStyle | None = None


class Memory:
    """What a batch keeps from one step for the next, where a preset has it do so.

    Parameters
    ----------
    span : range
        Blocks of the transformer that are left out at some steps; may be empty.
    """

    def __init__(self, span: range) -> None:
        self.residuals: list[Tensor] = []
        self.halves = [DeltaCache(span), DeltaCache(span)] if span else [None, None]
        self.guided = True

    def forget(self) -> None:
        """Have the next pass compute all blocks."""
        for half in self.halves:
            if half is not None:
                half.change = None


class Denoiser:
    """Predicts the clean latents of any batch at any step of one generation.

    What is the same at every step is computed once: the modulation of each time, and by
    :meth:`styles` all that the cross-attentions read.

    Parameters
    ----------
    transformer : PixCellTransformer2DModel
        Predicts what the scheduler's configuration says (epsilon or velocity).
    config : dict
        Of the scheduler.
    steps : int
        Denoising steps.
    guidance : float
        ``u + guidance · (c − u)``; 1 or less is the conditional prediction alone.
    controlnet : PixCellControlNet, optional
        Steers the transformer where a condition is given.
    layout_strength : float
        Factor of the ControlNet's residuals.
    layout_until : float
        Part of the steps, from the first, in which the layout acts.
    control_both : bool
        Give the residuals to the unconditional half as well.
    two_passes : bool
        Run the halves of the guidance batch one after the other: half the memory, same numbers
        but for rounding.
    preset : Preset
        What is left out at which step.
    first : int
        Index of the first step that is taken, see :class:`Solver`.

    Attributes
    ----------
    solver : Solver
        That takes the steps.
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

    def styles(self, embeddings: Tensor) -> Styles:
        """Read the embeddings of a batch, (batch, tokens, dimension), once for all steps."""
        embeddings = embeddings.to(self._precision)
        control = self._controlnet
        return Styles(
            self._transformer.prepare_style(embeddings),
            control.prepare_style(embeddings) if control is not None else None,
        )

    def memory(self) -> Memory:
        """Give a batch its memory; without one every step is computed in full."""
        if all(step.whole for step in self.plan):
            return Memory(range(0))
        blocks = len(self._transformer.transformer_blocks)
        edge = max(1, round(EDGE_BLOCKS * blocks))
        return Memory(range(edge, blocks - edge))

    def clean(
        self,
        index: int,
        noisy: Tensor,
        styles: Styles,
        condition: Tensor | None = None,
        memory: Memory | None = None,
    ) -> Tensor:
        """Predict the clean latents of a batch.

        Parameters
        ----------
        index : int
            Of the step, from 0.
        noisy : Tensor, float32, (batch, channels, height, width)
            Latents at this step.
        styles : Styles
            Of the batch.
        condition : Tensor, (batch, channels, height, width), optional
            Latents of the picture of the cells.
        memory : Memory, optional
            Of this batch at the step before.

        Returns
        -------
        Tensor, float32, (batch, channels, height, width)
        """
        step = self.plan[index]
        guided = self._guidance > 1 and step.guided
        given = noisy.to(self._precision)
        residuals: list[Tensor] = []
        if self._controlnet is not None and condition is not None:
            condition = condition.to(self._precision)
            residuals = self._residuals(index, given, styles, condition, guided, memory)
        if memory is not None:
            if step.whole or memory.guided != guided:
                memory.forget()
            memory.guided = guided
        style = styles.within
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
                self._transformer(*half[:2], time, half[2], cache=cache).sample[:, :channels]
                for half, cache in zip(
                    halves, memory.halves if memory is not None else (None, None), strict=False
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
        styles: Styles,
        condition: Tensor,
        guided: bool,
        memory: Memory | None,
    ) -> list[Tensor]:
        """Give the ControlNet's residuals, with zeros for the unconditional half, or none."""
        step = self.plan[index]
        if step.layout == "off":
            return []
        assert self._controlnet is not None and styles.control is not None
        found = memory.residuals if memory is not None else []
        if step.layout == "run" or not found:
            style = styles.control
            if self._both:
                given, condition = torch.cat([given, given]), torch.cat([condition, condition])
                style = PreparedStyle.cat([self._control_without.expand(len(style)), style])
            time = self._control_times[index : index + 1]
            found = self._controlnet(given, condition, style, time, self._strength)
            if memory is not None:
                memory.residuals = found
        if self._both:
            return found if guided else [both.chunk(2)[1] for both in found]
        if not guided:
            return found
        return [torch.cat([torch.zeros_like(residual), residual]) for residual in found]
