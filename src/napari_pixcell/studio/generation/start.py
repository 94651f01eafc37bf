"""The start of the next generation, as the settings ask for it."""

from __future__ import annotations

from typing import Any

from napari_pixcell.engine.start_image import MAX_FEATHER
from napari_pixcell.studio.generation.target import Start
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.results.results import Result
from napari_pixcell.studio.settings import NOTHING, SHOWN, Settings


def why_no_start(settings: Settings, item: RegionItem, shown: Result | None) -> str:
    """Return why a region has nothing to start from as the settings ask; empty if it has.

    Parameters
    ----------
    settings : Settings
    item : RegionItem
        The region.
    shown : Result, optional
        Its variant that is shown.
    """
    if settings.start_from == NOTHING:
        return ""
    if settings.start_from == SHOWN and shown is None:
        return "Show a variant to start from"
    if settings.start_from == SHOWN and shown is not None:
        target = shown.target
        if target.region != item.region or target.size != item.size:
            return "The variant shown belongs to another position"
    if settings.only_part and (item.area is None or not item.area.any()):
        return "Mark a part first"
    return ""


def start_words(settings: Settings) -> str:
    """Return in one sentence what the selected strength keeps and changes; empty for no start."""
    if settings.start_from == NOTHING:
        return ""
    strength = settings.strength
    if strength == 0:
        return "Nothing changes: every pixel is kept."
    if strength < 0.25:
        return "Shapes and cells stay. Colours and fine texture change."
    if strength < 0.4:
        return "Most cells stay in position. Their appearance changes."
    if strength < 0.7:
        return "The rough arrangement stays. Most cells are new."
    if strength < 1:
        return "Little remains but light and dark."
    return "Nothing remains: style and layout alone decide."


def start_of(
    settings: Settings, item: RegionItem, slide: Any, shown: Result | None
) -> Start | None:
    """Capture what a region's next generation starts from, by value; None for nothing."""
    if settings.start_from == NOTHING:
        return None
    family = settings.model
    picture: Any = item.pixels
    if settings.start_from == SHOWN and shown is not None:
        picture = shown.image
    return Start(
        slide=slide,
        region=item.region,
        family=family,
        size=item.size,
        picture=picture,
        strength=settings.strength,
        area=item.area > 0 if settings.only_part and item.area is not None else None,
        feather=min(MAX_FEATHER, round(settings.feather_um / family.mpp)),
    )
