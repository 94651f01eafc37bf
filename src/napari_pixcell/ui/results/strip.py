"""The strip of thumbnails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QModelIndex, QPoint, QRect, QSize, Qt, Signal
from qtpy.QtGui import QColor, QFont, QKeyEvent, QMouseEvent, QPainter, QPen
from qtpy.QtWidgets import QAbstractItemView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from napari_pixcell.studio.background import Background
from napari_pixcell.studio.results.gallery import Gallery
from napari_pixcell.studio.results.results import Result
from napari_pixcell.ui.arrange import single_shot
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.results.strip_cells import SIDE, Cell, StripModel
from napari_pixcell.ui.widgets import BLUE, ThumbnailView

CELL = QSize(106, 119)
TITLE_PX, BAR_PX = 78, 13  # width of a title, and height of the scroll bar
STAR = QRect(80, 4, 22, 22)
HOVER = QColor(128, 128, 128, 60)
TITLE_BACK = QColor(128, 128, 128, 40)


class StripDelegate(QStyledItemDelegate):
    """Draws a cell: its image, a frame if it is visible, a star if it has one."""

    def __init__(self, view: Strip) -> None:
        super().__init__(view)
        self.strip = view

    def sizeHint(self, _option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        title = self.strip.model_.cells[index.row()].kind == "title"
        return QSize(TITLE_PX, CELL.height()) if title else CELL

    def paint(
        self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        if painter is None or index.row() >= len(self.strip.model_.cells):
            return
        model = self.strip.model_
        cell, box = model.cells[index.row()], QRect(option.rect)
        box.setHeight(CELL.height())  # a single row is given all the height there is
        words = self.strip.palette().color(self.strip.foregroundRole())
        painter.save()
        font = QFont(self.strip.font())
        font.setPixelSize(11 if cell.kind == "title" else 10)
        painter.setFont(font)
        painter.setPen(words)
        if cell.kind == "title":
            card = box.adjusted(2, 3, -4, -3)
            painter.fillRect(card, TITLE_BACK)
            left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
            flags = int(left) | int(Qt.TextFlag.TextWordWrap)
            painter.drawText(card.adjusted(6, 2, -2, -2), flags, tr(cell.text))
            painter.restore()
            return
        over = bool(option.state & QStyle.StateFlag.State_MouseOver)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        frame = box.adjusted(1, 1, -3, -1)
        if over or chosen:
            painter.fillRect(frame, HOVER)
        inner = QRect(frame.left() + 3, frame.top() + 2, SIDE + 2, SIDE)
        if cell.picture is not None:
            spot = QRect(QPoint(0, 0), cell.picture.size())
            spot.moveCenter(inner.center())
            painter.drawPixmap(spot.topLeft(), cell.picture)
        below = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop
        painter.drawText(frame.adjusted(0, SIDE + 1, 0, 2), below, self._caption(painter, cell))
        focused = index == self.strip.currentIndex() and self.strip.hasFocus()
        if model.is_on(cell):
            painter.setPen(QPen(QColor(BLUE), 2))
            painter.drawRoundedRect(frame, 3, 3)
        elif focused:
            painter.setPen(QPen(words, 1, Qt.PenStyle.DotLine))
            painter.drawRect(frame)
        if cell.kind == "variant" and (cell.result.starred or over):
            font.setPixelSize(14)
            painter.setFont(font)
            _draw_star(painter, STAR.translated(box.topLeft()), cell.result.starred)
        painter.restore()

    def _caption(self, painter: QPainter, cell: Cell) -> str:
        """Return a caption in at most two lines: the seed, and what else tells it from others."""
        first, _, rest = cell.text.partition(", ")
        font, end = painter.fontMetrics(), Qt.TextElideMode.ElideRight
        shown = (font.elidedText(line, end, CELL.width() - 4) for line in (first, rest) if line)
        return "\n".join(shown)


def _draw_star(painter: QPainter, area: QRect, starred: bool) -> None:
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(30, 30, 30, 190))
    painter.drawEllipse(area.adjusted(1, 1, -1, -1))
    painter.setPen(QColor("#ffc83d" if starred else "#e0e0e0"))
    painter.drawText(area, Qt.AlignmentFlag.AlignCenter, "★" if starred else "☆")


class Strip(ThumbnailView):
    """The thumbnails of all variants. Arrows move, Enter shows, S stars, Delete discards."""

    menu_wanted = Signal(QPoint)  # for the selected variants, at this point of the screen

    def __init__(
        self, gallery: Gallery, background: Background, caption: Callable[[Result], str]
    ) -> None:
        super().__init__("Variants")
        self.gallery = gallery
        self.setWrapping(False)
        self._newest = 0  # number of the variant that came last
        self.model_ = StripModel(gallery, background, caption)
        self.setModel(self.model_)
        self.setItemDelegate(StripDelegate(self))
        self.setMouseTracking(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setMinimumHeight(CELL.height() + BAR_PX)
        self._press: int | None = None  # row
        self._show_soon = single_shot(self, 0, self._show_newest)

    # -- content -------------------------------------------------------------------------

    def add(self, result: Result) -> None:
        """Add a variant, and scroll to it unless the mouse is over the strip."""
        self.model_.add(result)
        if not self.underMouse():
            self.scheduleDelayedItemsLayout()
            self._newest = result.number
            self._show_soon.start()

    def remove(self, result: Result) -> None:
        self.model_.remove(result)

    def _show_newest(self) -> None:
        row = self.model_.row_of(self._newest)
        if row >= 0:
            self.scrollTo(self.model_.index(row))

    def chosen(self) -> list[Result]:
        """Return the selected variants in the order of the strip."""
        return [self.model_.cells[row].result for row in self.selected_rows()]

    def centre_of(self, number: int) -> QPoint:
        """Scroll to a variant and return the centre of its thumbnail in the viewport."""
        index = self.model_.index(self.model_.row_of(number))
        self.scrollTo(index)
        return self.visualRect(index).center()

    def sizeHint(self) -> QSize:
        return QSize(4 * CELL.width(), CELL.height() + BAR_PX)

    def resizeEvent(self, event: Any) -> None:
        """Use one row, or as many as there is room for."""
        super().resizeEvent(event)
        wrapping = self.height() >= 2 * CELL.height()
        if wrapping != self.isWrapping():
            self.setWrapping(wrapping)

    # -- mouse and keys ------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        super().mousePressEvent(event)
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self._press = self.indexAt(event.pos()).row()

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        super().mouseReleaseEvent(event)
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        index, press = self.indexAt(event.pos()), self._press
        self._press = None
        extending = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
        if not index.isValid() or index.row() != press or event.modifiers() & extending:
            return
        cell = self.model_.cells[index.row()]
        star = STAR.translated(self.visualRect(index).topLeft())
        if cell.kind == "variant" and star.contains(event.pos()):
            self.gallery.star(cell.result, not cell.result.starred)
        else:
            self._act(cell)

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        if event is None:
            return
        index = self.indexAt(event.pos())
        if not index.isValid():
            return
        cell = self.model_.cells[index.row()]
        self._press = None  # so that the second release is no click
        star = STAR.translated(self.visualRect(index).topLeft())
        if cell.kind == "variant" and not star.contains(event.pos()):
            self.gallery.star(cell.result)
            self.gallery.show(cell.result)

    def contextMenuEvent(self, event: Any) -> None:
        index = self.currentIndex()
        if event.reason() == event.Reason.Mouse:
            index = self.indexAt(event.pos())
            if index.isValid() and not self.selectionModel().isSelected(index):
                self.setCurrentIndex(index)
        if self.chosen():
            at = event.globalPos()
            if event.reason() != event.Reason.Mouse:
                at = self.viewport().mapToGlobal(self.visualRect(index).center())
            self.menu_wanted.emit(at)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        if event is None:
            return
        key, chosen, index = event.key(), self.chosen(), self.currentIndex()
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            if index.isValid():
                self._act(self.model_.cells[index.row()])
        elif key == Qt.Key.Key_Delete and chosen:
            self.gallery.discard(*chosen)
        elif key == Qt.Key.Key_S and chosen and not event.modifiers():
            self.gallery.star(chosen, not all(result.starred for result in chosen))
        elif event.text().strip():
            event.ignore()  # letters go to the viewer's keys, not to a search by typing
        else:
            super().keyPressEvent(event)

    def _act(self, cell: Cell) -> None:
        if cell.kind == "variant":
            self.gallery.toggle(cell.result)
        elif cell.kind == "tissue":
            self.gallery.show_none(cell.result.target.number)
