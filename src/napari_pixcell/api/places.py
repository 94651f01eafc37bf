"""Where requests of the public API lie: regions of slides, fitted to a family."""

from __future__ import annotations

from napari_pixcell.api.slides import SlideLike, open_slide
from napari_pixcell.engine.chosen_region import ChosenRegion
from napari_pixcell.engine.record import NEUTRAL
from napari_pixcell.engine.requests import why_too_small
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.slide import Slide


def fitted(
    family: Family, source: SlideLike, region: Region | None, name: str = NEUTRAL
) -> ChosenRegion:
    """Return a region, by default that of the whole slide, as a family reads it.

    Raises
    ------
    PixCellError
        If the slide cannot be read or has no pixel size, or the region does not fit it.
    """
    slide = open_slide(source)
    return ChosenRegion.fitted(family, slide, _asked(region, slide), name)


def fitted_or_none(
    family: Family, source: SlideLike | None, region: Region | None, name: str
) -> ChosenRegion | None:
    """Return the region that variants belong to, or None without slide and region.

    Raises
    ------
    PixCellError
        As for :func:`fitted`, or if one of the two is missing.
    """
    if (source is None) != (region is None):
        raise PixCellError("The place of a variant needs both slide and region.")
    return None if source is None else fitted(family, source, region, name)


def fitted_to_stain(
    family: Family, source: SlideLike, region: Region | None, name: str
) -> ChosenRegion:
    """Return a region that is to be stained.

    Raises
    ------
    PixCellError
        As for :func:`fitted`, or if it is too small for the stain.
    """
    slide = open_slide(source)
    asked = _asked(region, slide)
    if problem := why_too_small(asked, slide.require_mpp(), family, "The region"):
        raise PixCellError(f"{problem}. Choose a larger region.")
    return ChosenRegion.fitted(family, slide, asked, name)


def _asked(region: object, slide: Slide) -> Region:
    """Return a region, or that of the whole slide."""
    if region is None:
        height, width = slide.shape
        return Region(0, 0, width, height)
    if not isinstance(region, Region):
        raise PixCellError(
            f"A region is expected, not {type(region).__name__}. Use slide.region_um(x, y, width, "
            "height), or pixcell.Region in level-0 pixels."
        )
    return region
