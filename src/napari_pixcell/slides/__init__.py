"""Reading slides: from files to regions in µm. No torch, no Qt."""

from __future__ import annotations

from napari_pixcell.slides.opening import open_slide
from napari_pixcell.slides.pixel_size import remember_mpp, remembered_mpp
from napari_pixcell.slides.region import Region, placement
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
