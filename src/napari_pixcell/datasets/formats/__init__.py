"""Writers of datasets for other programs."""

from napari_pixcell.datasets.formats.converting import FORMATS, Converted, convert

__all__ = ["FORMATS", "Converted", "convert"]
