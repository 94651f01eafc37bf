"""Similarity of an image to its requested style.

The embeddings of all tissue share a direction, see
:mod:`napari_pixcell.engine.styles.similarity`. Subtracting the mean of a dataset's own tissue
would remove too much: for a single slide it is the style itself. Instead, the mean of a few tiles
of the bundled sample slide in several colours serves all datasets of a family.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.models.catalogue import Family

# Hue shift and brightness of each row of tiles.
COLOURS = ((0.0, 1.0), (-0.12, 1.0), (0.12, 1.0), (0.0, 0.7))
TILES = 4  # in a row
CORNER = 300  # px from the edges of the sample slide, within the tissue


@lru_cache(maxsize=2)
def reference_picture(family: Family) -> NDArray[np.uint8]:
    """Return tissue in several colours: uint8, TILES × TILES tiles of one embedding."""
    from skimage.color import hsv2rgb, rgb2hsv

    from napari_pixcell.slides import Region, open_slide
    from napari_pixcell.slides.samples import SAMPLE_SLIDE

    with open_slide(SAMPLE_SLIDE) as slide:
        side = family.tile // family.grid
        px = side * family.mpp / slide.require_mpp()
        row = slide.read(Region(CORNER, CORNER, TILES * px, px), family.mpp)[:side, : TILES * side]
    hsv = rgb2hsv(row)
    rows = []
    for turn, brightness in COLOURS:
        changed = hsv * (1, 1, brightness)
        changed[..., 0] = (changed[..., 0] + turn) % 1
        rows.append((255 * hsv2rgb(changed)).round().astype(np.uint8))
    return np.concatenate(rows)


def centre_of(embeddings: NDArray[Any]) -> NDArray[np.float64]:
    """Return the mean direction of embeddings, (..., dimension)."""
    return np.asarray(unit(embeddings).reshape(-1, embeddings.shape[-1]).mean(axis=0))


def unit(vectors: NDArray[Any]) -> NDArray[np.float64]:
    """Normalise vectors, (..., dimension); zero vectors stay zero."""
    vectors = np.asarray(vectors, np.float64)
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(length > 1e-9, length, np.inf))


def style_cosine(own: NDArray[Any], wanted: NDArray[Any], centre: NDArray[Any]) -> float:
    """Compute the cosine of an image's and its style's embeddings, less what all tissue shares.

    Parameters
    ----------
    own, wanted : array, float, (..., dimension)
        The means of grids are compared.
    centre : array, float, (dimension,)
        See :func:`centre_of`.
    """
    a, b = (
        unit(unit(one.reshape(-1, one.shape[-1]).mean(axis=0)) - centre) for one in (own, wanted)
    )
    return float(a @ b)
