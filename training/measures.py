"""Figures of generated tissue against real tissue, for evaluate.py."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.color import rgb2lab
from skimage.segmentation import clear_border
from vision import Vision, tokens

from napari_pixcell.cells import segment_nuclei
from napari_pixcell.cells.faithfulness import faithfulness
from napari_pixcell.datasets.quality.agreement import agreement

MPP = 0.5
GLASS_L = 90.0  # L* above which a pixel is glass
# Rings of the spectrum of luminance, in cycles per pixel.
RINGS = ((0.02, 0.06), (0.06, 0.12), (0.12, 0.25), (0.25, 0.5))
LARGE = 60.0  # µm², a large nucleus


def spectrum(images: np.ndarray) -> np.ndarray:
    """Return the mean power of luminance in each ring, of images uint8 (N, side, side, 3)."""
    side = images.shape[1]
    window = np.hanning(side)[:, None] * np.hanning(side)
    frequency = np.fft.fftfreq(side)
    radius = np.hypot(frequency[:, None], frequency)
    power = np.zeros((side, side))
    for image in images:
        grey = image.mean(-1)
        power += np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2
    power /= len(images)
    return np.array([power[(radius > low) & (radius <= high)].mean() for low, high in RINGS])


def chromatin_contrast(images: np.ndarray, masks: list[np.ndarray]) -> float:
    """Return the median spread of luminance inside eroded nuclei, in grey levels.

    Parameters
    ----------
    images : array, uint8, (N, h, w, 3)
    masks : list of array, int, (h, w)
        Nuclei of each image; those of fewer than 30 px after erosion do not count.
    """
    spreads = []
    for image, labels in zip(images, masks, strict=True):
        grey = image.mean(-1)
        inner = np.where(ndimage.minimum_filter(labels, 3) == labels, labels, 0)
        count = int(labels.max()) + 1
        sizes = np.bincount(inner.ravel(), minlength=count)
        index = [i for i in range(1, count) if sizes[i] >= 30]
        spreads += list(ndimage.standard_deviation(grey, inner, index)) if index else []
    return float(np.median(spreads))


def follows(images: np.ndarray, masks: list[np.ndarray]) -> dict[str, float]:
    """Return how nuclei of images follow their masks: overlap, and whole ones one by one."""
    scores, counts = [], np.zeros(4)
    large = np.zeros(2)
    for image, wanted in zip(images, masks, strict=True):
        found = segment_nuclei(image)
        agrees = agreement(wanted, found)
        if agrees is None:
            continue
        scores.append((agrees.dice, agrees.aji))
        one = faithfulness(wanted, found, MPP)
        # A nucleus cut by the border may be too small to be found, even in the real tile.
        whole = np.unique(clear_border(wanted))
        kinds = [np.intersect1d(part, whole) for part in (one.placed, one.partial, one.missing)]
        counts += [*map(len, kinds), len(one.extra)]
        sizes = np.bincount(wanted.ravel()) * MPP**2
        large += [
            (sizes[kinds[0]] >= LARGE).sum(),
            sum((sizes[part] >= LARGE).sum() for part in kinds),
        ]
    dice, aji = np.mean(scores, 0)
    wanted_count = counts[:3].sum()
    return {
        "dice": float(dice),
        "aji": float(aji),
        "nuclei": int(wanted_count),
        "placed": float(counts[0] / wanted_count),
        "under_rendered": float((counts[1] + counts[2]) / wanted_count),
        "extra": float(counts[3] / wanted_count),
        "large_placed": float(large[0] / max(1, large[1])),
    }


def tissue_lab(image: np.ndarray) -> np.ndarray | None:
    """Return the mean L*a*b* of the tissue of an image; None if it is nearly all glass."""
    lab = rgb2lab(image[::2, ::2])
    tissue = lab[lab[..., 0] < GLASS_L]
    return tissue.mean(0) if len(tissue) > 0.05 * lab.shape[0] * lab.shape[1] else None


def drift(real: np.ndarray, made: np.ndarray) -> dict[str, float]:
    """Return the distance between the mean colours of tissue, in ΔE and in hue alone."""
    whole, hue = [], []
    for pair in zip(real, made, strict=True):
        a, b = map(tissue_lab, pair)
        if a is not None and b is not None:
            whole.append(np.linalg.norm(a - b))
            hue.append(np.linalg.norm((a - b)[1:]))
    return {"colour_drift": float(np.median(whole)), "hue_drift": float(np.median(hue))}


def features(vision: Vision, images: np.ndarray) -> np.ndarray:
    """Return pooled features of EfficientNet-Lite0 at stride 16, float64 (N, 112)."""
    return tokens(vision, images).float().mean((2, 3)).double().numpy()
