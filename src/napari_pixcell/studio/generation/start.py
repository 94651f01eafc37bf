"""What a generation starts from, and where it changes it: captured when it is queued."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request import GenerateRequest
from napari_pixcell.engine.start_image import MAX_FEATHER
from napari_pixcell.engine.tissue import Tissue
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides.region import Region

if TYPE_CHECKING:
    from napari_pixcell.studio.regions.item import RegionItem
    from napari_pixcell.studio.results.results import Result
    from napari_pixcell.studio.settings import Settings

NOTHING, TISSUE, SHOWN = "nothing", "tissue", "shown"
START_SETTINGS = ("start_from", "strength", "only_part")
STARTS = {NOTHING: "nothing", TISSUE: "the tissue", SHOWN: "the variant shown"}


@dataclass(frozen=True, eq=False)
class Beginning:
    """What a generation starts from.

    Parameters
    ----------
    slide, region, family : Slide, Region, Family
        Where the tissue is, and at whose pixel size.
    size : (height, width)
        Of the picture, in px.
    picture : array-like, uint8 (height, width, 3), optional
        To start from; the tissue is read when the requests are completed where it is not given.
    strength : float
        How much of it changes, 0 to 1.
    area : array, bool, optional
        The coarse part that changes, see :attr:`RegionItem.area`; all of it without one.
    feather : int
        Around the part, in px.
    strengths : tuple of float
        Of each request where they differ.
    invert : bool
        Whether it is followed back to its noise, see :class:`GenerateRequest`.
    """

    slide: Any
    region: Region
    family: Family
    size: tuple[int, int]
    picture: Any
    strength: float
    area: NDArray[np.bool_] | None
    feather: int
    strengths: tuple[float, ...] = ()
    invert: bool = False

    def complete(self, requests: Sequence[GenerateRequest]) -> list[GenerateRequest]:
        """Give requests the picture to start from, by value; it takes a moment: in a thread."""
        from napari_pixcell.studio.regions.item import enlarged

        picture = _read(self) if self.picture is None else np.asarray(self.picture)
        start = PackedArray.pack(picture)
        changes: dict[str, Any] = {"start": start, "invert": self.invert}
        if self.area is not None:
            part = enlarged(self.area, self.size).astype(np.uint8)
            changes |= {"part": PackedArray.pack(part), "feather": self.feather}
        strengths = self.strengths or (self.strength,) * len(requests)
        return [
            replace(request, strength=strength, **changes) if request.start is None else request
            for request, strength in zip(requests, strengths, strict=True)
        ]

    @property
    def share(self) -> float:
        """About which part of the work for a whole new picture there is to do, 0 to 1."""
        if self.area is None or not self.area.any():
            return self.strength
        share, window = self.strength, self.family.tile
        for axis, length in enumerate(self.size):
            places = np.flatnonzero(self.area.any(axis=1 - axis))
            marked = (places[-1] + 1 - places[0]) * length / self.area.shape[axis]
            share *= min(1.0, (marked + window) / length)
        return share


def why_no_start(settings: Settings, item: RegionItem, shown: Result | None) -> str:
    """Say why a region has nothing to start from as the settings want it; empty if it has.

    Parameters
    ----------
    settings : Settings
    item : RegionItem
        The region.
    shown : Result, optional
        The variant of it that is seen.
    """
    if settings.start_from == NOTHING:
        return ""
    if settings.start_from == SHOWN and shown is None:
        return "Show a variant to start from"
    if settings.start_from == SHOWN and shown is not None:
        place = shown.target
        if place.region != item.region or place.size != item.size:
            return "The variant shown is of another place"
    if settings.only_part and (item.area is None or not item.area.any()):
        return "Mark a part first"
    return ""


def words(settings: Settings) -> str:
    """Say what a start and its strength come to, honestly; empty for nothing."""
    if settings.start_from == NOTHING:
        return ""
    strength = settings.strength
    if strength == 0:
        return "Nothing changes: every pixel is kept."
    if strength < 0.25:
        return "Shapes and cells stay; colours and fine texture are made anew."
    if strength < 0.4:
        return "Most cells keep their places; their looks are made anew."
    if strength < 0.7:
        return "The rough arrangement stays; most cells are new."
    if strength < 1:
        return "Little of it is left but light and dark."
    return "All of it is forgotten: style and layout alone decide."


def beginning(
    settings: Settings, item: RegionItem, slide: Any, shown: Result | None
) -> Beginning | None:
    """Capture what a region's next generation starts from, by value; None for nothing."""
    if settings.start_from == NOTHING:
        return None
    family = settings.model
    picture: Any = item.pixels
    if settings.start_from == SHOWN and shown is not None:
        picture = shown.image
    area = item.area > 0 if settings.only_part and item.area is not None else None
    feather = min(MAX_FEATHER, round(settings.feather_um / family.mpp))
    return Beginning(
        slide, item.region, family, item.size, picture, settings.strength, area, feather
    )


def _read(start: Beginning) -> NDArray[np.uint8]:
    """Read the tissue, which was too large to be kept."""
    tissue = Tissue(start.slide, start.region, start.family)
    bands = [tissue.read(first, stop) for first, stop in tissue.bands()]
    return tissue.cut(np.concatenate(bands))
