"""Scores of masks, against Cellpose's own and against the definitions, pixel by pixel."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, label

from napari_pixcell.datasets.quality.agreement import agreement


def cells(seed: int, shift: int = 0) -> np.ndarray:
    """Blobs at random, some of which another seed's overlap in part."""
    field = gaussian_filter(np.random.default_rng(seed).normal(size=(96, 96)), 4)
    return np.roll(label(field > 0.02)[0], shift, axis=1).astype(np.int32)


def aji_by_pixels(wanted: np.ndarray, found: np.ndarray) -> float:
    """Kumar's algorithm 1 as it is written, with sets of pixels."""
    true, other = (
        {int(n): set(np.flatnonzero(one == n)) for n in np.unique(one[one > 0])}
        for one in (wanted, found)
    )
    shared, union, used = 0, 0, set()
    for cell in true.values():
        best = max(other, key=lambda n: len(cell & other[n]) / len(cell | other[n]))
        if not cell & other[best]:
            union += len(cell)
            continue
        shared, union = shared + len(cell & other[best]), union + len(cell | other[best])
        used.add(best)
    return shared / (union + sum(len(other[n]) for n in other if n not in used))


@pytest.mark.parametrize("seed", range(6))
def test_scores_agree_with_independent_code(seed):
    metrics = pytest.importorskip("cellpose.metrics")
    wanted = cells(seed)
    found = np.where(np.random.default_rng(seed).random((96, 96)) < 0.1, 0, cells(seed, seed))
    found = np.where(found == 2, 0, found)
    found = np.where(cells(seed + 50) == 1, 77, found).astype(np.int32)  # numbers with gaps
    scores = agreement(wanted, found)

    compact = np.unique(found, return_inverse=True)[1].reshape(found.shape)
    _, hits, extra, missed = metrics.average_precision(wanted, compact, [0.5000001])
    ious, _ = metrics.mask_ious(wanted, compact)
    pq = ious[ious > 0.5].sum() / (hits[0] + extra[0] / 2 + missed[0] / 2)
    assert scores.pq == pytest.approx(pq, abs=1e-6)
    both = (wanted > 0) & (found > 0)
    assert scores.dice == pytest.approx(2 * both.sum() / ((wanted > 0).sum() + (found > 0).sum()))
    assert scores.aji == pytest.approx(aji_by_pixels(wanted, found))
    assert scores.count == pytest.approx(len(np.unique(found)[1:]) / wanted.max())


def test_equal_masks_agree_under_any_labels():
    wanted = cells(1)
    scores = agreement(wanted, wanted * 1000)
    assert (scores.dice, scores.aji, scores.pq, scores.count) == (1, 1, 1, 1)


def test_merged_cells_lower_only_the_scores_per_cell():
    wanted = np.zeros((20, 20), np.int32)
    wanted[5:15, 2:9], wanted[5:15, 9:18] = 1, 2
    scores = agreement(wanted, (wanted > 0).astype(np.int32))
    assert scores.dice == 1
    assert scores.pq == pytest.approx(9 / 16 / 1.5)
    assert scores.count == 0.5
    assert scores.aji == pytest.approx((70 + 90) / (160 + 160))


def test_empty_masks():
    wanted, nothing = cells(2), np.zeros((96, 96), np.int32)
    assert agreement(wanted, nothing).dice == 0
    assert agreement(nothing, wanted) is None


def test_masks_without_background():
    everywhere = np.ones((8, 8), np.int32)
    assert agreement(everywhere, everywhere).pq == 1
