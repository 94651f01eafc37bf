"""Colour match: moves the tissue colours of a variant to those of its style. Imports no torch.

After Reinhard et al., "Color transfer between images" (IEEE CGA 2001), in CIELAB and over tissue
only. Unlike there, a* and b* are scaled alike: scaled apart, they turn single cells cyan or neon.
Each pixel moves as far as it is tissue, which fades out towards white, so that glass stays as it is
without a seam. The change depends on a pixel's colour alone, and is solved on a table of colour
counts. A large image thus needs one pass for counting and one for changing, in bands of any size.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.presets import get_preset
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
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import COLOUR_MATCHES, Family
from napari_pixcell.models.families import is_stain, stain_name

OFF, GENTLE, FULL = COLOUR_MATCHES
SCALES = (0.7, 1.4), (0.75, 1.35)  # limits for the contrast of L*, and of a* and b* together
LEAST_STD = 1.0  # of what is scaled
ROUNDS = 5  # the glass's part of a change is unknown before the change
STRENGTHS = (1.0, 0.75, 0.5, 0.25)  # tried in turn until few colours are clipped
MOST_CLIPPED = 0.1  # share of the tissue that a match may push out of sRGB
REPRESENTATIVE = 128.0**2  # px of new tissue beside tissue that stays; less is matched in part
BAND = 512  # rows read and written at once
PIECE = 2**17  # pixels changed at once, which take about 10 MB

Seen = Callable[[int, int], Floats]


@dataclass(frozen=True)
class ColourMatch:
    """How a variant is matched, and the colours that it is matched to.

    ``how`` is “gentle”, which moves the mean of the tissue, or “full”, which adapts its contrast
    as well.
    """

    how: str
    tissue: TissueColours

    def __post_init__(self) -> None:
        if self.how not in (GENTLE, FULL):
            raise PixCellError(
                f"There is no colour match “{self.how[:40]}”. Choose {GENTLE} or {FULL}."
            )


def colour_setting(asked: str | None, family: Family, preset: str) -> str:
    """Return which of :data:`COLOUR_MATCHES` applies: the one asked for, or the default.

    By default it is the family's, and off for the published method and for stains.

    Raises
    ------
    PixCellError
        If a stain is to be matched, or there is no such setting.
    """
    stain = is_stain(family)
    if asked and asked not in COLOUR_MATCHES:
        raise PixCellError(
            f"There is no colour match “{asked[:40]}”. Choose one of: {', '.join(COLOUR_MATCHES)}."
        )
    if asked and asked != OFF and stain:
        raise PixCellError(
            f"{stain_name(family)} changes the colours of the tissue, so they cannot be matched "
            "to it. Switch the colour match off."
        )
    default = OFF if stain or get_preset(preset).published else family.colour_match
    return asked or default


def colour_match(how: str, tissue: TissueColours | None) -> ColourMatch | None:
    """Return the match of a setting to a style's tissue; None if there is nothing to match to."""
    if how == OFF or tissue is None or not tissue.enough:
        return None
    return ColourMatch(how, tissue)


