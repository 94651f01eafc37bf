"""A pair as one picture: the image with the outlines of its mask."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

YELLOW = (255, 230, 0)  # absent from H&E and from DAB
SMALL = 160  # px; outlines in smaller pictures are translucent


def pair_picture(
    image: NDArray[np.uint8], labels: NDArray[Any] | None, side: int
) -> NDArray[np.uint8]:
    """Draw a pair at a given size.

    Parameters
    ----------
    image : array, uint8, (height, width, 3)
    labels : array of integers, (height, width), optional
        Cells whose outlines are drawn, one pixel of the result wide.
    side : int
        Longer side of the result in px.

    Returns
    -------
    array, uint8, (height, width, 3)
    """
    scale = side / max(image.shape[:2])
    height, width = (max(1, round(length * scale)) for length in image.shape[:2])
    how = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    drawn = np.array(Image.fromarray(image).resize((width, height), how))
    if labels is not None:
        rows = _nearest(height, labels.shape[0])
        edge = outlines(labels[rows[:, None], _nearest(width, labels.shape[1])])
        share = 1.0 if side >= SMALL else 0.5
        mixed = share * np.array(YELLOW) + (1 - share) * drawn[edge]
        drawn[edge] = mixed.round().astype(np.uint8)
    return drawn


def outlines(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Return the pixels of cells that touch another cell or the background."""
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
