"""Checks of pairs: what they look like, and how alike they are to what was asked for. No torch."""

from napari_pixcell.datasets.quality.checker import Ask, Checker, Verdict
from napari_pixcell.datasets.quality.copies import RealTiles, gather
from napari_pixcell.datasets.quality.looks import look_of

__all__ = ["Ask", "Checker", "RealTiles", "Verdict", "gather", "look_of"]