@dataclass(frozen=True)
class _Change:
    """A change of colours: ``(lab - centre) * scale + goal``, as far as a pixel is tissue."""

    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    goal: NDArray[np.float64]

    def lab(self, lab: Floats, part: Floats) -> Floats:
        scale, shift = (
            values.astype(np.float32)
            for values in (self.scale - 1, self.goal - self.scale * self.centre)
        )
        return np.asarray(lab + part[..., None] * (lab * scale + shift), np.float32)

    def apply(self, pixels: NDArray[np.uint8], seen: Floats | None) -> NDArray[np.uint8]:
        """Return changed pixels, uint8 (height, width, 3), as far as they are ``seen``."""
        rows = max(1, PIECE // max(1, pixels.shape[1]))
        changed = [
            self._piece(pixels[top : top + rows], None if seen is None else seen[top : top + rows])
            for top in range(0, len(pixels), rows)
        ]
        return np.concatenate(changed)

    def _piece(self, pixels: NDArray[np.uint8], seen: Floats | None) -> NDArray[np.uint8]:
        rgb = np.asarray(pixels / np.float32(255), np.float32)
        part = tissue_part(rgb) if seen is None else tissue_part(rgb) * seen
        changed = to_rgb(self.lab(to_lab(rgb), part))
        whole = np.rint(changed.clip(0, 1) * 255).astype(np.uint8)
        return np.where(part[..., None] > 0, whole, pixels)


def _solve(
    count: ColourCount, how: str, target: TissueColours, most: float = 1.0
) -> _Change | None:
    """Return the change that gives an image the target's colours, as far as sRGB has them.

    None if the image has no tissue, or if even a part of the change would clip much of it.
    ``most`` is the largest part of the change, 0 to 1.
    """
    own = count.colours()
    if not own.enough or not target.enough:
        return None
    rgb, counts = count.table()
    lab, part = to_lab(rgb), tissue_part(rgb)
    clipped_before = _clipped(lab)
    weights = counts * part
    for strength in STRENGTHS:
        towards = _towards(own, target, strength * most)
        change = _solved(lab, part, counts, own=own, target=towards, how=how)
        beyond = _clipped(change.lab(lab, part)) & ~clipped_before
        if (weights * beyond).sum() <= MOST_CLIPPED * weights.sum():
            return change
    return None


def _solved(
    lab: Floats,
    part: Floats,
    counts: NDArray[np.float64],
    *,
    own: TissueColours,
    target: TissueColours,
    how: str,
) -> _Change:
    """Solve for a change after which the colours are the target's, though pale ones move less."""
    mean, std = np.array(target.mean), _contrast(target)
    centre, goal, scale = np.array(own.mean), mean, np.ones(3)
    lowest, highest = np.array(SCALES)[[0, 1, 1]].T
    now = own
    for _ in range(ROUNDS):
        if how == FULL:
            # What has no contrast, such as a* and b* of grey, has none to scale.
            both = (std > LEAST_STD) & (_contrast(now) > LEAST_STD)
            ratio = np.divide(std, _contrast(now), out=np.ones(3), where=both)
            scale = np.clip(scale * ratio, lowest, highest)
        change = _Change(centre, scale, goal)
        rgb = to_rgb(change.lab(lab, part))
        now = statistics_of(to_lab(rgb), counts * tissue_part(rgb), counts.sum())
        if not now.enough:
            break
        goal = goal + (mean - np.array(now.mean))
    return _Change(centre, scale, goal)


def _contrast(tissue: TissueColours) -> NDArray[np.float64]:
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


def match(
    picture: NDArray[np.uint8],
    target: ColourMatch | None,
    seen: Floats | None = None,
    each: int = 1,
) -> NDArray[np.uint8]:
    """Return a picture whose tissue has the colours of a style. Matching it again changes nothing.

    About 10 ms for a tile of 256 px. A picture or style that is nearly all glass changes nothing.

    Parameters
    ----------
    picture : array, uint8, (height, width, 3)
    target : ColourMatch, optional
        Without one the picture is returned as it is.
    seen : array, float32, (height, width), optional
        How far each pixel is new, 0 to 1. Pixels at 0 keep their values, and the new ones alone are
        matched. A few nuclei have other colours than tissue: below 128² px of new tissue, the
        match is weaker in proportion.
    each : int
        How many pixels of the image a pixel stands for, in a small copy such as a preview.
    """
    if target is None:
        return picture
    changed = picture.copy()
    parts: Seen | None = None if seen is None else lambda top, stop: seen[top:stop]
    match_rows(changed, target, parts, each=each)
    return changed


def match_rows(
    picture: Any,
    target: ColourMatch,
    seen: Seen | None = None,
    on_rows: Callable[[int, int], None] = lambda done, total: None,
    each: int = 1,
) -> None:
    """Match an image of any size in place, as :func:`match` does, band by band.

    Parameters
    ----------
    picture : array-like, uint8, (height, width, 3)
        Written by rows.
    target : ColourMatch
    seen : callable, optional
        Returns ``seen`` of :func:`match` for the rows from one to another.
    on_rows : callable
        Receives (rows done, total rows), twice as many as the image has.
    each : int
        See :func:`match`.
    """
    height = picture.shape[0]
    bands = [(top, min(top + BAND, height)) for top in range(0, height, BAND)]
    count, most = ColourCount(), 1.0
    for top, stop in bands:
        pixels = np.asarray(picture[top:stop])
        count.add(pixels if seen is None else pixels[seen(top, stop) >= 0.5], each)
        on_rows(stop, 2 * height)
    if seen is not None:
        most = min(1.0, count.colours().share * count.pixels / REPRESENTATIVE)
    change = _solve(count, target.how, target.tissue, most)
    for top, stop in bands if change is not None else ():
        assert change is not None
        new = None if seen is None else seen(top, stop)
        if new is None or new.any():
            picture[top:stop] = change.apply(np.asarray(picture[top:stop]), new)
        on_rows(height + stop, 2 * height)
