"""Arguments of the engine: checked, and turned into parts of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.api.layouts import Layout
from napari_pixcell.api.slides import check_rgb
from napari_pixcell.cells.layout import in_px
from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.engine.chosen_region import ChosenRegion
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import Source
from napari_pixcell.engine.requests import StartImage, source_of
from napari_pixcell.engine.start_image import FEATHER, MAX_FEATHER
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.slide import Slide

STRENGTH = 0.6  # how much of a start image changes by default
SAME_MPP = 0.005  # relative difference of pixel sizes that are taken as equal


def whole(slide: Slide) -> Region:
    """Return the region of a whole slide."""
    height, width = slide.shape
    return Region(0, 0, width, height)


def on_slide(
    chosen: ChosenRegion,
    labels: NDArray[np.int32],
    source: LayoutSource,
    classes: Mapping[int, str] | None = None,
) -> Layout:
    """Return the layout of a region, which knows its place on the slide."""
    mpp = chosen.family.mpp
    return Layout(labels, mpp, classes or {}, source, chosen.region, chosen.slide.mpp)


def source_for(chosen: ChosenRegion | None, layout: Layout | None, name: str) -> Source:
    """Return where variants come from, for their records."""
    made = None if layout is None else layout.source
    if chosen is not None:
        return replace(chosen.source, layout=made)
    if layout is None:
        return source_of(name, None, None)
    return source_of(name, layout.region, layout.slide_mpp, layout=made)


def check_fits(layout: object, family: Family, size: tuple[int, int] | None) -> tuple[int, int]:
    """Return the (height, width) of a layout in px.

    Raises
    ------
    PixCellError
        If it is none, has another pixel size than the family, or another size than its region.
    """
    if not isinstance(layout, Layout):
        raise PixCellError(
            f"A layout is expected, not {type(layout).__name__}. Use engine.segment, or "
            "pixcell.Layout(labels, mpp)."
        )
    if abs(layout.mpp - family.mpp) > SAME_MPP * family.mpp:
        raise PixCellError(
            f"The layout has {layout.mpp:g} µm/px, but {family.title} works at {family.mpp:g} "
            f"µm/px. Use layout.resampled({family.mpp:g})."
        )
    if size is not None and layout.shape != size:
        raise PixCellError(
            f"The layout is {in_px(layout.shape)} but the region needs {in_px(size)}. Use a layout "
            "of the same region."
        )
    return layout.shape


def start_image(
    mpp: float,
    image: NDArray[np.uint8] | None,
    strength: float | None,
    part: NDArray[Any] | None,
    feather: float | None,
) -> StartImage | None:
    """Return the start image of a generation, or None.

    Parameters
    ----------
    mpp : float
        Pixel size of the family in µm.
    image, strength, part, feather
        See :meth:`Engine.generate`.

    Raises
    ------
    PixCellError
        If there are settings without an image, or one is out of range.
    """
    if image is None:
        for name, value in (("strength", strength), ("part", part), ("feather", feather)):
            if value is not None:
                raise PixCellError(
                    f"{name} needs an image to start from. Pass start=, or omit {name}."
                )
        return None
    check_rgb(image, "start image")
    strength = STRENGTH if strength is None else strength
    start = StartImage(image=PackedArray.pack(image), strength=strength)
    if part is None:
        if feather is not None:
            raise PixCellError("feather blends around a part. Pass part=, or omit feather.")
        return start
    pixels = FEATHER if feather is None else feather / mpp
    if not 0 <= pixels <= MAX_FEATHER:
        raise PixCellError(f"The feather is {feather:g} µm. Choose 0 to {MAX_FEATHER * mpp:g} µm.")
    mask = PackedArray.pack(np.asarray(part) != 0)
    return replace(start, part=mask, feather=round(pixels))
