"""The grid of pairs: only what is in sight is read and drawn, however many there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from qtpy.QtCore import QEvent, QItemSelection, QItemSelectionModel, QModelIndex, QPoint, Qt, Signal
from qtpy.QtGui import QKeyEvent, QKeySequence, QPaintEvent
from qtpy.QtWidgets import QAbstractItemView, QFrame, QListView

from napari_pixcell.studio.review.review import Review
from napari_pixcell.ui.review.thumbnails import CELL, SIDE, PairDelegate, PairModel

PLAIN = (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)


class PairGrid(QListView):
    """The pairs that are listed; arrows move among them, letters decide.

    Parameters
    ----------
    review : Review
        Whose pairs.

    Attributes
    ----------
    opened : Signal
        The pair that is looked at is to be shown elsewhere.
    """

    opened = Signal()

    def __init__(self, review: Review) -> None:
        super().__init__()
        self.review = review
        self.model_ = PairModel(review)
        self.setModel(self.model_)
        self.setItemDelegate(PairDelegate(self, review))
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(True)
        self.setUniformItemSizes(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Pairs of the dataset")
        self.setStyleSheet("QListView { background: transparent; padding: 0; }")
        self.setMinimumHeight(CELL.height() // 2)
        self.acts: dict[Qt.Key, Callable[[], None]] = {
            Qt.Key.Key_A: lambda: self.decide("accepted"),
            Qt.Key.Key_D: lambda: self.decide("rejected"),
            Qt.Key.Key_N: lambda: self.decide(None),
            Qt.Key.Key_U: review.undo,
            Qt.Key.Key_M: lambda: review.outline(not review.outlined),
            Qt.Key.Key_Return: self.opened.emit,
            Qt.Key.Key_Enter: self.opened.emit,
        }
        self.doubleClicked.connect(lambda _: self.opened.emit())
        self.verticalScrollBar().valueChanged.connect(lambda _: self.look())
        review.listed.connect(self._renew)
        review.moved.connect(self._follow)
        review.marked.connect(self._draw)
        review.small.came.connect(self._draw)
        self._renew()

    # -- what is seen --------------------------------------------------------------------

    def rows_in_sight(self) -> range:
        """Give the rows that are seen, wholly or in part."""
        room, rows = self.viewport().rect(), self.model_.rowCount()
        first = self.indexAt(QPoint(2, 2))
        if not rows or not first.isValid():
            return range(0)
        lines = 2 + (room.height() - 1) // CELL.height()
        return range(first.row(), min(rows, first.row() + self._columns * lines))

    @property
    def _columns(self) -> int:
        return max(1, self.viewport().width() // CELL.width())

    def look(self) -> None:
        """Have the pictures read that are in sight, then those below them."""
        if self.review.opened is None:
            return
        seen = self.rows_in_sight()
        ahead = range(seen.stop, min(self.model_.rowCount(), seen.stop + len(seen)))
        side = round(SIDE * self.devicePixelRatioF())
        rows = (*seen, *ahead)
        self.review.small.want(self.review.key(self.model_.position(r), side) for r in rows)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw, and have what is missing read."""
        super().paintEvent(event)
        self.look()

    def changeEvent(self, event: QEvent | None) -> None:
        """Draw anew with other colours."""
        super().changeEvent(event)
        self.viewport().update()

    def focusInEvent(self, event: Any) -> None:
        """Show that the keys work here."""
        super().focusInEvent(event)
        self.viewport().update()

    def focusOutEvent(self, event: Any) -> None:
        """Show that the keys work elsewhere."""
        super().focusOutEvent(event)
        self.viewport().update()

    # -- in step with the review -----------------------------------------------------------

    def chosen(self) -> list[int]:
        """Give the positions of the pairs that are selected, in the order of the list."""
        rows = sorted(index.row() for index in self.selectedIndexes())
        return [self.model_.position(row) for row in rows]

    def decide(self, what: Any) -> None:
        """Decide about all that is selected."""
        self.review.decide(what, self.chosen())

    def currentChanged(self, now: QModelIndex, before: QModelIndex) -> None:
        """Look at the pair that the user went to."""
        super().currentChanged(now, before)
        if now.isValid():
            self.review.go(self.model_.position(now.row()))

    def _draw(self) -> None:
        self.viewport().update()

    def _renew(self) -> None:
        before = self.chosen()
        self.model_.renew()
        self._follow()
        if len(before) > 1:
            self._select(before)

    def _follow(self) -> None:
        row = self.review.row_of(self.review.current)
        if row >= 0 and row != self.currentIndex().row():
            self.setCurrentIndex(self.model_.index(row))
            self.scrollTo(self.model_.index(row))
        self.viewport().update()

    def _select(self, positions: list[int]) -> None:
        selection = QItemSelection()
        for row in np.flatnonzero(np.isin(self.model_.order, positions)):
            index = self.model_.index(int(row))
            selection.select(index, index)
        self.selectionModel().select(selection, QItemSelectionModel.SelectionFlag.Select)

    def moveCursor(self, action: Any, modifiers: Any) -> QModelIndex:
        """Go by pages of whole lines: Qt stays where a page is less than two of them."""
        moves = QAbstractItemView.CursorAction
        way = {moves.MovePageDown: 1, moves.MovePageUp: -1}.get(action)
        row, last = self.currentIndex().row(), self.model_.rowCount() - 1
        if way is None or row < 0:
            return super().moveCursor(action, modifiers)
        page = self._columns * max(1, self.viewport().height() // CELL.height())
        return self.model_.index(min(max(row + way * page, 0), last))

    # -- keys ----------------------------------------------------------------------------

    def event(self, event: QEvent | None) -> bool:
        """Keep our keys from napari's own shortcuts."""
        overriding = event is not None and event.type() == QEvent.Type.ShortcutOverride
        if overriding and isinstance(event, QKeyEvent) and self._act_of(event) is not None:
            event.accept()
            return True
        return bool(super().event(event))

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Decide, or move; other letters do nothing here, so that no slip reaches the slide."""
        if event is None:
            return
        act = self._act_of(event)
        if act is not None:
            act()
        elif not _is_letter(event):
            super().keyPressEvent(event)

    def _act_of(self, event: QKeyEvent) -> Callable[[], None] | None:
        if event.matches(QKeySequence.StandardKey.Undo):
            return self.review.undo
        control = event.modifiers() == Qt.KeyboardModifier.ControlModifier
        again = control and event.key() == Qt.Key.Key_Y
        if again or event.matches(QKeySequence.StandardKey.Redo):
            return self.review.redo
        return self.acts.get(event.key()) if event.modifiers() in PLAIN else None


def _is_letter(event: QKeyEvent) -> bool:
    text = event.text().strip()
    control = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
    return bool(text) and text.isprintable() and not event.modifiers() & control
