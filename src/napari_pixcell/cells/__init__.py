"""Layouts of cells: import, segment, stamp, invent, render as a condition. No torch, no Qt."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_pixcell.cells.importing import import_layout
from napari_pixcell.cells.layout import (
    MAX_CELLS,
    check_layout,
    condition_image,
    count_cells,
    describe,
)
from napari_pixcell.cells.recipe import Recipe

if TYPE_CHECKING:
    from napari_pixcell.cells.inventing import Invented, invent
    from napari_pixcell.cells.measuring import measure
    from napari_pixcell.cells.placing import Patch, fit, place
    from napari_pixcell.cells.scattering import Scatter
    from napari_pixcell.cells.segmentation import segment_nuclei
    from napari_pixcell.cells.stamps import StampLibrary, default_library
    from napari_pixcell.cells.varying import vary

__all__ = [
    "MAX_CELLS",
    "Invented",
    "Patch",
    "Recipe",
    "Scatter",
    "StampLibrary",
    "check_layout",
    "condition_image",
    "count_cells",
    "default_library",
    "describe",
    "fit",
    "import_layout",
    "invent",
    "measure",
    "place",
    "segment_nuclei",
    "vary",
]

_LATE = {
    "Invented": "inventing",
    "Patch": "placing",
    "Scatter": "scattering",
    "StampLibrary": "stamps",
    "default_library": "stamps",
    "fit": "placing",
    "invent": "inventing",
    "measure": "measuring",
    "place": "placing",
    "segment_nuclei": "segmentation",
    "vary": "varying",
}


def __getattr__(name: str) -> Any:
    """Import what needs scikit-image or scipy when it is first asked for: they take 0.2 s."""
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
