"""Synthetic tissue in napari, with PixCell."""

__version__ = "0.1.0"
