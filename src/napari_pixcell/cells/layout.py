"""A layout: cells as an instance label image, and as the picture a ControlNet reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.errors import PixCellError

MAX_CELLS = 500_000


def check_layout(labels: NDArray[Any], shape: tuple[int, int] | None = None) -> None:
    """Refuse a layout that cannot guide a generation.

    Parameters
    ----------
    labels : array, (height, width)
        Instance label image; 0 is background.
    shape : (height, width), optional
        What the family's tile asks for.

    Raises
    ------
    PixCellError
        If the size is another, there are no cells, or more than 500,000.
    """
    if labels.ndim != 2 or (shape is not None and labels.shape != tuple(shape)):
        has = " × ".join(str(n) for n in labels.shape[::-1])
        wants = f"{shape[1]} × {shape[0]} px" if shape else "two dimensions"
        raise PixCellError(
            f"The layout is {has} px but the region needs {wants}; "
            "make or import a layout of the region's own size."
        )
    cells = count_cells(labels)
    if cells == 0:
        raise PixCellError(
            "The layout has no cells; paint some, press “Segment nuclei”, or choose “No layout”."
        )
    if cells > MAX_CELLS:
        raise PixCellError(
            f"The layout has {cells:,} cells, more than {MAX_CELLS:,}; "
            "use a smaller region or remove cells."
        )


def count_cells(labels: NDArray[Any]) -> int:
    """Count the instances of a label image."""
    return int(np.count_nonzero(np.unique(labels)))


@dataclass(frozen=True)
class Summary:
    """A layout in numbers: cells, cells per mm², and median area in µm²."""

    count: int
    per_mm2: float
    median_um2: float

    def __str__(self) -> str:
        if not self.count:
            return "No cells yet"
        return (
            f"{self.count:,} cell{'s' if self.count > 1 else ''} · "
            f"{self.per_mm2:,.0f} per mm² · median {self.median_um2:.0f} µm²"
        )


def describe(labels: NDArray[Any], mpp: float) -> Summary:
    """Summarise a layout.

    Parameters
    ----------
    labels : array, (height, width)
        Instance label image.
    mpp : float
        Its pixel size in µm.
    """
    areas = np.unique(labels[labels > 0], return_counts=True)[1] * mpp**2
    mm2 = labels.size * mpp**2 / 1e6
    median = float(np.median(areas)) if len(areas) else 0.0
    return Summary(len(areas), len(areas) / mm2, median)


def condition_image(labels: NDArray[Any]) -> NDArray[np.uint8]:
    """Draw a layout as the ControlNet reads it: cells white on black.

    A binary picture cannot tell touching cells apart, so a pixel that touches a cell of a smaller
    label becomes background: a gap of one pixel.

    Parameters
    ----------
    labels : array, (height, width)
        Instance label image.

    Returns
    -------
    array, uint8, (height, width, 3)
    """
    padded = np.pad(labels, 1)
    height, width = labels.shape
    cells = labels > 0
    for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)):
        other = padded[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        cells &= ~((other > 0) & (other < labels))
    return np.repeat(np.where(cells, 255, 0).astype(np.uint8)[..., None], 3, axis=2)
