"""Datasets of image–mask pairs: recipes, storage, checks, export. No torch, no Qt."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_pixcell.datasets.export import PairWriter, load_manifest, read_record
    from napari_pixcell.datasets.marks import safe_name

__all__ = ["PairWriter", "load_manifest", "read_record", "safe_name"]

# Imported on first use, so that processes that share work start in a tenth of the time.
_LATE = {"export": ("PairWriter", "load_manifest", "read_record"), "marks": ("safe_name",)}


def __getattr__(name: str) -> Any:
    for module, names in _LATE.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
