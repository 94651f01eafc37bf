"""Whether a picture keeps the style that was asked for.

Embeddings share a direction, that of what all tissue has in common, see
:mod:`napari_pixcell.engine.styles.similarity`. Subtracting the mean of a dataset's own tissue
would remove too much: for a single slide it is the style itself. So the mean is taken over a few
tiles of the bundled sample slide in several colours, the same for all datasets of a family.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.models.catalogue import Family

# Turns of the hue, and brightness, of a row of tiles each.
COLOURS = ((0.0, 1.0), (-0.12, 1.0), (0.12, 1.0), (0.0, 0.7))
TILES = 4  # in a row; a tile of the families that read a grid is as large as all of them
CORNER = 300  # px of the sample slide: tissue, and no margin


@lru_cache(maxsize=2)
def reference_picture(family: Family) -> NDArray[np.uint8]:
    """Give tissue in several colours: uint8, TILES × TILES tiles of one embedding."""
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
    """Give what embeddings, (..., dimension), have in common."""
    return np.asarray(unit(embeddings).reshape(-1, embeddings.shape[-1]).mean(axis=0))


def unit(vectors: NDArray[Any]) -> NDArray[np.float64]:
    """Give vectors, (..., dimension), the length 1; 0 stays 0."""
    vectors = np.asarray(vectors, np.float64)
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 1e-9)


def style_cosine(own: NDArray[Any], wanted: NDArray[Any], centre: NDArray[Any]) -> float:
    """Give the cosine of the embeddings of a picture and of its style, less what all tissue shares.

    Parameters
    ----------
    own, wanted : array, float, (..., dimension)
        Grids count by their means.
    centre : array, float, (dimension,)
        See :func:`centre_of`.
    """
    a, b = (
        unit(unit(one.reshape(-1, one.shape[-1]).mean(axis=0)) - centre) for one in (own, wanted)
    )
    return float(a @ b)
