"""Checks of pairs: image quality, and similarity to mask, style and real tissue. No torch."""

from napari_pixcell.datasets.quality.checker import (
    Ask,
    Checker,
    MaskedImage,
    MeasuredImage,
    Verdict,
)
from napari_pixcell.datasets.quality.choosing import best_of
from napari_pixcell.datasets.quality.copies import Nearest, RealTiles
from napari_pixcell.datasets.quality.gathering import gather
from napari_pixcell.datasets.quality.looks import look_of

__all__ = [
    "Ask",
    "Checker",
    "MaskedImage",
    "MeasuredImage",
    "Nearest",
    "RealTiles",
    "Verdict",
    "best_of",
    "gather",
    "look_of",
]
