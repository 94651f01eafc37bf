"""Ways to make a picture in less time, each a fixed schedule; imports no torch.

A schedule depends on the number of steps alone: neither on the picture nor on others of its batch,
so that a record gives the same pixels again. On canvases, whose windows move from step to step,
nothing can be kept for the next one: there only fewer steps and less guidance save time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from napari_pixcell.errors import PixCellError

Act = Literal["run", "keep", "off"]


@dataclass(frozen=True)
class StepPlan:
    """What is computed at one step.

    Parameters
    ----------
    guided : bool
        The unconditional half as well.
    layout : "run", "keep" or "off"
        Whether the ControlNet runs, its last residuals are used again, or nothing is added.
    whole : bool
        All blocks of the transformer; else the middle ones are taken from the last whole step.
    """

    guided: bool = True
    layout: Act = "run"
    whole: bool = True


@dataclass(frozen=True)
class Preset:
    """A way to make a picture.

    Parameters
    ----------
    name : str
        As in requests and records.
    text : str
        What it saves and what it costs, for a tooltip.
    steps : float
        Part of the family's usual steps that are taken.
    guided : (first, last)
        Part of the steps in which guidance acts (Kynkäänniemi et al., 2404.07724).
    layout_every, layout_until : int, float
        The ControlNet runs at each so manieth step, and up to this part of the steps.
    whole_every : int
        All blocks run at each so manieth step (Δ-DiT, 2406.01125); the first and last step are
        always whole.
    """

    name: str
    text: str
    steps: float = 1.0
    guided: tuple[float, float] = (0.0, 1.0)
    layout_every: int = 1
    layout_until: float = 1.0
    whole_every: int = 1

    def steps_of(self, usual: int) -> int:
        """Give the steps to take where a family usually takes ``usual``."""
        return max(1, round(usual * self.steps))

    def schedule(self, steps: int, layout_until: float = 1.0, start: int = 0) -> list[StepPlan]:
        """Give what is computed at each of ``steps`` steps.

        Parameters
        ----------
        steps : int
            In all.
        layout_until : float
            Part of the steps in which the layout acts, as the user set it.
        start : int
            Index of the first step that is taken: ``layout_until`` is of those that are.
        """
        first, last = (round(part * steps) for part in self.guided)
        acting = start + math.ceil(layout_until * (steps - start))
        acting = min(acting, math.ceil(self.layout_until * steps))
        plan = []
        for index in range(steps):
            layout: Act = "off"
            if index < acting:
                layout = "run" if (index - start) % self.layout_every == 0 else "keep"
            edge = index in (start, steps - 1)
            plan.append(
                StepPlan(
                    guided=first <= index < last,
                    layout=layout,
                    whole=edge or index % self.whole_every == 0,
                )
            )
        return plan


EXACT = Preset("exact", "Every step in full.")
# Measured on the demo family by benchmarks/presets.py, where few steps follow the long schedule
# better when they are spaced as the checkpoint says than as Karras et al. do, and skipped blocks
# save less than skipped steps at the same likeness.
BALANCED = Preset(
    "balanced",
    "Nearly the same picture in half the time.",
    steps=0.5,
)
QUICK = Preset(
    "quick",
    "A third of the time, for trying things: details differ.",
    steps=0.4,
    guided=(0.25, 0.75),
    layout_every=2,
)
PRESETS = {preset.name: preset for preset in (EXACT, BALANCED, QUICK)}


def get_preset(name: str) -> Preset:
    """Look a preset up by its name."""
    if name not in PRESETS:
        raise PixCellError(f"There is no preset “{name}”; choose one of: {', '.join(PRESETS)}.")
    return PRESETS[name]
