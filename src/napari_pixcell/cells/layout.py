"""Layouts: checks, statistics, import reports and the condition image of a ControlNet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.class_map import ClassMap
from napari_pixcell.errors import PixCellError
from napari_pixcell.serialization import to_json
from napari_pixcell.words import counted

MAX_CELLS = 500_000
COUNTED_AT_ONCE = 4_000_000  # px
SMALL_UM2, LARGE_UM2 = 10.0, 250.0  # median areas between which cells are nuclei
CROWDED_PER_MM2 = 20_000.0


def check_layout(labels: NDArray[Any], shape: tuple[int, int] | None = None) -> None:
    """Check that a layout can guide a generation.

    Parameters
    ----------
    labels : instance label image, (height, width)
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


def classes_in(labels: NDArray[Any], classes: Mapping[int, str]) -> dict[int, str]:
    """Return the classes of the cells that a label image holds."""
    left = set(np.unique(labels).tolist())
    return {label: name for label, name in classes.items() if label in left}


def areas(labels: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the labels of a label image without 0, ascending, and the area of each in px."""
    lowest, highest = (int(f(labels)) if labels.size else 0 for f in (np.min, np.max))
    parts = np.array_split(labels.ravel(), labels.size // COUNTED_AT_ONCE + 1)  # to save memory
    most = max(1024, min(labels.size, COUNTED_AT_ONCE))
    if labels.dtype.kind in "iu" and lowest >= 0 and highest <= most:
        counts = np.zeros(highest + 1, np.int64)
        for part in parts:  # ten times faster than sorting
            counts += np.bincount(part, minlength=highest + 1)
        counts[0] = 0
        found = np.flatnonzero(counts)
        return found, counts[found]
    several = [np.unique(part, return_counts=True) for part in parts]
    found, where = np.unique(np.concatenate([one for one, _ in several]), return_inverse=True)
    counts = np.zeros(len(found), np.int64)
    np.add.at(counts, where, np.concatenate([count for _, count in several]))
    return found[found != 0].astype(np.int64), counts[found != 0]


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
    labels : instance label image, (height, width)
    mpp : float, µm per pixel
    """
    found, pixels = areas(labels)
    pixels = pixels[found > 0]
    mm2 = labels.size * mpp**2 / 1e6
    median = float(np.median(pixels)) * mpp**2 if len(pixels) else 0.0
    return Summary(len(pixels), len(pixels) / mm2, median)


def advice(layout: Summary) -> str:
    """Return a warning if a layout differs from those the models were trained on, else "".

    PixCell's and the demo model's layouts hold nuclei of 10 to 250 µm², up to 20,000 per mm².
    """
    if not layout.count:
        return ""
    large = layout.median_um2 > LARGE_UM2
    if large or layout.median_um2 < SMALL_UM2:
        how = "larger" if large else "smaller"
        remedy = "outline nuclei only" if large else "remove the smallest cells"
        size = f"median {layout.median_um2:.0f} µm², nuclei {SMALL_UM2:.0f} to {LARGE_UM2:.0f} µm²"
        return (
            f"These cells are far {how} than nuclei ({size}), so the image may not follow them. "
            f"Check the pixel size, or {remedy}."
        )
    if layout.per_mm2 > CROWDED_PER_MM2:
        return (
            f"{layout.per_mm2:,.0f} cells per mm² are denser than tissue, so the image may not "
            "follow them. Remove some cells."
        )
    return ""


def condition_image(
    labels: NDArray[Any], gap: bool = True, classes: ClassMap | None = None
) -> NDArray[np.uint8]:
    """Return a layout as the condition image of the ControlNet: white cells on black.

    Parameters
    ----------
    labels : instance label image, (height, width)
    gap : bool
        Keep touching cells apart: a pixel that touches a cell with a smaller label becomes
        background. A cell that would vanish keeps its pixels, and its neighbours make room.
        Without gaps, as published, touching cells merge.
    classes : ClassMap, optional
        Draw each cell in the colour of its class instead.

    Returns
    -------
    array, uint8, (height, width, 3)
    """
    cells = labels > 0
    if gap:
        for other in _neighbours(labels):
            cells &= ~((other > 0) & (other < labels))
        vanished = np.setdiff1d(areas(labels)[0], areas(np.where(cells, labels, 0))[0])
        if len(vanished):
            cells = _with_room(labels, cells, vanished)
    if classes is not None:
        return np.where(cells[..., None], classes.picture(labels), 0).astype(np.uint8)
    return np.repeat(np.where(cells, 255, 0).astype(np.uint8)[..., None], 3, axis=2)


def _with_room(
    labels: NDArray[Any], cells: NDArray[np.bool_], vanished: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return the cells of a condition image with those that vanished, and a gap around them."""
    restored = np.isin(labels, vanished)
    around = np.zeros_like(cells)
    for other in _neighbours(restored):
        around |= other
    without = cells & ~around
    # Room is made only by cells that have other pixels.
    small = np.setdiff1d(
        areas(np.where(cells, labels, 0))[0], areas(np.where(without, labels, 0))[0]
    )
    return restored | without | (cells & np.isin(labels, small))


def _neighbours(values: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Iterate over an image shifted to each of the eight neighbours of a pixel."""
    height, width = values.shape
    padded = np.pad(values, 1)
    for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)):
        yield padded[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]


@dataclass(frozen=True)
class Report:
    """Counts of cells that were read, dropped and changed, with reasons.

    Parameters
    ----------
    dropped : mapping
        Number of dropped objects for each reason, such as “lines or points”.
    changed : mapping
        Number of changed cells for each change, such as “cut at the edge”.
    """

    read: int
    dropped: Mapping[str, int] = field(default_factory=dict)
    changed: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("dropped", "changed"):
            kept = {why: int(count) for why, count in getattr(self, name).items() if count}
            object.__setattr__(self, name, kept)

    @property
    def lost(self) -> int:
        """Number of dropped objects."""
        return sum(self.dropped.values())

    def then(self, later: Report) -> Report:
        """Return the report of this step followed by a later one."""
        dropped = Counter(self.dropped) + Counter(later.dropped)
        changed = Counter(self.changed) + Counter(later.changed)
        return Report(later.read, dropped, changed)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON value."""
        return to_json(self)

    def __str__(self) -> str:
        text = f"Read {counted(self.read, 'cell')}"
        if self.dropped:
            verb = "was" if self.lost == 1 else "were"
            text += f"; {self.lost:,} {verb} dropped: {_list(self.dropped)}"
        if self.changed:
            text += f"; {_list(self.changed)}"
        return text + "."


def _list(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {why}" for why, count in counts.items())
