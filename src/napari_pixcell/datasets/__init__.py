"""Variants to image–mask pairs on disk, and their records back. No torch, no Qt."""

from napari_pixcell.datasets.export import PairWriter, safe_name
from napari_pixcell.datasets.reading import load_manifest, read_record

__all__ = ["PairWriter", "load_manifest", "read_record", "safe_name"]
