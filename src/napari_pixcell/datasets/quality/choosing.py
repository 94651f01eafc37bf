"""The choice of the best of several candidates for a pair."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from napari_pixcell.datasets.quality.checker import Verdict


def best_of(verdicts: Sequence[Verdict]) -> int:
    """Return which of several candidates for the same pair is best; the first of equals.

    A candidate that passes the checks is better than a flagged one. One that only does not follow
    its mask is better than one that is flagged for anything else. Among these, the better agrees
    with its mask nucleus by nucleus (number placed, less extra ones), then in its pixels (Dice).
    Without a mask, the better is more similar to its style.

    Parameters
    ----------
    verdicts : sequence of Verdict
        At least one.
    """
    return max(range(len(verdicts)), key=lambda number: _rank(verdicts[number]))


def _rank(verdict: Verdict) -> tuple[float, ...]:
    scores = verdict.scores
    # Numbers, not shares: the masks of candidates may differ in the nuclei that were dropped.
    placed = verdict.wanted * (scores["placed"] or 0.0)
    extra = max(verdict.wanted, 1) * (scores["extra"] or 0.0)
    dice, style = (_or_worst(scores[name]) for name in ("dice", "style"))
    only_mask = not set(verdict.flags) - {"mask"}
    return not verdict.flags, only_mask, placed - extra, dice, style


def _or_worst(score: float | None) -> float:
    return -inf if score is None else score
