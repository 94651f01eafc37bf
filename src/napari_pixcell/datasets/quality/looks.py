"""Colour, sharpness and contrast of tissue."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LOWEST, HIGHEST = 2, 253  # grey levels beyond which a channel is saturated

LEAST_TISSUE = 0.01  # share of a picture below which its glass is described


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
