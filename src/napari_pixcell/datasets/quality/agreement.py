"""Whether an image follows its mask: the cells that are found in it against those asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MATCH = 0.5  # IoU above which two cells are one; no cell can have two such partners


@dataclass(frozen=True)
class Agreement:
    """How well found cells agree with wanted ones; 1 is best.

    Parameters
    ----------
    dice : float
        Of all pixels of cells.
    kappa : float
        The same beyond chance, which gives dense cells a high Dice: Cohen's kappa of the pixels,
        0 for cells that have nothing to do with each other.
    aji : float
        Aggregated Jaccard index (Kumar et al., IEEE TMI 36, 2017, algorithm 1).
    pq : float
        Panoptic quality (Kirillov et al., CVPR 2019), cells matched at an IoU above 0.5.
    count : float
        Found cells for each wanted one.
    """

    dice: float
    kappa: float
    aji: float
    pq: float
    count: float


def agreement(wanted: NDArray[Any], found: NDArray[Any]) -> Agreement | None:
    """Compare two instance label images.

    Parameters
    ----------
    wanted, found : array of integers, (height, width)
        0 is background; numbers may have gaps.

    Returns
    -------
    Agreement or None
        None if no cell is wanted.
    """
    from skimage.metrics import contingency_table  # slow to import
    from skimage.segmentation import relabel_sequential

    numbered = [relabel_sequential(labels)[0] for labels in (wanted, found)]
    overlap = contingency_table(*numbered).toarray()[1:, 1:]
    wanted_area, found_area = (np.bincount(one.ravel())[1:] for one in numbered)
    if not len(wanted_area):
        return None
    whole = wanted_area.sum() + found_area.sum()
    if not len(found_area):
        return Agreement(0.0, 0.0, 0.0, 0.0, 0.0)
    chance = wanted_area.sum() * found_area.sum() / wanted.size
    differs = whole > 2 * chance  # else all of both is cells
    union = wanted_area[:, None] + found_area[None] - overlap
    iou = overlap / union
    matched = iou[iou > MATCH]
    return Agreement(
        dice=float(2 * overlap.sum() / whole),
        kappa=float(2 * (overlap.sum() - chance) / (whole - 2 * chance)) if differs else 1.0,
        aji=_aji(overlap, union, iou, wanted_area, found_area),
        pq=float(matched.sum() / ((len(wanted_area) + len(found_area)) / 2)),
        count=len(found_area) / len(wanted_area),
    )


def _aji(
    overlap: NDArray[Any],
    union: NDArray[Any],
    iou: NDArray[Any],
    wanted_area: NDArray[Any],
    found_area: NDArray[Any],
) -> float:
    """Give each wanted cell the found one it is most alike; what is given to none counts against.

    As in the paper, two wanted cells may share a found one.
    """
    cells = np.arange(len(wanted_area))
    best = iou.argmax(axis=1)
    there = iou[cells, best] > 0
    best, cells = best[there], cells[there]
    unused = np.ones(len(found_area), bool)
    unused[best] = False
    rest = found_area[unused].sum() + wanted_area.sum() - wanted_area[cells].sum()
    return float(overlap[cells, best].sum() / (union[cells, best].sum() + rest))
