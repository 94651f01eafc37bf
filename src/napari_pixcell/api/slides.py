"""Slides of the public API: files, arrays, and the bundled sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from napari_pixcell.errors import PixCellError
from napari_pixcell.slides import opening
from napari_pixcell.slides.slide import ArraySlide, Slide

SlideLike: TypeAlias = "Slide | str | Path | np.ndarray[Any, Any]"


def check_rgb(image: Any, what: str = "image") -> None:
    """Raise PixCellError unless an image is an array of (height, width, 3) uint8 pixels."""
    shape, dtype = getattr(image, "shape", None), getattr(image, "dtype", None)
    if shape is None or dtype is None:
        raise PixCellError(
            f"The {what} is of the type {type(image).__name__}. Use an array of (height, width, 3) "
            "uint8 pixels."
        )
    if dtype != np.uint8 or len(shape) != 3 or shape[-1] != 3 or 0 in shape:
        raise PixCellError(
            f"The {what} is an array of {tuple(shape)}, {dtype}. Use (height, width, 3) uint8 "
            "pixels."
        )


def open_slide(source: SlideLike, mpp: float | None = None) -> Slide:
    """Open a slide: the file of a whole-slide image, TIFF or plain image, or an array.

    Parameters
    ----------
    source : str, Path or array
        File, or an RGB image of (height, width, 3) uint8 pixels.
    mpp : float, optional
        Pixel size of level 0 in µm. By default the one that the file states, or that was entered
        for it in napari.

    Returns
    -------
    Slide
        Close it with :meth:`Slide.close`, or use it in a ``with`` block.

    Raises
    ------
    PixCellError
        If the file cannot be read, the array is no RGB image, or the pixel size is implausible.
    """
    if isinstance(source, Slide):
        return source if mpp is None else source.with_mpp(mpp)
    if isinstance(source, str | Path):
        return opening.open_slide(source, mpp)
    check_rgb(source)
    return ArraySlide([source], mpp, "image")


def sample_slide() -> Slide:
    """Open the bundled sample slide: synthetic H&E, 992 × 992 µm at 0.5 µm/px."""
    from napari_pixcell.slides.samples import SAMPLE_SLIDE

    return opening.open_slide(SAMPLE_SLIDE)
