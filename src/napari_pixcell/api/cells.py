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
from napari_pixcell.engine.requests import LARGEST_SEARCH, segment_request
from napari_pixcell.errors import PixCellError, check_range

BUILT_IN_METHOD = "builtin"


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
    """Segment the nuclei of a region.

    Parameters
    ----------
    ask : callable
        Runs a request on an engine. The built-in method needs none.

    Raises
    ------
    PixCellError
        If the region is too large, or smaller than the smallest cell.
    """
    if math.prod(chosen.size) > LARGEST_SEARCH:
        side = math.isqrt(LARGEST_SEARCH)
        raise PixCellError(
            f"At most {side} × {side} px can be segmented at once. Choose a smaller region."
        )
    mpp = chosen.family.mpp
    pixels = chosen.slide.read(chosen.region, mpp)
    how.check_area(pixels.shape[:2], mpp)
    warn(chosen.slide.corrupt_note(chosen.region))
    if how.method != BUILT_IN_METHOD:
        found = ask(segment_request(pixels, mpp, how))
        return _on_slide(chosen, found.labels, found.source)
    from napari_pixcell.cells import segment_nuclei  # needs no torch

    labels = segment_nuclei(
        pixels, mpp, how.sensitivity, how.smallest_um2, largest_um2=how.largest_um2
    )
    return _on_slide(chosen, labels, LayoutSource(how.method))


def check_cells_file(counted_from: str, cells_mpp: float | None) -> None:
    """Raise PixCellError if cells of a file cannot be placed so."""
    if counted_from not in ("auto", "slide", "region"):
        raise PixCellError(
            f"Coordinates cannot be counted from “{counted_from}”. Choose auto, slide or region."
        )
    if cells_mpp is not None:
        check_range("pixel size of the cells", cells_mpp, 0.01, 50, " µm")


def read_cells_of(
    chosen: ChosenRegion,
    path: str | Path,
    *,
    cells_mpp: float | None,
    counted_from: str,
    image: str,
    split_touching: bool,
) -> Layout:
    """Read the cells of a region from a file. Parameters: :meth:`Engine.read_layout`."""
    from napari_pixcell.cells import cells_for, read_cells

    slide = chosen.slide
    file = read_cells(path, image=image or slide.short_name, split_touching=split_touching)
    labels, classes, report = cells_for(
        file.with_mpp(cells_mpp), chosen.region, chosen.size, slide.shape, slide.mpp, counted_from
    )
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
