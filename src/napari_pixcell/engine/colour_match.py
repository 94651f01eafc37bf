"""Colour match: moves the tissue colours of a variant to those of its style. Imports no torch.

After Reinhard et al., "Color transfer between images" (IEEE CGA 2001), in CIELAB and over tissue
only. Unlike there, a* and b* are scaled alike: scaled apart, they turn single cells cyan or neon.
Each pixel moves as far as it is tissue, which fades out towards white, so that glass stays as it is
without a seam. Where an image has a layout, its nuclei and the rest are moved apart, each to the
mean colour of its class. Either change depends on a pixel's colour alone, and is solved on a table
of colour counts. A large image thus needs one pass for counting and one for changing, in bands of
any size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.colour_change import Change, whole_change
from napari_pixcell.engine.colour_classes import class_change
from napari_pixcell.engine.presets import get_preset
from napari_pixcell.engine.tissue_colours import (
    ClassCount,
    ColourCount,
    Floats,
    TissueColours,
    tissue_part,
    to_lab,
    to_rgb,
)
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import COLOUR_MATCHES, Family
from napari_pixcell.models.families import is_stain, stain_name
from napari_pixcell.serialization import OMIT_DEFAULT

OFF, GENTLE, FULL = COLOUR_MATCHES
REPRESENTATIVE = 128.0**2  # px of new tissue beside tissue that stays; less is matched in part
BAND = 512  # rows read and written at once
PIECE = 2**17  # pixels changed at once, which take about 10 MB

Seen = Callable[[int, int], Floats]
Nuclei = Callable[[int, int], NDArray[np.bool_]]


@dataclass(frozen=True)
class ColourMatch:
    """How a variant is matched, and the colours that it is matched to.

    ``how`` is “gentle”, which moves the mean of the tissue, or “full”, which moves nuclei and the
    rest apart where there is a layout, and else adapts the contrast of the tissue as well. Nuclei
    that are ``drawn`` darker or paler on purpose, by their classes, are moved as much in lightness
    as the rest, because the style's tissue cannot tell how light they are meant to be.
    """

    how: str
    tissue: TissueColours
    drawn: bool = field(default=False, metadata=OMIT_DEFAULT)

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


def _change(
    count: ColourCount, classes: ClassCount | None, target: ColourMatch, most: float
) -> Change | None:
    """Return the change of an image to its style: of nuclei and the rest, or of all tissue."""
    if target.how == FULL and classes is not None and target.tissue.classes is not None:
        change = class_change(classes, target.tissue.classes, most, target.drawn)
        if change is not None:
            return change
    return whole_change(count, target.tissue, target.how == FULL, most)


def _changed(change: Change, pixels: NDArray[np.uint8], seen: Floats | None) -> NDArray[np.uint8]:
    """Return changed pixels, uint8 (height, width, 3), as far as they are ``seen``."""
    rows = max(1, PIECE // max(1, pixels.shape[1]))
    changed = []
    for top in range(0, len(pixels), rows):
        piece = pixels[top : top + rows]
        rgb = np.asarray(piece / np.float32(255), np.float32)
        part = tissue_part(rgb) if seen is None else tissue_part(rgb) * seen[top : top + rows]
        lab = to_rgb(change.lab(to_lab(rgb), part))
        whole = np.rint(lab.clip(0, 1) * 255).astype(np.uint8)
        changed.append(np.where(part[..., None] > 0, whole, piece))
    return np.concatenate(changed)


def match(
    picture: NDArray[np.uint8],
    target: ColourMatch | None,
    seen: Floats | None = None,
    each: int = 1,
    nuclei: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint8]:
    """Return a picture whose tissue has the colours of a style. Matching it again changes little.

    About 20 ms for a tile of 256 px. A picture or style that is nearly all glass changes nothing.

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
    nuclei : array, bool, (height, width), optional
        Which pixels lie in nuclei of the layout.
    """
    if target is None:
        return picture
    changed = picture.copy()
    parts: Seen | None = None if seen is None else lambda top, stop: seen[top:stop]
    inside: Nuclei | None = None if nuclei is None else lambda top, stop: nuclei[top:stop]
    match_rows(changed, target, parts, each=each, nuclei=inside)
    return changed


def match_rows(
    picture: Any,
    target: ColourMatch,
    seen: Seen | None = None,
    on_rows: Callable[[int, int], None] = lambda done, total: None,
    each: int = 1,
    nuclei: Nuclei | None = None,
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
    nuclei : callable, optional
        Returns ``nuclei`` of :func:`match` for the rows from one to another.
    """
    height = picture.shape[0]
    bands = [(top, min(top + BAND, height)) for top in range(0, height, BAND)]
    count, most = ColourCount(), 1.0
    classes = ClassCount() if nuclei is not None and target.tissue.classes is not None else None
    for top, stop in bands:
        pixels = np.asarray(picture[top:stop])
        new = np.ones(pixels.shape[:2], bool) if seen is None else seen(top, stop) >= 0.5
        count.add(pixels[new], each)
        if classes is not None and nuclei is not None:
            classes.add(pixels[new], nuclei(top, stop)[new], each)
        on_rows(stop, 2 * height)
    if seen is not None:
        most = min(1.0, count.colours().share * count.pixels / REPRESENTATIVE)
    change = _change(count, classes, target, most)
    for top, stop in bands if change is not None else ():
        assert change is not None
        part = None if seen is None else seen(top, stop)
        if part is None or part.any():
            picture[top:stop] = _changed(change, np.asarray(picture[top:stop]), part)
        on_rows(height + stop, 2 * height)
