"""Reviewing the pairs of a dataset: which are listed, which is current, what is decided."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_pixcell.datasets.store.checks import BAD_WHEN_HIGH
from napari_pixcell.datasets.store.decisions import Decision
from napari_pixcell.errors import PixCellError
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.results.lazy_pictures import LazyPictures
from napari_pixcell.studio.review.columns import CODES, WORDS, Columns, PairQuery, listed
from napari_pixcell.studio.review.decision_writer import Decisions, DecisionWriter
from napari_pixcell.studio.review.open_dataset import (
    DatasetState,
    LoadedPair,
    OpenDataset,
    PictureKey,
)

POLL_S = 2.0
LARGE_BYTES = 32_000_000


class Review:
    """The state of a review. The owner of the main thread calls :meth:`pump`.

    The pairs of the open dataset are filtered and sorted, and one of the listed pairs is current.
    The *position* of a pair is its index in the manifest, its *number* that in the plan.
    """

    changed = Signal()  # counts, messages or available actions have changed
    listed = Signal()  # other pairs are listed, or in another order
    marked = Signal()  # listed pairs look different
    moved = Signal()  # another pair is current

    def __init__(self) -> None:
        self.background = Background()

        def read(key: PictureKey) -> NDArray[np.uint8]:
            return key.opened.picture(key)

        # Thumbnails, and pictures of the current pair.
        self.small: LazyPictures[PictureKey] = LazyPictures(self.background, read)
        self.large: LazyPictures[PictureKey] = LazyPictures(self.background, read, LARGE_BYTES)
        self.outlined = True  # whether the outlines of the cells are drawn
        self.judged = True  # whether they are coloured by agreement
        self.problem = ""
        self.opening = False
        self._clear()

    def _clear(self) -> None:
        self.opened: OpenDataset | None = None
        self._writer: DecisionWriter | None = None
        self._undo: list[Decisions] = []
        self._redo: list[Decisions] = []
        self._state: DatasetState | None = None
        self._polling = False
        self._poll_at = 0.0
        self._positions: dict[int, int] = {}  # by pair number
        self.wanted = PairQuery()  # filter and order of the list
        self.columns: Columns | None = None
        self.codes = np.zeros(0, np.int8)  # (pairs,): decisions, see CODES
        self.order: NDArray[np.intp] = np.zeros(0, np.intp)  # (listed,): positions
        self.current: int | None = None  # position of the current pair

    # -- dataset -------------------------------------------------------------------------

    def open(self, folder: Path) -> None:
        """Open the dataset of a folder. The present one stays open if that fails."""
        if self.opening:
            return
        try:
            self._store_all()
        except PixCellError as error:
            self._say(str(error))
            return
        self.opening = True
        self._say("")

        def work() -> tuple[OpenDataset, DatasetState]:
            opened = OpenDataset(folder)
            return opened, opened.state()

        def done(outcome: tuple[OpenDataset, DatasetState]) -> None:
            self.opening = False
            self._clear()
            self.opened, state = outcome
            self._writer = DecisionWriter(folder, self.background, self.changed.emit)
            self._update(state)

        def failed(message: str) -> None:
            self.opening = False
            self._say(message)

        self.background.compute(work, done, failed)

    def _store_all(self) -> None:
        """Store all decisions, and replace their writer."""
        if self._writer is not None:
            self._writer.close()
            self._writer = DecisionWriter(self._writer.folder, self.background, self.changed.emit)

    def _poll(self) -> None:
        """Read pairs and decisions that were written since."""
        opened, state = self.opened, self._state
        if opened is None or state is None or self._polling or time.monotonic() < self._poll_at:
            return
        self._polling = True

        def is_current() -> bool:
            if opened is not self.opened:
                return False
            self._polling, self._poll_at = False, time.monotonic() + POLL_S
            return True

        def done(new: DatasetState | None) -> None:
            if not is_current() or new is None:
                return
            if new.manifest < state.manifest:
                self.open(opened.folder)  # another dataset replaced it
            else:
                self._update(new)

        def failed(message: str) -> None:
            if is_current():
                self._say(message)

        self.background.compute(lambda: opened.state_since(state), done, failed)

    def _update(self, state: DatasetState) -> None:
        """Show the pairs and decisions of a state, and later decisions that are not on disk."""
        self._state = state
        self.columns, self.codes, self._positions = state.columns, state.codes, state.positions
        later = self._writer.waiting if self._writer else {}
        self._mark({number: what for number, what in later.items() if number in self._positions})

    # -- list ----------------------------------------------------------------------------

    def decision(self, position: int) -> Decision | None:
        return WORDS[int(self.codes[position])]

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

    # -- decisions -----------------------------------------------------------------------

    def decide(self, what: Decision | None, positions: Sequence[int] = ()) -> None:
        """Accept or reject pairs, or clear their decisions.

        Parameters
        ----------
        what : str or None
            ``accepted``, ``rejected``, or None for no decision.
        positions : sequence of int
            The pairs. By default this is the current pair; the next one is current afterwards.
        """
        chosen = list(positions) or ([] if self.current is None else [self.current])
        if not chosen or self.why_no_pair() or self.columns is None:
            return
        after = None
        if len(chosen) == 1 and what is not None:
            row = self.row_of(chosen[0]) + 1
            after = int(self.order[row]) if 0 < row < len(self.order) else None
        changed = [position for position in chosen if self.decision(position) != what]
        changes: Decisions = dict.fromkeys(self.columns.index[changed].tolist(), what)
        if changes:
            self._undo.append(self._decided(changes))
            self._redo.clear()
        self._apply(changes, after)

    def undo(self) -> None:
        """Undo the last decision, and make its pair current."""
        self._swap(self._undo, self._redo)

    def redo(self) -> None:
        self._swap(self._redo, self._undo)

    def why_no_undo(self) -> str:
        return "" if self._undo else "No decision to undo"

    def why_no_redo(self) -> str:
        return "" if self._redo else "No decision to redo"

    def why_no_pair(self) -> str:
        if self.opening:
            return "A dataset is being opened"
        if self.columns is None:
            return "Open a dataset first"
        if not len(self.columns):
            return "The dataset has no pairs yet"
        return "" if self.current is not None else "No pair is listed: show all pairs"

    def _swap(self, source: list[Decisions], target: list[Decisions]) -> None:
        if source and not self.opening:
            changes = source.pop()
            target.append(self._decided(changes))
            self._apply(changes, self._positions[next(iter(changes))])

    def _decided(self, numbers: Iterable[int]) -> Decisions:
        return {number: self.decision(self._positions[number]) for number in numbers}

    def _apply(self, changes: Decisions, then: int | None) -> None:
        if changes and self._writer is not None:
            self._writer.put(changes)
        self._mark(changes, then)

    def _mark(self, decisions: Decisions, then: int | None = None) -> None:
        """Show decisions by pair number, and make the pair at ``then`` current if it is listed."""
        for number, what in decisions.items():
            self.codes[self._positions[number]] = CODES[what]
        self._list(then)
        self.marked.emit()
        self.changed.emit()

    @property
    def damage(self) -> str:
        """Which rows are not shown because they are damaged, in a sentence."""
        return self.opened.damage if self.opened is not None else ""

    @property
    def unsaved(self) -> int:
        return len(self._writer.waiting) if self._writer is not None else 0

    @property
    def cannot_save(self) -> str:
        """Why decisions could not be stored; empty if all are stored or being stored."""
        return self._writer.problem if self._writer is not None else ""

    def save_again(self) -> None:
        if self._writer is not None:
            self._writer.retry()

    # -- pictures ------------------------------------------------------------------------

    def outline(self, on: bool) -> None:
        if on != self.outlined:
            self.outlined = on
            self.marked.emit()
            self.changed.emit()

    def judge(self, on: bool) -> None:
        """Colour the outlines by agreement, or all alike."""
        if on != self.judged:
            self.judged = on
            self.marked.emit()
            self.changed.emit()

    def why_not_judged(self) -> str:
        if self.opened is None:
            return "Open a dataset first"
        return "" if self.outlined else "Show the outlines first (M)"

    def key(self, position: int, side: int) -> PictureKey:
        """Return the key of a pair's picture in :attr:`small` or :attr:`large`."""
        assert self.opened is not None
        return PictureKey(self.opened, position, side, self.outlined, self.judged)

    def read(self, position: int, done: Callable[[LoadedPair], None]) -> None:
        """Load a pair in a thread, then call ``done``."""
        opened = self.opened
        assert opened is not None

        def came(pair: LoadedPair) -> None:
            self._say("")
            done(pair)

        self.background.compute(lambda: opened.pair(position), came, self._say)

    # -- main thread ---------------------------------------------------------------------

    def pump(self) -> bool:
        """Process results of threads in the main thread; True if there were any."""
        came = self.background.pump()
        self._poll()
        return came

    @property
    def busy(self) -> bool:
        return self.background.busy or self.small.busy or self.large.busy

    def close(self) -> None:
        """Store all decisions, and end the threads.

        Raises
        ------
        PixCellError
            If decisions cannot be stored.
        """
        self.small.close()
        self.large.close()
        try:
            self._store_all()
        finally:
            self.background.close()
            self._clear()

    def _say(self, message: str) -> None:
        self.problem = message
        self.changed.emit()
