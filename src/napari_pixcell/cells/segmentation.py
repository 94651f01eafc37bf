"""Nucleus segmentation without a network: haematoxylin, threshold, watershed."""

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

from napari_pixcell.cells.combining import within_sizes
from napari_pixcell.cells.ihc.deconvolution import looks_like, stain_densities
from napari_pixcell.cells.smoothing import smoothed

SMOOTH_UM = 0.6
NEIGHBOURHOOD_UM = 13.0
LOCAL_PART = 0.3
GLASS = 220
LEAST_TISSUE_UM2 = 125.0
SMALLEST_UM2 = 8.0
LARGEST_HOLE_UM2 = 15.0
SEED_DISTANCE_UM = 2.5
LEAST_HAEMATOXYLIN = 0.015
# Darker values have extreme logarithms, so that a few pixels would determine the threshold.
DARKEST = 8
REACH = 0.8  # standard deviations of the stain at a sensitivity of 1

# DAB optical density above the tissue's median from which a nucleus is brown, how much a
# sensitivity of 1 lowers it, and the share of brown tissue above which DAB is not nuclear.
BROWN, BROWN_REACH, MOST_BROWN = 0.12, 0.06, 0.4


@dataclass(frozen=True, eq=False)
class Haematoxylin:
    """Stain measurements from which nuclei are outlined; independent of the sensitivity.

    Parameters
    ----------
    excess : array, float32, (height, width)
        Haematoxylin above the local threshold; -inf without stain.
    spread : float
        Standard deviation of haematoxylin in the tissue.
    mpp : float, µm per pixel
    brown : array, float32, (height, width), optional
        DAB above the tissue's median, if nuclei may be brown.
    """

    excess: NDArray[np.float32]
    spread: float
    mpp: float
    brown: NDArray[np.float32] | None = None


def segment_nuclei(
    rgb: NDArray[np.uint8],
    mpp: float = 0.5,
    sensitivity: float = 0.0,
    smallest_um2: float = 0.0,
    brown: bool | None = None,
    largest_um2: float | None = None,
) -> NDArray[np.int32]:
    """Segment nuclei in H&E or IHC (haematoxylin and DAB).

    The haematoxylin channel (colour deconvolution of Ruifrok and Johnston, 2001) is smoothed,
    thresholded between Otsu's and a local threshold, and split by a watershed on the distance to
    the border. Both thresholds are computed from tissue only, because empty glass would lower
    them too far. In IHC, brown nuclei are segmented by DAB and blue ones by haematoxylin.

    Parameters
    ----------
    rgb : array, uint8, (height, width, 3)
        Tissue.
    mpp : float, µm per pixel
    sensitivity : float
        -1 to 1; higher values include paler nuclei, see :func:`outline_nuclei`.
    smallest_um2 : float
        Nuclei with a smaller area, in µm², are left out.
    brown : bool, optional
        Whether nuclei may be brown. Default: if the tissue looks like IHC of a nuclear protein.
    largest_um2 : float, optional
        Nuclei with a larger area, in µm², are left out. Default: no limit.

    Returns
    -------
    array, int32, (height, width)
        Instance label image; 0 is background.
    """
    labels = outline_nuclei(measure_haematoxylin(rgb, mpp, brown), sensitivity)
    return within_sizes(labels, mpp, smallest_um2, largest_um2)


