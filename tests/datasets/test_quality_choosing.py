"""The choice among candidates for a pair."""

from __future__ import annotations

import pytest

from napari_pixcell.datasets.quality import Verdict, best_of
from napari_pixcell.datasets.store.checks import SCORES

GOOD = {"placed": 0.9, "extra": 0.1, "dice": 0.8, "style": 0.5}


def verdict(*flags: str, wanted: int = 10, **scores: float | None) -> Verdict:
    return Verdict(dict.fromkeys(SCORES) | GOOD | scores, flags, wanted=wanted)


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        (verdict(), verdict(placed=0.95)),
        (verdict(extra=0.2), verdict(placed=0.85)),
        (verdict(), verdict(dice=0.85)),
        (verdict(dice=0.7, style=0.9), verdict()),
        (verdict("style", placed=1.0), verdict(placed=0.5)),
        (verdict("colour", placed=1.0), verdict(placed=0.5)),
        (verdict("failed", placed=1.0), verdict("mask", placed=0.1)),
        (verdict("copy", placed=1.0), verdict("mask", placed=0.1)),
        (verdict("mask", placed=0.2), verdict("mask", placed=0.3)),
        (verdict(placed=1.0, extra=0.0, wanted=5), verdict()),  # after others were dropped
        (verdict(placed=None, extra=3.0, wanted=0), verdict(placed=None, extra=1.0, wanted=0)),
        (
            verdict(placed=None, extra=None, dice=None),
            verdict(placed=None, extra=None, dice=None, style=0.6),
        ),
        (
            verdict("failed", placed=None, extra=None, dice=None, style=None),
            verdict(placed=None, extra=None, dice=None, style=None),
        ),
    ],
)
def test_the_better_candidate_is_chosen_in_either_order(worse: Verdict, better: Verdict) -> None:
    assert best_of([worse, better]) == 1 and best_of([better, worse]) == 0
    assert best_of([better, worse, better]) == 0  # the first of equals
