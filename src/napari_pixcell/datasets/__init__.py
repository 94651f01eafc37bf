"""Datasets of image–mask pairs: recipes, storage, checks, export. No torch, no Qt."""

from napari_pixcell.datasets.export import PairWriter, load_manifest, read_record
from napari_pixcell.datasets.marks import safe_name

__all__ = ["PairWriter", "load_manifest", "read_record", "safe_name"]
