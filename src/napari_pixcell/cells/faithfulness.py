"""Agreement of each requested nucleus with the nuclei that a segmentation finds in an image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MATCH = 0.5  # IoU with one segmented nucleus at which a requested one is placed
COVERED = 0.7  # share of its pixels at which it is placed, though merged with a touching one
PARTLY = 0.3  # share of its pixels below which a nucleus is missing, or a segmented one extra
LEAST_AREA = 5.0  # µm²; smaller segmented specks are not extra nuclei


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """Which requested nuclei an image shows, and which segmented ones were not requested.

    Parameters
    ----------
    placed, partial, missing : array of integers, (n,)
        Labels of the requested nuclei, in ascending order. A *placed* one matches a segmented one,
        or is covered by them. A *partial* one is cut, too small or too large. A *missing* one is
        hardly covered.
    extra : array of integers, (n,)
        Labels of the segmented nuclei that lie where none was requested.
    """

    placed: NDArray[np.int64]
    partial: NDArray[np.int64]
    missing: NDArray[np.int64]
    extra: NDArray[np.int64]

    @property
    def wanted(self) -> int:
        """Number of requested nuclei."""
        return len(self.placed) + len(self.partial) + len(self.missing)

    @property
    def share_placed(self) -> float | None:
        """Share of the requested nuclei that are placed; None if none is requested."""
        return len(self.placed) / self.wanted if self.wanted else None

    @property
    def wrong(self) -> int:
        """Number of nuclei that are partial, missing or extra."""
        return len(self.partial) + len(self.missing) + len(self.extra)


def faithfulness(
    wanted: NDArray[np.integer], segmented: NDArray[np.integer], mpp: float
) -> Faithfulness:
    """Compare the nuclei of two instance label images one by one.

    Parameters
    ----------
    wanted, segmented : array of integers, (height, width)
        0 is background; labels may have gaps.
    mpp : float
        Pixel size, in µm.
    """
    from skimage.metrics import contingency_table  # slow to import
    from skimage.segmentation import relabel_sequential

    # Copies: relabel_sequential refuses arrays that cannot be written to.
    wanted_numbered, _, wanted_labels = relabel_sequential(np.array(wanted))
    segmented_numbered, _, segmented_labels = relabel_sequential(np.array(segmented))
    overlap = contingency_table(wanted_numbered, segmented_numbered).toarray()[1:, 1:]
    wanted_area = np.bincount(wanted_numbered.ravel())[1:]
    segmented_area = np.bincount(segmented_numbered.ravel())[1:]
    union = wanted_area[:, None] + segmented_area[None] - overlap
    matched = (overlap / np.maximum(union, 1)).max(axis=1, initial=0.0) >= MATCH
    covered = overlap.sum(axis=1) / np.maximum(wanted_area, 1)
    placed = matched | (covered >= COVERED)
    missing = ~placed & (covered < PARTLY)
    requested = overlap.sum(axis=0) / np.maximum(segmented_area, 1)
    extra = (requested < PARTLY) & (segmented_area * mpp**2 >= LEAST_AREA)
    names = np.asarray(wanted_labels)[1 : len(wanted_area) + 1].astype(np.int64)
    others = np.asarray(segmented_labels)[1 : len(segmented_area) + 1].astype(np.int64)
    return Faithfulness(
        placed=names[placed],
        partial=names[~placed & ~missing],
        missing=names[missing],
        extra=others[extra],
    )
