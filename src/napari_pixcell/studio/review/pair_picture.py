"""A pair as one picture: the image, with the outlines of its mask over it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

YELLOW = (255, 230, 0)  # neither H&E nor DAB has it
SMALL = 160  # px; outlines in smaller pictures let the cells shine through


def pair_picture(
    image: NDArray[np.uint8], labels: NDArray[Any] | None, side: int
) -> NDArray[np.uint8]:
    """Draw a pair at a size.

    Parameters
    ----------
    image : array, uint8, (height, width, 3)
    labels : array of integers, (height, width), optional
        Whose outlines are drawn, one pixel of the result thin.
    side : int
        Of the longer side of the result, in px.

    Returns
    -------
    array, uint8, (height, width, 3)
    """
    scale = side / max(image.shape[:2])
    high, wide = (max(1, round(length * scale)) for length in image.shape[:2])
    how = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    drawn = np.array(Image.fromarray(image).resize((wide, high), how))
    if labels is not None:
        rows = _nearest(high, labels.shape[0])
        edge = outlines(labels[rows[:, None], _nearest(wide, labels.shape[1])])
        share = 1.0 if side >= SMALL else 0.5
        mixed = share * np.array(YELLOW) + (1 - share) * drawn[edge]
        drawn[edge] = mixed.round().astype(np.uint8)
    return drawn


def outlines(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Find the pixels of cells that have another cell, or none, beside them."""
    edge = np.zeros(labels.shape, bool)
    for axis in (0, 1):
        first = np.moveaxis(labels, axis, 0)
        differ = first[1:] != first[:-1]
        along = np.moveaxis(edge, axis, 0)
        along[1:] |= differ
        along[:-1] |= differ
    return edge & (labels > 0)


def _nearest(count: int, of: int) -> NDArray[np.intp]:
    return ((np.arange(count) + 0.5) * of / count).astype(np.intp)
