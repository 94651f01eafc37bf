"""The grid of pairs, which reads and draws only the visible ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from qtpy.QtCore import QEvent, QItemSelection, QItemSelectionModel, QModelIndex, QPoint, Qt, Signal
from qtpy.QtGui import QKeyEvent, QKeySequence, QPaintEvent
from qtpy.QtWidgets import QAbstractItemView

from napari_pixcell.studio.review.review import Review
from napari_pixcell.ui.review.thumbnails import CELL, SIDE, PairDelegate, PairModel
from napari_pixcell.ui.widgets import ThumbnailView

PLAIN = (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)


class PairGrid(ThumbnailView):
    """The listed pairs. Arrows move, letters decide."""

    opened = Signal()  # the user wants the current pair in the viewer

    def __init__(self, review: Review) -> None:
        super().__init__("Pairs of the dataset")
        self.review = review
        self.model_ = PairModel(review)
        self.setModel(self.model_)
        self.setItemDelegate(PairDelegate(self, review))
        self.setUniformItemSizes(True)
        self.setMinimumHeight(CELL.height() // 2)
        self.acts: dict[Qt.Key, Callable[[], None]] = {
            Qt.Key.Key_A: lambda: self.decide("accepted"),
            Qt.Key.Key_D: lambda: self.decide("rejected"),
            Qt.Key.Key_N: lambda: self.decide(None),
            Qt.Key.Key_U: review.undo,
            Qt.Key.Key_M: lambda: review.outline(not review.outlined),
            Qt.Key.Key_P: lambda: review.judge(not review.judged),
            Qt.Key.Key_Return: self.opened.emit,
            Qt.Key.Key_Enter: self.opened.emit,
        }
        self.doubleClicked.connect(lambda _: self.opened.emit())
        self.verticalScrollBar().valueChanged.connect(lambda _: self.read_visible())
        review.listed.connect(self._renew)
        review.moved.connect(self._follow)
        review.marked.connect(self.redraw)
        review.small.came.connect(self.redraw)
        self._renew()

    # -- reading -------------------------------------------------------------------------

    def rows_in_sight(self) -> range:
        """Return the rows that are visible, wholly or in part."""
        room, rows = self.viewport().rect(), self.model_.rowCount()
        first = self.indexAt(QPoint(2, 2))
        if not rows or not first.isValid():
            return range(0)
        lines = 2 + (room.height() - 1) // CELL.height()
        return range(first.row(), min(rows, first.row() + self._columns * lines))

    @property
    def _columns(self) -> int:
        columns: int = self.viewport().width() // CELL.width()
        return max(1, columns)

    def read_visible(self) -> None:
        """Read the visible images, then as many below them."""
        if self.review.opened is None:
            return
        visible = self.rows_in_sight()
        ahead = range(visible.stop, min(self.model_.rowCount(), visible.stop + len(visible)))
        side = round(SIDE * self.devicePixelRatioF())
        rows = (*visible, *ahead)
        self.review.small.want(self.review.key(self.model_.position(r), side) for r in rows)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        super().paintEvent(event)
        self.read_visible()

    def focusInEvent(self, event: Any) -> None:
        super().focusInEvent(event)
        self.redraw()

    def focusOutEvent(self, event: Any) -> None:
        super().focusOutEvent(event)
        self.redraw()

    # -- selection -----------------------------------------------------------------------

    def chosen(self) -> list[int]:
        """Return the positions of the selected pairs in the order of the list."""
        return [self.model_.position(row) for row in self.selected_rows()]

    def decide(self, decision: Any) -> None:
        """Accept or reject all selected pairs, or clear their decision with None."""
        self.review.decide(decision, self.chosen())

    def currentChanged(self, now: QModelIndex, before: QModelIndex) -> None:
        super().currentChanged(now, before)
        if now.isValid():
            self.review.go(self.model_.position(now.row()))

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
        self.redraw()

    def _select(self, positions: list[int]) -> None:
        selection = QItemSelection()
        for row in np.flatnonzero(np.isin(self.model_.order, positions)):
            index = self.model_.index(int(row))
            selection.select(index, index)
        self.selectionModel().select(selection, QItemSelectionModel.SelectionFlag.Select)

    def moveCursor(self, action: Any, modifiers: Any) -> QModelIndex:
        # Qt does not move if a page is less than two lines high.
        moves = QAbstractItemView.CursorAction
        way = {moves.MovePageDown: 1, moves.MovePageUp: -1}.get(action)
        row, last = self.currentIndex().row(), self.model_.rowCount() - 1
        if way is None or row < 0:
            return super().moveCursor(action, modifiers)
        page = self._columns * max(1, self.viewport().height() // CELL.height())
        return self.model_.index(min(max(row + way * page, 0), last))

    # -- keys ----------------------------------------------------------------------------

    def event(self, event: QEvent | None) -> bool:  # keeps keys from napari's shortcuts
        overriding = event is not None and event.type() == QEvent.Type.ShortcutOverride
        if overriding and isinstance(event, QKeyEvent) and self._act_of(event) is not None:
            event.accept()
            return True
        return bool(super().event(event))

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        if event is None:
            return
        act = self._act_of(event)
        if act is not None:
            act()
        elif not _is_letter(event):  # so that a slip does not reach the slide
            super().keyPressEvent(event)

    def _act_of(self, event: QKeyEvent) -> Callable[[], None] | None:
        if event.matches(QKeySequence.StandardKey.Undo):
            return self.review.undo
        control = event.modifiers() == Qt.KeyboardModifier.ControlModifier
        also_redo = control and event.key() == Qt.Key.Key_Y
        if also_redo or event.matches(QKeySequence.StandardKey.Redo):
            return self.review.redo
        return self.acts.get(event.key()) if event.modifiers() in PLAIN else None


def _is_letter(event: QKeyEvent) -> bool:
    text = event.text().strip()
    control = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
    return bool(text) and text.isprintable() and not event.modifiers() & control
