"""Files to regions in µm: no torch, no Qt."""

from __future__ import annotations

from napari_pixcell.slides.opening import open_slide
from napari_pixcell.slides.placement import placement
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.remembered import remember_mpp, remembered_mpp
from napari_pixcell.slides.slide import ArraySlide, Slide, check_region

__all__ = [
    "ArraySlide",
    "Region",
    "Slide",
    "check_region",
    "open_slide",
    "placement",
    "remember_mpp",
    "remembered_mpp",
]
