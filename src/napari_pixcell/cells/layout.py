"""Layouts: checks, statistics, and the condition image that a ControlNet reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.errors import PixCellError
from napari_pixcell.words import counted

MAX_CELLS = 500_000


def check_layout(labels: NDArray[Any], shape: tuple[int, int] | None = None) -> None:
    """Check that a layout can guide a generation.

    Parameters
    ----------
    labels : array, (height, width)
        Instance label image; 0 is background.
    shape : (height, width), optional
        Required size in px.

    Raises
    ------
    PixCellError
        If the size is wrong, or there are no cells or more than 500,000.
    """
    if labels.ndim != 2 or (shape is not None and labels.shape != tuple(shape)):
        wants = in_px(shape) if shape else "two dimensions"
        raise PixCellError(
            f"The layout is {in_px(labels.shape)} but the region needs {wants}. "
            "Create or import a layout of the region's size."
        )
    cells = count_cells(labels)
    if cells == 0:
        raise PixCellError(
            "The layout has no cells. Paint some, press “Segment nuclei”, or choose “No layout”."
        )
    if cells > MAX_CELLS:
        raise PixCellError(
            f"The layout has {cells:,} cells, more than {MAX_CELLS:,}. "
            "Use a smaller region or remove cells."
        )


def in_px(shape: tuple[int, ...]) -> str:
    """Return a shape in words, width first: “60 × 40 px”."""
    return f"{' × '.join(str(n) for n in shape[::-1])} px"


def count_cells(labels: NDArray[Any]) -> int:
    """Return the number of cells in a label image."""
    return len(areas(labels)[0])


def areas(labels: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the labels of a label image without 0, ascending, and the area of each in px."""
    lowest, highest = (int(f(labels)) if labels.size else 0 for f in (np.min, np.max))
    if labels.dtype.kind in "iu" and lowest >= 0 and highest <= max(1024, labels.size):
        counts = np.bincount(labels.ravel(), minlength=1)  # ten times faster than sorting
        counts[0] = 0
        found = np.flatnonzero(counts)
        return found, counts[found]
    found, counts = np.unique(labels[labels != 0], return_counts=True)
    return found.astype(np.int64), counts


@dataclass(frozen=True)
class Summary:
    """Statistics of a layout: cell count, cells per mm², and median area in µm²."""

    count: int
    per_mm2: float
    median_um2: float

    def __str__(self) -> str:
        if not self.count:
            return "No cells yet"
        return (
            f"{counted(self.count, 'cell')} · {self.per_mm2:,.0f} per mm² · "
            f"median {self.median_um2:.0f} µm²"
        )


def describe(labels: NDArray[Any], mpp: float) -> Summary:
    """Return the statistics of a layout.

    Parameters
    ----------
    labels : array, (height, width)
        Instance label image.
    mpp : float
        Pixel size in µm.
    """
    found, pixels = areas(labels)
    pixels = pixels[found > 0]
    mm2 = labels.size * mpp**2 / 1e6
    median = float(np.median(pixels)) * mpp**2 if len(pixels) else 0.0
    return Summary(len(pixels), len(pixels) / mm2, median)


SMALL_UM2, LARGE_UM2 = 10.0, 250.0  # median areas between which cells are nuclei
CROWDED_PER_MM2 = 20_000.0


def advice(layout: Summary) -> str:
    """Return a warning if a layout differs from those the models were trained on, else "".

    PixCell's and the demo model's layouts hold nuclei of 10 to 250 µm², up to 20,000 per mm².
    """
    if not layout.count:
        return ""
    size = f"median {layout.median_um2:.0f} µm², nuclei {SMALL_UM2:.0f} to {LARGE_UM2:.0f} µm²"
    if layout.median_um2 > LARGE_UM2:
        return (
            f"These cells are far larger than nuclei ({size}), so the image may not follow them. "
            "Check the pixel size, or outline nuclei only."
        )
    if layout.median_um2 < SMALL_UM2:
        return (
            f"These cells are far smaller than nuclei ({size}), so the image may not follow them. "
            "Check the pixel size, or remove the smallest cells."
        )
    if layout.per_mm2 > CROWDED_PER_MM2:
        return (
            f"{layout.per_mm2:,.0f} cells per mm² are denser than tissue, so the image may not "
            "follow them. Remove some cells."
        )
    return ""


def condition_image(labels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return a layout as the condition image of the ControlNet: white cells on black.

    A pixel that touches a cell with a smaller label becomes background. The gap of one pixel
    keeps touching cells apart in the binary image.

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
