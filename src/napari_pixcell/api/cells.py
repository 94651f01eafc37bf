"""Cells of a region, segmented or read from a file, as its layout."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.api.layouts import IMPORTED, Layout
from napari_pixcell.api.warning import warn
from napari_pixcell.cells.methods import LayoutSource, SegmentMethod
from napari_pixcell.engine.chosen_region import ChosenRegion
from napari_pixcell.engine.events import SegmentedLayout
from napari_pixcell.engine.request_values import SegmentRequest
from napari_pixcell.engine.requests import LARGEST_SEARCH
from napari_pixcell.errors import PixCellError, check_range


def segment_method(method: str, settings: Mapping[str, Any]) -> SegmentMethod:
    """Return a method of segmentation with its settings.

    Raises
    ------
    PixCellError
        If a setting is unknown or out of range.
    """
    known = set(SegmentMethod.__dataclass_fields__) - {"method"}
    if unknown := sorted(set(settings) - known):
        raise PixCellError(
            f"There is no setting {unknown[0]}. Choose some of: {', '.join(sorted(known))}."
        )
    return SegmentMethod(method, **settings)


def segment_cells(
    chosen: ChosenRegion, how: SegmentMethod, ask: Callable[[SegmentRequest], SegmentedLayout]
) -> Layout:
    """Segment the nuclei of a region. Parameters and errors: :meth:`ChosenRegion.segment`.

    Raises
    ------
    PixCellError
        Also if the region is so large that it would fill the memory.
    """
    if math.prod(chosen.size) > LARGEST_SEARCH:
        side = math.isqrt(LARGEST_SEARCH)
        raise PixCellError(
            f"At most {side} × {side} px can be segmented at once. Choose a smaller region."
        )
    found = chosen.segment(how, ask)
    warn(chosen.slide.corrupt_note(chosen.region))
    return _on_slide(chosen, found.labels, found.source)


def check_cells_file(counted_from: str, cells_mpp: float | None) -> None:
    """Raise PixCellError if cells of a file cannot be placed so."""
    if counted_from not in ("auto", "slide", "region"):
        raise PixCellError(
            f"Coordinates cannot be counted from “{counted_from}”. Choose auto, slide or region."
        )
    if cells_mpp is not None:
        check_range("pixel size of the cells", cells_mpp, 0.01, 50, " µm")


def read_cells_of(chosen: ChosenRegion, path: str | Path, **how: Any) -> Layout:
    """Read the cells of a region. Parameters and errors: :meth:`ChosenRegion.read_cells`."""
    labels, classes, report = chosen.read_cells(path, **how)
    if report.dropped or report.changed:
        warn(str(report))
    return _on_slide(chosen, labels, IMPORTED, classes)


def _on_slide(
    chosen: ChosenRegion,
    labels: NDArray[np.int32],
    source: LayoutSource,
    classes: Mapping[int, str] | None = None,
) -> Layout:
    """Return the layout of a region, which knows its place on the slide."""
    mpp = chosen.family.mpp
    return Layout(labels, mpp, classes or {}, source, chosen.region, chosen.slide.mpp)
