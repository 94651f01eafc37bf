"""Start images that a record names by their hash, left out of exports and read from the slide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.record import Record
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.engine.requests import read_tissue
from napari_pixcell.engine.tissue import slide_signature
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.families import get_family
from napari_pixcell.slides.opening import open_slide
from napari_pixcell.slides.region import Region
from napari_pixcell.untrusted import reading


def without_start(record: Record) -> Record:
    """Return a record that names its start image, which may be tissue, by hash only."""
    request = record.request
    if request.start is None or request.start.withheld:
        return record
    return replace(record, request=replace(request, start=request.start.without_values()))


def check_start_known(record: Record) -> None:
    """Raise PixCellError if a record lacks the pixels of its start image."""
    start = record.request.start
    if start is not None and start.withheld:
        raise PixCellError(
            "This record starts from a picture that it does not contain. Add --slide FILE, the "
            "slide or image that it was made from."
        )


def with_start(record: Record, path: Path) -> Record:
    """Return a record with the pixels of its start image, read again.

    Parameters
    ----------
    record : Record
    path : Path
        The slide, whose region is read, or the image itself.

    Raises
    ------
    PixCellError
        If the file cannot be read, or does not hold the same pixels.
    """
    request = record.request
    if request.start is None or not request.start.withheld:
        return record
    slide = open_slide(path, mpp=request.source.mpp)
    with reading(path.name):
        for pixels in _pictures(request, slide):
            start = PackedArray.pack(pixels)
            if start == request.start:
                return replace(record, request=replace(request, start=start))
    known = request.source.slide
    reason = "reads other pixels there" if slide_signature(slide) == known else "is another file"
    raise PixCellError(
        f"The record was not made from “{path.name}”, which {reason}. Choose the slide or image "
        "that it was made from."
    )


def _pictures(request: GenerateRequest, slide: Any) -> Iterator[Any]:
    """Iterate over what a start image may be: the region's tissue, or the whole image."""
    assert request.start is not None
    size, source, family = request.start.shape[:2], request.source, get_family(request.family)
    if source.region is not None and slide.mpp is not None:
        region = Region(*source.region)
        if region.shape_at(slide.mpp, family.mpp) == size:
            yield read_tissue(slide, region, family)
    if slide.shape == size:
        whole = slide if slide.mpp is not None else slide.with_mpp(family.mpp)
        yield whole.read(Region(0, 0, size[1], size[0]), whole.mpp)
