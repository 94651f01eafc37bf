"""The formats whose libraries are installed."""

from __future__ import annotations

from importlib.util import find_spec

from napari_pixcell.datasets.formats import FORMATS

INSTALLED = [name for name in FORMATS if name != "spatialdata" or find_spec("spatialdata")]
