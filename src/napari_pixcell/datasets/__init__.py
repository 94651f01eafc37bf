"""Datasets of image–mask pairs: recipes, storage, checks, export. No torch, no Qt."""

from typing import TYPE_CHECKING

from napari_pixcell.late import late

if TYPE_CHECKING:
    from napari_pixcell.datasets.export import PairWriter, load_manifest, read_record
    from napari_pixcell.datasets.marks import safe_name

__all__ = ["PairWriter", "load_manifest", "read_record", "safe_name"]

# Imported on first use: the window opens before it writes anything.
__getattr__ = late(
    __name__, {"export": ("PairWriter", "load_manifest", "read_record"), "marks": ("safe_name",)}
)
