"""Checks of pairs: image quality, and similarity to mask, style and real tissue. No torch."""

from napari_pixcell.datasets.quality.checker import Ask, Checker, MeasuredImage, Verdict
from napari_pixcell.datasets.quality.choosing import best_of
from napari_pixcell.datasets.quality.copies import RealTiles, gather
from napari_pixcell.datasets.quality.looks import look_of

__all__ = [
    "Ask",
    "Checker",
    "MeasuredImage",
    "RealTiles",
    "Verdict",
    "best_of",
    "gather",
    "look_of",
]
