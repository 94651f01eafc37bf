"""The look of tissue, and its similarity to a style: colour, sharpness and embeddings.

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

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family

LOWEST, HIGHEST = 2, 253  # grey levels beyond which a channel is saturated
LEAST_TISSUE = 0.01  # share of a picture below which its glass is described
# Hue shift and brightness of each row of reference tiles.
COLOURS = ((0.0, 1.0), (-0.12, 1.0), (0.12, 1.0), (0.0, 0.7))
TILES = 4  # in a row
CORNER = 300  # px from the edges of the sample slide, within the tissue


def look_of(pixels: NDArray[np.uint8]) -> dict[str, float]:
    """Compute colour, sharpness and contrast of tissue.

    Parameters
    ----------
    pixels : array, uint8, (height, width, 3)

    Returns
    -------
    dict
        ``L``, ``a``, ``b``: median colour of the tissue without glass, CIELAB under D65, which
        depends little on the number of nuclei.
        ``sharpness``: variance of the Laplacian of the lightness (Pech-Pacheco et al., ICPR 2000)
        divided by the variance of the lightness. ``contrast``: standard deviation of the
        lightness, 0 to 100. ``saturated``: share of pixels with a saturated channel, 0 to 1.
    """
    from scipy.ndimage import laplace
    from skimage.color import rgb2lab

    from napari_pixcell.cells.segmentation import GLASS

    lab = rgb2lab(pixels).astype(np.float32)
    lightness = lab[..., 0]
    tissue = pixels.min(axis=-1) < GLASS
    counted = lab[tissue] if tissue.mean() > LEAST_TISSUE else lab.reshape(-1, 3)
    middle = np.median(counted, axis=0)
    spread = float(lightness.var(dtype=np.float64))
    edges = float(laplace(lightness).var(dtype=np.float64))
    ends = (pixels <= LOWEST) | (pixels >= HIGHEST)
    return {
        "L": float(middle[0]),
        "a": float(middle[1]),
        "b": float(middle[2]),
        "sharpness": edges / max(spread, 1e-6),
        "contrast": spread**0.5,
        "saturated": float(ends.any(axis=-1).mean()),
    }


def is_picture(image: Any) -> bool:
    """Return True for an RGB picture: a non-empty array, uint8, (height, width, 3)."""
    return (
        isinstance(image, np.ndarray)
        and image.dtype == np.uint8
        and image.ndim == 3
        and image.shape[2] == 3
        and image.size > 0
    )


def colour_distance(look: dict[str, float], other: dict[str, float]) -> float | None:
    """Compute the difference of two median colours: ΔE (CIEDE2000); None if one is unknown."""
    from skimage.color import deltaE_ciede2000

    if not all(name in one for name in ("L", "a", "b") for one in (look, other)):
        return None
    colours = (np.array([one["L"], one["a"], one["b"]]) for one in (look, other))
    return float(deltaE_ciede2000(*colours))


def sharpness_ratio(look: dict[str, float], other: dict[str, float]) -> float | None:
    """Compute the ratio of two sharpnesses; None if the second is unknown or 0."""
    known: Any = other.get("sharpness")
    return look["sharpness"] / known if known else None


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

    Raises
    ------
    PixCellError
        If another model embedded the style.
    """
    if own.shape[-1] != wanted.shape[-1]:
        raise PixCellError(
            f"The style has an embedding of {wanted.shape[-1]} numbers, but the model makes "
            f"{own.shape[-1]}. Restore the style from a copy, or install the model it was made "
            "with."
        )
    a, b = (
        unit(unit(one.reshape(-1, one.shape[-1]).mean(axis=0)) - centre) for one in (own, wanted)
    )
    return float(a @ b)
