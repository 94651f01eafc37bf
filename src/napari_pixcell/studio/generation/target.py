"""Where variants land, and what they start from: captured when they are queued."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.engine.requests import read_tissue
from napari_pixcell.engine.tissue import slide_signature
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides.region import Region
from napari_pixcell.studio.regions.geometry import enlarged


@dataclass(eq=False)
class Target:
    """Where results land."""

    number: int
    name: str
    slide: str
    region: Region
    mpp: float  # of the slide, in µm
    size: tuple[int, int]  # (height, width): size of the pictures, in px
    pixels: NDArray[np.uint8] | None = None  # the tissue there, for comparison


@dataclass(frozen=True, eq=False, kw_only=True)
class Start:
    """What a generation starts from."""

    slide: Any  # the tissue is read at the pixel size of ``family``
    region: Region
    family: Family
    size: tuple[int, int]  # (height, width): size of the picture, in px
    # uint8, (height, width, 3): the picture to start from; by default the tissue, read when the
    # requests are completed
    picture: Any
    strength: float  # how much of it changes, 0 to 1
    # The coarse area that changes, see ``RegionItem.area``; by default all of it
    area: NDArray[np.bool_] | None = None
    feather: int = 0  # width of the transition around the part, in px
    strengths: tuple[float, ...] = ()  # strength of each request, where they differ
    invert: bool = False  # start from the noise that the picture inverts to

    def complete(self, requests: Sequence[GenerateRequest]) -> list[GenerateRequest]:
        """Return requests with the picture to start from; call it in a thread."""
        picture = (
            read_tissue(self.slide, self.region, self.family)
            if self.picture is None
            else np.asarray(self.picture)
        )
        start = PackedArray.pack(picture)
        changes: dict[str, Any] = {"start": start, "invert": self.invert}
        if self.area is not None:
            part = enlarged(self.area, self.size).astype(np.uint8)
            changes |= {"part": PackedArray.pack(part), "feather": self.feather}
        signature = slide_signature(self.slide)
        strengths = self.strengths or (self.strength,) * len(requests)
        return [
            replace(
                request,
                strength=strength,
                source=replace(request.source, slide=signature),
                **changes,
            )
            if request.start is None
            else request
            for request, strength in zip(requests, strengths, strict=True)
        ]

    @property
    def share(self) -> float:
        """Approximate share of the work of a whole new picture, 0 to 1."""
        if self.area is None or not self.area.any():
            return self.strength
        share, window = self.strength, self.family.tile
        for axis, length in enumerate(self.size):
            marked = np.flatnonzero(self.area.any(axis=1 - axis))
            extent = (marked[-1] + 1 - marked[0]) * length / self.area.shape[axis]
            share *= min(1.0, (extent + window) / length)
        return share
