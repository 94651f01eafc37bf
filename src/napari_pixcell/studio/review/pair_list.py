"""The list of pairs that a review goes through, and which of them is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_pixcell.datasets.store.decisions import Decision
from napari_pixcell.studio.review.open_dataset import News
from napari_pixcell.studio.review.review_list import CODES, WORDS, Columns, Wanted, listed
from napari_pixcell.studio.review.review_words import BAD_WHEN_HIGH

Marks = Mapping[int, Decision | None]


class PairList:
    """Pairs with decisions, filtered and sorted; one of those that are listed is looked at.

    A *position* is a pair's place in the manifest, its *number* the one it has in the plan.

    Attributes
    ----------
    changed : Signal
        Anything that is said: counts, problems, what can be done.
    listed : Signal
        Other pairs are listed, or in another order.
    marked : Signal
        Pairs that are listed look different.
    moved : Signal
        Another pair is looked at.
    wanted : Wanted
        What is to be listed.
    columns : Columns or None
        All pairs.
    codes : array, int8, (pairs,)
        Decisions, see :data:`~napari_pixcell.studio.review.review_list.CODES`.
    order : array, (listed,)
        Positions of the pairs that are listed.
    current : int or None
        Position of the pair that is looked at.
    """

    changed = Signal()
    listed = Signal()
    marked = Signal()
    moved = Signal()

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Begin with nothing."""
        self.wanted = Wanted()
        self.columns: Columns | None = None
        self.codes = np.zeros(0, np.int8)
        self.order: NDArray[np.intp] = np.zeros(0, np.intp)
        self.current: int | None = None
        self._positions: dict[int, int] = {}

    def take(self, news: News, later: Marks) -> None:
        """Take all pairs and decisions there are now, and what was decided since."""
        self.columns, self.codes, self._positions = news.columns, news.codes, news.positions
        self.mark({number: what for number, what in later.items() if number in self._positions})

    def mark(self, marks: Marks, then: int | None = None) -> None:
        """Take decisions by the numbers of pairs, and look at ``then`` if it is listed."""
        for number, what in marks.items():
            self.codes[self._positions[number]] = CODES[what]
        self._list(then)
        self.marked.emit()
        self.changed.emit()

    def decision(self, position: int) -> Decision | None:
        """Give what was decided about a pair."""
        return WORDS[int(self.codes[position])]

    def position_of(self, number: int) -> int:
        """Give the position of the pair of a number."""
        return self._positions[number]

    def want(self, **changes: Any) -> None:
        """List other pairs, or in another order, from the worst on: see :class:`Wanted`."""
        if "sort" in changes:
            changes.setdefault("highest_first", changes["sort"] in BAD_WHEN_HIGH)
        wanted = replace(self.wanted, **changes)
        if wanted != self.wanted:
            if {"sort", "highest_first"} & changes.keys():
                self.current = None  # who sorts wants to see the first ones
            self.wanted = wanted
            self._list()
            self.changed.emit()

    def _list(self, then: int | None = None) -> None:
        """List anew, and look at the pair ``then``, or stay, or go where the pair was."""
        if self.columns is None:
            return
        row = self.row_of(self.current)
        order = listed(self.columns, self.codes, self.wanted)
        other = not np.array_equal(order, self.order)
        self.order = order
        kept = [one for one in (then, self.current) if one is not None and (order == one).any()]
        before, self.current = self.current, None
        if len(order):
            self.current = kept[0] if kept else int(order[min(max(row, 0), len(order) - 1)])
        if other:
            self.listed.emit()
        if self.current != before:
            self.moved.emit()

    def row_of(self, position: int | None) -> int:
        """Say where a pair stands in the list; -1 where it does not."""
        rows = np.flatnonzero(self.order == (-1 if position is None else position))
        return int(rows[0]) if len(rows) else -1

    def go(self, position: int | None) -> None:
        """Look at a pair."""
        if position != self.current and (position is None or self.row_of(position) >= 0):
            self.current = position
            self.moved.emit()
            self.changed.emit()
