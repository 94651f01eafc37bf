"""Nuclei without weights: haematoxylin, threshold, watershed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.color import rgb2hed
from skimage.feature import peak_local_max
from skimage.filters import gaussian, threshold_otsu
from skimage.morphology import disk, opening, remove_small_holes, remove_small_objects
from skimage.segmentation import watershed

from napari_pixcell.cells.combining import without_small

SMOOTH_UM = 0.6
NEIGHBOURHOOD_UM = 13.0
LOCAL_PART = 0.3
GLASS = 220
LEAST_TISSUE_UM2 = 125.0
SMALLEST_UM2 = 8.0
LARGEST_HOLE_UM2 = 15.0
SEED_DISTANCE_UM = 2.5
LEAST_HAEMATOXYLIN = 0.015
REACH = 0.8  # standard deviations of the stain at a sensitivity of 1


@dataclass(frozen=True, eq=False)
class Haematoxylin:
    """What the outlines of nuclei are drawn from: all that takes time and does not change.

    Parameters
    ----------
    excess : array, float32, (height, width)
        Haematoxylin above the threshold of its place; -inf where there is none.
    spread : float
        Standard deviation of haematoxylin in the tissue.
    mpp : float
        Pixel size in µm.
    """

    excess: NDArray[np.float32]
    spread: float
    mpp: float


def segment_nuclei(
    rgb: NDArray[np.uint8],
    mpp: float = 0.5,
    sensitivity: float = 0.0,
    smallest_um2: float = 0.0,
) -> NDArray[np.int32]:
    """Find nuclei in H&E.

    The haematoxylin channel (colour deconvolution of Ruifrok and Johnston, 2001) is smoothed,
    thresholded between Otsu's and a local threshold, and split by a watershed on the distance to
    the border. Both thresholds are of the tissue alone: beside much empty glass everything that is
    stained at all would pass.

    Parameters
    ----------
    rgb : array, uint8, (height, width, 3)
        Tissue.
    mpp : float
        Pixel size in µm.
    sensitivity : float
        -1 to 1: how many nuclei are found, see :func:`outline_nuclei`.
    smallest_um2 : float
        Nuclei of a smaller area, in µm², are left out.

    Returns
    -------
    array, int32, (height, width)
        Instance label image; 0 is background.
    """
    labels = outline_nuclei(measure_haematoxylin(rgb, mpp), sensitivity)
    return without_small(labels, mpp, smallest_um2)


def measure_haematoxylin(rgb: NDArray[np.uint8], mpp: float) -> Haematoxylin:
    """Measure the haematoxylin of tissue, for :func:`outline_nuclei`."""
    stain = gaussian(rgb2hed(rgb)[..., 0], SMOOTH_UM / mpp)
    tissue = rgb.min(axis=-1) < GLASS
    if np.count_nonzero(tissue) * mpp**2 < LEAST_TISSUE_UM2 or np.ptp(stain) < LEAST_HAEMATOXYLIN:
        return Haematoxylin(np.full(tissue.shape, -np.inf, np.float32), 0.0, mpp)
    sigma = NEIGHBOURHOOD_UM / mpp
    weight = np.maximum(gaussian(tissue.astype(float), sigma), 1e-6)
    local = gaussian(np.where(tissue, stain, 0), sigma) / weight
    threshold = (1 - LOCAL_PART) * threshold_otsu(stain[tissue]) + LOCAL_PART * local
    # A difference keeps its sign in half the bytes, so that no pixel changes sides.
    excess = (stain - threshold).astype(np.float32)
    excess[stain <= LEAST_HAEMATOXYLIN] = -np.inf
    return Haematoxylin(excess, float(stain[tissue].std()), mpp)


def outline_nuclei(stain: Haematoxylin, sensitivity: float = 0.0) -> NDArray[np.int32]:
    """Outline nuclei where there is haematoxylin enough.

    Parameters
    ----------
    stain : Haematoxylin
        Of the tissue.
    sensitivity : float
        Lowers the threshold by ``REACH`` standard deviations of the stain at 1, and raises it by
        as many at -1.

    Returns
    -------
    array, int32, (height, width)
        Instance label image; 0 is background.
    """
    mask = stain.excess > -sensitivity * REACH * stain.spread
    if not mask.any():
        return np.zeros(mask.shape, np.int32)
    mask = opening(mask, disk(max(1, round(0.75 / stain.mpp))))
    pixel = stain.mpp**2
    mask = remove_small_holes(mask, max_size=int(LARGEST_HOLE_UM2 / pixel))
    mask = remove_small_objects(mask, max_size=int(SMALLEST_UM2 / pixel))
    return split(mask, stain.mpp)


def split(mask: NDArray[np.bool_], mpp: float) -> NDArray[np.int32]:
    """Split a mask of cells at its waists.

    Parameters
    ----------
    mask : array, bool, (height, width)
        Cells, touching or not.
    mpp : float
        Pixel size in µm.
    """
    distance = gaussian(ndimage.distance_transform_edt(mask), 0.7 / mpp)
    parts: Any = ndimage.label(mask)[0]
    peaks = peak_local_max(
        distance,
        min_distance=max(1, round(SEED_DISTANCE_UM / mpp)),
        labels=parts,
        exclude_border=False,
    )
    seeds = np.zeros(mask.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return watershed(-distance, seeds, mask=mask).astype(np.int32)
