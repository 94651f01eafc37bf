"""Ways to generate an image: in full, faster, or as published. Imports no torch.

A schedule depends only on the number of steps, not on the image or on others in its batch, so a
record reproduces its pixels. On canvases, whose windows move from step to step, no intermediate
result can be reused. There only fewer steps and less guidance save time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from napari_pixcell.errors import PixCellError

LayoutAct = Literal["run", "keep", "off"]


@dataclass(frozen=True)
class StepPlan:
    """The computations of one denoising step.

    Parameters
    ----------
    guided : bool
        Whether the unconditional half is computed as well.
    layout : "run", "keep" or "off"
        Run the ControlNet, reuse its last residuals, or add nothing.
    whole : bool
        Run all blocks of the transformer, or reuse the middle ones from the last whole step.
    """

    guided: bool = True
    layout: LayoutAct = "run"
    whole: bool = True


@dataclass(frozen=True)
class Preset:
    """A trade of quality for time, or the published method.

    Parameters
    ----------
    name : str
        Its name in requests and records.
    text : str
        Its savings and their cost, for a tooltip.
    steps : float
        Fraction of the family's usual steps.
    guided : (first, last)
        Range of the steps, as fractions, in which guidance acts (Kynkäänniemi et al., 2404.07724).
    layout_every, layout_until : int, float
        The ControlNet runs at every n-th step, up to this fraction of the steps.
    whole_every : int
        All blocks run at every n-th step (Δ-DiT, 2406.01125), and at the first and last step.
    published : bool
        The steps are those of DDIM. On canvases, windows overlap by half at every step.
    """

    name: str
    text: str
    steps: float = 1.0
    guided: tuple[float, float] = (0.0, 1.0)
    layout_every: int = 1
    layout_until: float = 1.0
    whole_every: int = 1
    published: bool = False

    @property
    def title(self) -> str:
        """Its name in the interface."""
        return "As published" if self.published else self.name.capitalize()

    def steps_of(self, usual: int) -> int:
        """Return the number of steps for a family that usually takes ``usual``."""
        return max(1, round(usual * self.steps))

    def schedule(self, steps: int, layout_until: float = 1.0, start: int = 0) -> list[StepPlan]:
        """Return the computations of each of ``steps``, of which ``start`` is the first to run.

        ``layout_until`` is the fraction of the steps from there in which the layout acts, as set by
        the user.
        """
        first, last = (round(part * steps) for part in self.guided)
        acting = start + math.ceil(layout_until * (steps - start))
        acting = min(acting, math.ceil(self.layout_until * steps))
        plan = []
        for index in range(steps):
            layout: LayoutAct = "off"
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
# Measured on the demo family by benchmarks/presets.py. A few steps follow the long schedule better
# with the checkpoint's own spacing than with that of Karras et al. At equal fidelity, skipped
# blocks save less time than skipped steps.
BALANCED = Preset("balanced", "Nearly the same image in half the time.", steps=0.5)
QUICK = Preset(
    "quick",
    "A third of the time, for drafts. Details differ.",
    steps=0.4,
    guided=(0.25, 0.75),
    layout_every=2,
)
# The sampler of the authors' pictures of 4096 px, and, for stains, the start from noise.
PUBLISHED = Preset(
    "published",
    "As the authors do: DDIM steps, and in large images windows that overlap by half at every "
    "step. Those take two to three times as long.",
    published=True,
)
PRESETS = {preset.name: preset for preset in (EXACT, BALANCED, QUICK, PUBLISHED)}
SPEEDS = tuple(name for name, preset in PRESETS.items() if not preset.published)


def get_preset(name: str) -> Preset:
    """Return the preset of a name, or raise PixCellError."""
    if name not in PRESETS:
        raise PixCellError(f"There is no preset “{name}”; choose one of: {', '.join(PRESETS)}.")
    return PRESETS[name]
