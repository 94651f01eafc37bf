"""Filtering, sorting and counting the pairs of a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.store.checks import FLAGS, SCORES
from napari_pixcell.datasets.store.decisions import Decision
from napari_pixcell.datasets.store.table import PairTable
from napari_pixcell.words import counted

CODES: dict[Decision | None, int] = {None: 0, "accepted": 1, "rejected": 2}
DECIDED = {"undecided": 0, "accepted": 1, "rejected": 2}
WORDS: tuple[Decision | None, ...] = (None, "accepted", "rejected")  # by their codes
SHOW = {
    "all": "All pairs",
    "undecided": "Undecided",
    "accepted": "Accepted",
    "rejected": "Rejected",
    "passing": "Pass the checks",
    "flagged": "Flagged by a check",
    "unplaced": "With nuclei not placed",
    "extra": "With extra nuclei",
} | {name: words[0].upper() + words[1:] for name, words in FLAGS.items()}
NUMBER, CELLS = "number", "cells"


@dataclass(frozen=True)
class PairQuery:
    """Filter and order of a list of pairs."""

    show: str = "all"  # a key of SHOW
    style: int | None = None  # number of the style; None for all styles
    sort: str = NUMBER  # ``number``, ``cells``, or one of SCORES
    highest_first: bool = False  # whether the order is descending


@dataclass(frozen=True, eq=False)
class Columns:
    """The pairs of a table at one time, while the table may grow in another thread."""

    index: NDArray[np.int32]  # index, style, cells: (pairs,), see PairTable
    style: NDArray[np.int32]
    cells: NDArray[np.int32]
    scores: NDArray[np.float32]  # (pairs, scores)
    flags: NDArray[np.bool_]  # (pairs, flags)
    flagged: NDArray[np.bool_]  # (pairs,)

    @classmethod
    def of(cls, table: PairTable) -> Columns:
        """Return the columns of a table, which must not grow during this call."""
        return cls(table.index, table.style, table.cells, table.scores, table.flags, table.flagged)

    def __len__(self) -> int:
        return len(self.index)

    def score(self, name: str) -> NDArray[np.float32]:
        return self.scores[:, list(SCORES).index(name)]

    def flags_of(self, position: int) -> list[str]:
        return [name for name, on in zip(FLAGS, self.flags[position], strict=True) if on]

    def known_scores(self) -> list[str]:
        """Return the names of scores that at least one pair has."""
        known = ~np.all(np.isnan(self.scores), axis=0)
        return [name for name, some in zip(SCORES, known, strict=True) if some]


def shown(columns: Columns, codes: NDArray[np.int8], show: str) -> NDArray[np.bool_]:
    """Return which pairs pass a filter, a key of :data:`SHOW`: bool, (pairs,)."""
    passing: NDArray[np.bool_]
    if show in FLAGS:
        passing = columns.flags[:, list(FLAGS).index(show)]
    elif show == "unplaced":
        passing = columns.score("placed") < 1  # not for NaN
    elif show == "extra":
        passing = columns.score("extra") > 0
    elif show in ("flagged", "passing"):
        passing = columns.flagged == (show == "flagged")
    elif show == "all":
        passing = np.ones(len(columns), bool)
    else:
        passing = codes == DECIDED[show]
    return passing


def listed(columns: Columns, codes: NDArray[np.int8], wanted: PairQuery) -> NDArray[np.intp]:
    """Return the positions of the pairs that match a query, in its order.

    Parameters
    ----------
    columns : Columns
    codes : array, int8, (pairs,)
        Decisions as :data:`CODES`.
    wanted : PairQuery

    Returns
    -------
    array, (listed,)
        Pairs without the score are last. Pairs with equal scores are sorted by number.
    """
    keep = shown(columns, codes, wanted.show)
    if wanted.style is not None:
        keep = keep & (columns.style == wanted.style)
    (positions,) = np.nonzero(keep)
    by: NDArray[Any]
    if wanted.sort == NUMBER:
        by = columns.index[positions].astype(float)
    elif wanted.sort == CELLS:
        cells = columns.cells[positions]
        by = np.where(cells < 0, np.nan, cells)
    else:
        by = columns.score(wanted.sort)[positions]
    return positions[np.lexsort((columns.index[positions], -by if wanted.highest_first else by))]


def counts(columns: Columns, codes: NDArray[np.int8]) -> str:
    """Return the counts in words: “12 pairs, 10 pass the checks, 2 rejected”."""
    passing = int(np.count_nonzero(~columns.flagged))
    words = [
        counted(len(columns), "pair"),
        counted(passing, "passes the checks", "pass the checks"),
    ]
    for word in WORDS[1:]:
        if number := int(np.count_nonzero(codes == CODES[word])):
            words.append(f"{number:,} {word}")
    return ", ".join(words)


def used(columns: Columns, codes: NDArray[np.int8]) -> int:
    """Return how many pairs exports use, by the rule of ``decisions.is_used``."""
    passing = (codes == CODES[None]) & ~columns.flagged
    return int(np.count_nonzero(passing | (codes == CODES["accepted"])))


def encoded(index: NDArray[np.int32], decided: dict[int, Decision]) -> NDArray[np.int8]:
    """Return decisions by pair number as a column of :data:`CODES`."""
    return np.array([CODES[decided.get(number)] for number in index.tolist()], np.int8)