def measure_haematoxylin(
    rgb: NDArray[np.uint8], mpp: float, brown: bool | None = None
) -> Haematoxylin:
    """Measure haematoxylin and DAB for :func:`outline_nuclei`.

    The parameters are those of :func:`segment_nuclei`.
    """
    stain = smoothed(rgb2hed(np.maximum(rgb, DARKEST))[..., 0], SMOOTH_UM / mpp)
    tissue = rgb.min(axis=-1) < GLASS
    if np.count_nonzero(tissue) * mpp**2 < LEAST_TISSUE_UM2 or np.ptp(stain) < LEAST_HAEMATOXYLIN:
        return Haematoxylin(np.full(tissue.shape, -np.inf, np.float32), 0.0, mpp)
    sigma = NEIGHBOURHOOD_UM / mpp
    # The mean of a wide neighbourhood needs no more than single precision.
    weight = np.maximum(smoothed(tissue.astype(np.float32), sigma), 1e-6)
    local = smoothed(np.where(tissue, stain, 0).astype(np.float32), sigma) / weight
    threshold = (1 - LOCAL_PART) * threshold_otsu(stain[tissue]) + LOCAL_PART * local
    # float32 keeps the sign of the difference, so no pixel crosses the threshold.
    excess = (stain - threshold).astype(np.float32)
    excess[stain <= LEAST_HAEMATOXYLIN] = -np.inf
    return Haematoxylin(excess, float(stain[tissue].std()), mpp, _brown(rgb, tissue, mpp, brown))


def _brown(
    rgb: NDArray[np.uint8], tissue: NDArray[np.bool_], mpp: float, wanted: bool | None
) -> NDArray[np.float32] | None:
    """Return DAB that may be nuclear, or None if nuclei are not expected to be brown."""
    if wanted is False or (wanted is None and looks_like(rgb) != "IHC"):
        return None
    _, dab = stain_densities(rgb)
    dab = smoothed(dab, SMOOTH_UM / mpp)
    dab -= min(float(np.median(dab[tissue])), BROWN)  # scatter and tint of tissue without DAB
    if wanted is None and np.mean(dab[tissue] > BROWN) > MOST_BROWN:
        return None  # DAB of cytoplasm or membrane, so nuclei are blue
    return np.asarray(dab, np.float32)


def outline_nuclei(stain: Haematoxylin, sensitivity: float = 0.0) -> NDArray[np.int32]:
    """Outline nuclei by thresholds on haematoxylin and DAB.

    Parameters
    ----------
    sensitivity : float
        A value of 1 lowers the threshold by ``REACH`` standard deviations, and -1 raises it by as
        much. The threshold of brown nuclei changes by ``BROWN_REACH``.

    Returns
    -------
    array, int32, (height, width)
        Instance label image; 0 is background.
    """
    blue = stain.excess > -sensitivity * REACH * stain.spread
    if stain.brown is None:
        return _outline(blue, stain.mpp)
    brown = _clean(stain.brown > BROWN - sensitivity * BROWN_REACH, stain.mpp)
    labels = split(brown, stain.mpp)
    others = _outline(blue & ~brown, stain.mpp)
    return np.where(others > 0, others + labels.max(), labels).astype(np.int32)


def _outline(mask: NDArray[np.bool_], mpp: float) -> NDArray[np.int32]:
    if not mask.any():
        return np.zeros(mask.shape, np.int32)
    return split(_clean(mask, mpp), mpp)


def _clean(mask: NDArray[np.bool_], mpp: float) -> NDArray[np.bool_]:
    """Return a mask without objects too thin or small for a nucleus, and without holes."""
    mask = opening(mask, disk(max(1, round(0.75 / mpp))))
    pixel = mpp**2
    mask = remove_small_holes(mask, max_size=int(LARGEST_HOLE_UM2 / pixel))
    return np.asarray(remove_small_objects(mask, max_size=int(SMALLEST_UM2 / pixel)))


def split(mask: NDArray[np.bool_], mpp: float) -> NDArray[np.int32]:
    """Split touching cells in a mask at their waists.

    Parameters
    ----------
    mask : array, bool, (height, width)
        Mask of cells.
    mpp : float, µm per pixel
    """
    # Distances tie in symmetric cells, so that another rounding would split them elsewhere.
    distance = gaussian(ndimage.distance_transform_edt(mask), 0.7 / mpp)
    parts: Any = ndimage.label(mask)[0]
    apart = max(1, round(SEED_DISTANCE_UM / mpp))
    peaks = peak_local_max(distance, min_distance=apart, labels=parts, exclude_border=False)
    seeds = np.zeros(mask.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return np.asarray(watershed(-distance, seeds, mask=mask), np.int32)
