"""The list of pairs that a review shows, and the current one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_pixcell.datasets.store.decisions import Decision
from napari_pixcell.studio.review.open_dataset import DatasetState
from napari_pixcell.studio.review.review_list import CODES, WORDS, Columns, PairQuery, listed
from napari_pixcell.studio.review.review_words import BAD_WHEN_HIGH


class PairList:
    """Pairs with their decisions, filtered and sorted. One of the listed pairs is current.

    The *position* of a pair is its index in the manifest, its *number* that in the plan.
    """

    changed = Signal()  # counts, messages or available actions have changed
    listed = Signal()  # other pairs are listed, or in another order
    marked = Signal()  # listed pairs look different
    moved = Signal()  # another pair is current

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.wanted = PairQuery()  # filter and order of the list
        self.columns: Columns | None = None
        self.codes = np.zeros(0, np.int8)  # int8, (pairs,): decisions, see CODES
        # (listed,): positions of the listed pairs
        self.order: NDArray[np.intp] = np.zeros(0, np.intp)
        self.current: int | None = None  # position of the current pair
        self._positions: dict[int, int] = {}

    def update(self, state: DatasetState, later: Mapping[int, Decision | None]) -> None:
        """Show all pairs and decisions of a dataset, and later decisions by pair number."""
        self.columns, self.codes, self._positions = state.columns, state.codes, state.positions
        self.mark({number: what for number, what in later.items() if number in self._positions})

    def mark(self, decisions: Mapping[int, Decision | None], then: int | None = None) -> None:
        """Show decisions by pair number, and make the pair at ``then`` current if it is listed."""
        for number, what in decisions.items():
            self.codes[self._positions[number]] = CODES[what]
        self._list(then)
        self.marked.emit()
        self.changed.emit()

    def decision(self, position: int) -> Decision | None:
        return WORDS[int(self.codes[position])]

    def position_of(self, number: int) -> int:
        return self._positions[number]

    def want(self, **changes: Any) -> None:
        """Change fields of :attr:`wanted`. A new score is sorted from the worst value."""
        if "sort" in changes:
            changes.setdefault("highest_first", changes["sort"] in BAD_WHEN_HIGH)
        wanted = replace(self.wanted, **changes)
        if wanted != self.wanted:
            if {"sort", "highest_first"} & changes.keys():
                self.current = None  # the first pairs are of interest after sorting
            self.wanted = wanted
            self._list()
            self.changed.emit()

    def _list(self, then: int | None = None) -> None:
        """Update the list. The current pair is ``then``, or stays, or is the one in its row."""
        if self.columns is None:
            return
        row, before = self.row_of(self.current), self.current
        order = listed(self.columns, self.codes, self.wanted)
        reordered = not np.array_equal(order, self.order)
        self.order, self.current = order, None
        if len(order):
            at_row = int(order[min(max(row, 0), len(order) - 1)])
            self.current = next((p for p in (then, before) if self.row_of(p) >= 0), at_row)
        if reordered:
            self.listed.emit()
        if self.current != before:
            self.moved.emit()

    def row_of(self, position: int | None) -> int:
        """Return the row of a pair in the list; -1 if it is not listed."""
        rows = np.flatnonzero(self.order == (-1 if position is None else position))
        return int(rows[0]) if len(rows) else -1

    def go(self, position: int | None) -> None:
        if position != self.current and (position is None or self.row_of(position) >= 0):
            self.current = position
            self.moved.emit()
            self.changed.emit()
