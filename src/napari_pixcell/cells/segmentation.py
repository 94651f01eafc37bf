"""Nuclei without weights: haematoxylin, threshold, watershed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.color import rgb2hed
from skimage.feature import peak_local_max
from skimage.filters import gaussian, threshold_local, threshold_otsu
from skimage.morphology import disk, opening, remove_small_holes, remove_small_objects
from skimage.segmentation import watershed

SMOOTH_UM = 0.6
NEIGHBOURHOOD_UM = 40.0
SMALLEST_UM2 = 8.0
LARGEST_HOLE_UM2 = 15.0
SEED_DISTANCE_UM = 2.5
LEAST_HAEMATOXYLIN = 0.015


def segment_nuclei(rgb: NDArray[np.uint8], mpp: float = 0.5) -> NDArray[np.int32]:
    """Find nuclei in H&E.

    The haematoxylin channel (colour deconvolution of Ruifrok and Johnston, 2001) is smoothed,
    thresholded halfway between Otsu's and a local threshold, and split by a watershed on the
    distance to the border.

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
    threshold = threshold_otsu(stain)
    if not np.isfinite(threshold) or stain.max() - stain.min() < LEAST_HAEMATOXYLIN:
        return np.zeros(rgb.shape[:2], np.int32)
    block = 2 * round(NEIGHBOURHOOD_UM / mpp / 2) + 1
    local = threshold_local(stain, block, method="gaussian")
    mask = stain > np.maximum((threshold + local) / 2, LEAST_HAEMATOXYLIN)
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
