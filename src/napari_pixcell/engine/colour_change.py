"""Changes of colour, and the one that moves all tissue at once. Imports no torch.

A change depends on a pixel's colour alone, and moves it as far as it is tissue. It is solved on a
table of colour counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.tissue_colours import (
    ColourCount,
    Floats,
    TissueColours,
    mixed_colours,
    statistics_of,
    tissue_part,
    to_lab,
    to_rgb,
)

SCALES = (0.7, 1.4), (0.75, 1.35)  # limits for the contrast of L*, and of a* and b* together
LEAST_STD = 1.0  # of what is scaled
ROUNDS = 5  # the glass's part of a change is unknown before the change
STRENGTHS = (1.0, 0.75, 0.5, 0.25)  # tried in turn until few colours are clipped
MOST_CLIPPED = 0.1  # share of the tissue that a match may push out of sRGB

Doubles = NDArray[np.float64]


class Change(Protocol):
    """A change of colours."""

    def lab(self, lab: Floats, part: Floats) -> Floats:
        """Return changed colours, (…, 3), of pixels that are tissue as far as ``part`` says."""


@dataclass(frozen=True)
class _WholeChange:
    """A change of all tissue: ``(lab - centre) * scale + goal``."""

    centre: Doubles
    scale: Doubles
    goal: Doubles

    def lab(self, lab: Floats, part: Floats) -> Floats:
        scale, shift = (
            values.astype(np.float32)
            for values in (self.scale - 1, self.goal - self.scale * self.centre)
        )
        return np.asarray(lab + part[..., None] * (lab * scale + shift), np.float32)


def whole_change(
    count: ColourCount, target: TissueColours, scaled: bool, most: float = 1.0
) -> Change | None:
    """Return the change that gives an image the target's colours, as far as sRGB has them.

    None if the image has no tissue, or if even a part of the change would clip much of it.

    Parameters
    ----------
    count : ColourCount
        The colours of the image.
    target : TissueColours
    scaled : bool
        Adapt the contrast as well as the mean.
    most : float
        The largest part of the change, 0 to 1.
    """
    own = count.colours()
    if not own.enough or not target.enough:
        return None
    rgb, counts = count.table()
    lab, part = to_lab(rgb), tissue_part(rgb)

    def at(strength: float) -> Change:
        towards = _towards(own, target, strength)
        return _solved(lab, part, counts, own=own, target=towards, scaled=scaled)

    return unclipped(at, lab, part, counts, most)


def unclipped(
    change_at: Callable[[float], Change], lab: Floats, part: Floats, counts: Doubles, most: float
) -> Change | None:
    """Return the strongest change that pushes few colours out of sRGB; None if all push many.

    Parameters
    ----------
    change_at : callable
        Returns the change of a strength, 0 to 1.
    lab, part, counts : arrays, (n, 3), (n,), (n,)
        The colours of the image, how far they are tissue, and their pixels.
    most : float
        The largest strength.
    """
    clipped_before = _clipped(lab)
    weights = counts * part
    for strength in STRENGTHS:
        change = change_at(strength * most)
        beyond = _clipped(change.lab(lab, part)) & ~clipped_before
        if (weights * beyond).sum() <= MOST_CLIPPED * weights.sum():
            return change
    return None


def _solved(
    lab: Floats,
    part: Floats,
    counts: Doubles,
    *,
    own: TissueColours,
    target: TissueColours,
    scaled: bool,
) -> Change:
    """Solve for a change after which the colours are the target's, though pale ones move less."""
    mean, std = np.array(target.mean), _contrast(target)
    centre, goal, scale = np.array(own.mean), mean, np.ones(3)
    lowest, highest = np.array(SCALES)[[0, 1, 1]].T
    now = own
    for _ in range(ROUNDS):
        if scaled:
            # What has no contrast, such as a* and b* of grey, has none to scale.
            both = (std > LEAST_STD) & (_contrast(now) > LEAST_STD)
            ratio = np.divide(std, _contrast(now), out=np.ones(3), where=both)
            scale = np.clip(scale * ratio, lowest, highest)
        change = _WholeChange(centre, scale, goal)
        rgb = to_rgb(change.lab(lab, part))
        now = statistics_of(to_lab(rgb), counts * tissue_part(rgb), counts.sum())
        if not now.enough:
            break
        goal = goal + (mean - np.array(now.mean))
    return _WholeChange(centre, scale, goal)


def _contrast(tissue: TissueColours) -> Doubles:
    """Return the standard deviation of L*, and, twice, that of a* and b* together."""
    chroma = math.hypot(*tissue.std[1:])
    return np.array([tissue.std[0], chroma, chroma])


def _towards(own: TissueColours, target: TissueColours, strength: float) -> TissueColours:
    if strength == 1:
        return target
    both = mixed_colours([(own, 1 - strength), (target, strength)])
    assert both is not None
    return both


def _clipped(lab: Floats) -> NDArray[np.bool_]:
    """Return which colours sRGB does not have, or only at its very ends."""
    light = lab[..., 0].clip(0, 100)
    inside = lab.copy()
    inside[..., 0] = light
    again = to_lab(to_rgb(inside).clip(0, 1))
    return np.asarray(np.abs(again - lab).max(axis=-1) > 4)
