"""Which pairs of a dataset are listed, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.store.checks import FLAGS, SCORES
from napari_pixcell.datasets.store.decisions import Decision
from napari_pixcell.datasets.store.table import PairTable

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
} | {name: words[0].upper() + words[1:] for name, words in FLAGS.items()}
NUMBER, CELLS = "number", "cells"


@dataclass(frozen=True)
class Wanted:
    """What is to be listed.

    Parameters
    ----------
    show : str
        A key of :data:`SHOW`.
    style : int, optional
        Number of the style; of all styles where it is None.
    sort : str
        ``number``, ``cells``, or one of :data:`~napari_pixcell.datasets.store.checks.SCORES`.
    highest_first : bool
        Whether the order is from high to low.
    """

    show: str = "all"
    style: int | None = None
    sort: str = NUMBER
    highest_first: bool = False


@dataclass(frozen=True, eq=False)
class Columns:
    """The pairs of a table as they were at one time; a table in another thread may grow.

    Parameters
    ----------
    index, style, cells : array, int32, (pairs,)
        See :class:`~napari_pixcell.datasets.store.table.PairTable`.
    scores : array, float32, (pairs, scores)
    flags : array, bool, (pairs, flags)
    flagged : array, bool, (pairs,)
    """

    index: NDArray[np.int32]
    style: NDArray[np.int32]
    cells: NDArray[np.int32]
    scores: NDArray[np.float32]
    flags: NDArray[np.bool_]
    flagged: NDArray[np.bool_]

    @classmethod
    def of(cls, table: PairTable) -> Columns:
        """Take them from a table that nobody reads into just now."""
        return cls(table.index, table.style, table.cells, table.scores, table.flags, table.flagged)

    def __len__(self) -> int:
        """How many pairs there are."""
        return len(self.index)

    def score(self, name: str) -> NDArray[np.float32]:
        """Give one score of all pairs."""
        return self.scores[:, list(SCORES).index(name)]

    def flags_of(self, position: int) -> list[str]:
        """Give the names of a pair's flags."""
        return [name for name, on in zip(FLAGS, self.flags[position], strict=True) if on]

    def known_scores(self) -> list[str]:
        """Give the names of the scores that any pair has."""
        known = ~np.all(np.isnan(self.scores), axis=0)
        return [name for name, some in zip(SCORES, known, strict=True) if some]


def shown(columns: Columns, codes: NDArray[np.int8], show: str) -> NDArray[np.bool_]:
    """Say which pairs a filter lets through: bool, (pairs,)."""
    if show in FLAGS:
        return columns.flags[:, list(FLAGS).index(show)]
    if show in ("flagged", "passing"):
        return columns.flagged if show == "flagged" else ~columns.flagged
    if show == "all":
        return np.ones(len(columns), bool)
    return codes == DECIDED[show]


def listed(columns: Columns, codes: NDArray[np.int8], wanted: Wanted) -> NDArray[np.intp]:
    """Give the positions of the pairs that are wanted, in their order.

    Parameters
    ----------
    columns : Columns
    codes : array, int8, (pairs,)
        Decisions, as :data:`CODES` has them.
    wanted : Wanted

    Returns
    -------
    array, (listed,)
        Pairs without the score that they are sorted by are last; equals are by their numbers.
    """
    keep = shown(columns, codes, wanted.show)
    if wanted.style is not None:
        keep = keep & (columns.style == wanted.style)
    (places,) = np.nonzero(keep)
    by: NDArray[Any]
    if wanted.sort == NUMBER:
        by = columns.index[places].astype(float)
    elif wanted.sort == CELLS:
        cells = columns.cells[places]
        by = np.where(cells < 0, np.nan, cells)
    else:
        by = columns.score(wanted.sort)[places]
    return places[np.lexsort((columns.index[places], -by if wanted.highest_first else by))]


def counts(columns: Columns, codes: NDArray[np.int8]) -> str:
    """Count the pairs in words: “12 pairs, 10 pass the checks, 2 rejected”."""
    pairs, passing = len(columns), int(np.count_nonzero(~columns.flagged))
    words = [f"{pairs:,} pair{'' if pairs == 1 else 's'}"]
    words.append(f"{passing:,} pass{'es' if passing == 1 else ''} the checks")
    for word in WORDS[1:]:
        if number := int(np.count_nonzero(codes == CODES[word])):
            words.append(f"{number:,} {word}")
    return ", ".join(words)


def used(columns: Columns, codes: NDArray[np.int8]) -> int:
    """Count the pairs that go into what is made of the dataset, as ``is_used`` says."""
    passing = (codes == CODES[None]) & ~columns.flagged
    return int(np.count_nonzero(passing | (codes == CODES["accepted"])))


def encoded(index: NDArray[np.int32], decided: dict[int, Decision]) -> NDArray[np.int8]:
    """Give decisions by the numbers of pairs as a column of :data:`CODES`."""
    values: Sequence[int] = [CODES[decided.get(number)] for number in index.tolist()]
    return np.array(values, np.int8)
