"""Agreement of an image with its mask: the cells segmented in it against the requested ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MATCH = 0.5  # IoU above which two cells match; no cell can match two others


@dataclass(frozen=True)
class Agreement:
    """Agreement of segmented cells with requested ones; 1 is best.

    Parameters
    ----------
    dice : float
        Dice coefficient of the pixels of cells.
    kappa : float
        Cohen's kappa of the pixels: agreement beyond chance, by which dense cells reach a high
        Dice; 0 for unrelated cells.
    aji : float
        Aggregated Jaccard index (Kumar et al., IEEE TMI 36, 2017, algorithm 1).
    pq : float
        Panoptic quality (Kirillov et al., CVPR 2019), cells matched at an IoU above 0.5.
    count : float
        Segmented cells divided by requested cells.
    """

    dice: float
    kappa: float
    aji: float
    pq: float
    count: float


def agreement(wanted: NDArray[Any], segmented: NDArray[Any]) -> Agreement | None:
    """Compare two instance label images.

    Parameters
    ----------
    wanted, segmented : array of integers, (height, width)
        0 is background; labels may have gaps.

    Returns
    -------
    Agreement or None
        None if no cell is requested.
    """
    from skimage.metrics import contingency_table  # slow to import
    from skimage.segmentation import relabel_sequential

    numbered = [relabel_sequential(labels)[0] for labels in (wanted, segmented)]
    overlap = contingency_table(*numbered).toarray()[1:, 1:]
    wanted_area, segmented_area = (np.bincount(one.ravel())[1:] for one in numbered)
    if not len(wanted_area):
        return None
    whole = wanted_area.sum() + segmented_area.sum()
    if not len(segmented_area):
        return Agreement(0.0, 0.0, 0.0, 0.0, 0.0)
    chance = wanted_area.sum() * segmented_area.sum() / wanted.size
    differs = whole > 2 * chance  # else both are all cells
    union = wanted_area[:, None] + segmented_area[None] - overlap
    iou = overlap / union
    matched = iou[iou > MATCH]

    def aji() -> float:
        """Match each requested cell to the best segmented one; unmatched cells count against it.

        As in the paper, two requested cells may share a segmented one.
        """
        best = iou.argmax(axis=1)
        cells = np.flatnonzero(iou[np.arange(len(iou)), best])
        best = best[cells]
        unused = np.delete(segmented_area, best).sum() + np.delete(wanted_area, cells).sum()
        return float(overlap[cells, best].sum() / (union[cells, best].sum() + unused))

    return Agreement(
        dice=float(2 * overlap.sum() / whole),
        kappa=float(2 * (overlap.sum() - chance) / (whole - 2 * chance)) if differs else 1.0,
        aji=aji(),
        pq=float(matched.sum() / ((len(wanted_area) + len(segmented_area)) / 2)),
        count=len(segmented_area) / len(wanted_area),
    )
