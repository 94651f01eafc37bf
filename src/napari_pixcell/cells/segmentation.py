"""Nuclei without weights: haematoxylin, threshold, watershed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.color import rgb2hed
from skimage.feature import peak_local_max
from skimage.filters import gaussian, threshold_otsu
from skimage.morphology import disk, opening, remove_small_holes, remove_small_objects
from skimage.segmentation import watershed

SMOOTH_UM = 0.6
NEIGHBOURHOOD_UM = 13.0
LOCAL_PART = 0.3
GLASS = 220
LEAST_TISSUE_UM2 = 125.0
SMALLEST_UM2 = 8.0
LARGEST_HOLE_UM2 = 15.0
SEED_DISTANCE_UM = 2.5
LEAST_HAEMATOXYLIN = 0.015


def segment_nuclei(rgb: NDArray[np.uint8], mpp: float = 0.5) -> NDArray[np.int32]:
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

    Returns
    -------
    array, int32, (height, width)
        Instance label image; 0 is background.
    """
    stain = gaussian(rgb2hed(rgb)[..., 0], SMOOTH_UM / mpp)
    tissue = rgb.min(axis=-1) < GLASS
    if np.count_nonzero(tissue) * mpp**2 < LEAST_TISSUE_UM2 or np.ptp(stain) < LEAST_HAEMATOXYLIN:
        return np.zeros(rgb.shape[:2], np.int32)
    sigma = NEIGHBOURHOOD_UM / mpp
    weight = np.maximum(gaussian(tissue.astype(float), sigma), 1e-6)
    local = gaussian(np.where(tissue, stain, 0), sigma) / weight
    threshold = (1 - LOCAL_PART) * threshold_otsu(stain[tissue]) + LOCAL_PART * local
    mask = stain > np.maximum(threshold, LEAST_HAEMATOXYLIN)
    mask = opening(mask, disk(max(1, round(0.75 / mpp))))
    pixel = mpp**2
    mask = remove_small_holes(mask, max_size=int(LARGEST_HOLE_UM2 / pixel))
    mask = remove_small_objects(mask, max_size=int(SMALLEST_UM2 / pixel))
    return split(mask, mpp)


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
