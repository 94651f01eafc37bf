"""Colour deconvolution: how much haematoxylin and how much DAB there is in each pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Optical densities of red, green and blue: Ruifrok and Johnston, "Quantification of histochemical
# staining by color deconvolution", Anal Quant Cytol Histol 23 (2001) 291-299.
HAEMATOXYLIN = (0.65, 0.70, 0.29)
DAB = (0.27, 0.57, 0.78)

FULL = (255.0, 255.0, 255.0)
PALE, COLOURLESS = 200, 25  # of a pixel that may be glass: its darkest channel, and their range
LEAST_GLASS = 0.01  # part of the picture
NEAR = 6  # of the commonest brightness, as the sum of three channels

TISSUE_BLUR_UM = 5.0
TISSUE_DENSITY = 0.05  # of red, green and blue together, after that blur


def _unmixing() -> NDArray[np.float32]:
    """Give the matrix that takes optical densities of RGB to those of the stains.

    What neither stain explains goes to a third axis at right angles to both.
    """
    stains = np.array([HAEMATOXYLIN, DAB])
    stains /= np.linalg.norm(stains, axis=1, keepdims=True)
    rest = np.cross(*stains)
    mixing = np.vstack([stains, rest / np.linalg.norm(rest)])
    return np.linalg.inv(mixing)[:, :2].astype(np.float32)


UNMIXING = _unmixing()


def white_of(picture: NDArray[np.uint8]) -> tuple[float, float, float]:
    """Give the colour of light that went through glass alone.

    That is the commonest colour of pale, colourless pixels; full white where there are hardly any,
    as in a picture that tissue fills.

    Parameters
    ----------
    picture : array, uint8, (height, width, 3)
        At any pixel size.

    Returns
    -------
    (red, green, blue)
        0 to 255.
    """
    pale = (picture.min(axis=-1) >= PALE) & (np.ptp(picture, axis=-1) <= COLOURLESS)
    if np.count_nonzero(pale) < LEAST_GLASS * pale.size:
        return FULL
    colours = picture[pale]
    brightness = colours.sum(axis=1, dtype=int)
    counts = np.convolve(np.bincount(brightness), np.ones(2 * NEAR + 1), "same")
    near = np.abs(brightness - int(counts.argmax())) <= NEAR
    red, green, blue = np.median(colours[near], axis=0)
    return float(red), float(green), float(blue)


def optical_density(
    picture: NDArray[np.uint8], white: tuple[float, float, float] = FULL
) -> NDArray[np.float32]:
    """Give the optical density of each channel: -log10 of the part of light that came through.

    Parameters
    ----------
    picture : array, uint8, (height, width, 3)
    white : (red, green, blue)
        Light without tissue, 0 to 255.

    Returns
    -------
    array, float32, (height, width, 3)
        0 is as bright as ``white``; slightly below 0 is brighter.
    """
    table = -np.log10(np.maximum(np.arange(256), 1)[:, None] / np.asarray(white))
    table = table.astype(np.float32)
    return np.stack([table[picture[..., n], n] for n in range(3)], axis=-1)


def stain_densities(
    picture: NDArray[np.uint8], white: tuple[float, float, float] = FULL
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Unmix a picture into haematoxylin and DAB (Ruifrok and Johnston, 2001).

    Unlike scikit-image's ``rgb2hed`` it assumes no eosin, takes the colour of the glass into
    account, and gives optical densities: the length along a stain's unit vector, in units of
    log10. QuPath's DAB OD is the same where its background is ``white``.

    Parameters
    ----------
    picture : array, uint8, (height, width, 3)
    white : (red, green, blue)
        Light without tissue, 0 to 255, as :func:`white_of` gives.

    Returns
    -------
    haematoxylin, dab : array, float32, (height, width)
        Optical densities; about 0 without the stain, from about 0.2 visible.
    """
    unmixed: Any = optical_density(picture, white) @ UNMIXING
    return unmixed[..., 0], unmixed[..., 1]


def tissue_mask(
    picture: NDArray[np.uint8], mpp: float, white: tuple[float, float, float]
) -> NDArray[np.bool_]:
    """Tell tissue from glass; pale cytoplasm between nuclei counts as tissue.

    Parameters
    ----------
    picture : array, uint8, (height, width, 3)
    mpp : float
        Pixel size in µm.
    white : (red, green, blue)
        Light without tissue, 0 to 255.

    Returns
    -------
    array, bool, (height, width)
    """
    from scipy.ndimage import gaussian_filter

    whole = optical_density(picture, white).sum(axis=-1)
    return np.asarray(gaussian_filter(whole, TISSUE_BLUR_UM / mpp, truncate=2) > TISSUE_DENSITY)
