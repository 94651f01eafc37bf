"""The strip of thumbnails: a list that draws only what is in sight, however long it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QAbstractListModel, QEvent, QModelIndex, QPoint, QRect, QSize, Qt, Signal
from qtpy.QtGui import QColor, QFont, QKeyEvent, QMouseEvent, QPainter, QPen, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from napari_pixcell.cells import condition_image
from napari_pixcell.engine.presets import EXACT
from napari_pixcell.engine.request import GenerateRequest
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.gallery import Gallery
from napari_pixcell.studio.results import Result
from napari_pixcell.ui.parts import BLUE, pixmap, thinned

SIDE = 58
CELL = QSize(68, 76)
TITLE = 18
ROWS = 3  # seen at once; the others scroll
STAR = QRect(44, 2, 20, 20)
HOVER = QColor(128, 128, 128, 60)


@dataclass(eq=False)
class Cell:
    """A title, the tissue or layout of a job, or a variant."""

    kind: str
    result: Result
    picture: QPixmap | None
    text: str
    tip: str


class StripModel(QAbstractListModel):
    """For each job a title, its tissue, its layout, and its variants; the newest job first.

    Parameters
    ----------
    gallery : Gallery
        Whose variants.
    background : Background
        Where layouts are unpacked.
    """

    def __init__(self, gallery: Gallery, background: Background) -> None:
        super().__init__()
        self.gallery = gallery
        self._background = background
        self.cells: list[Cell] = []
        self._pictures: dict[int, QPixmap] = {}  # of variants: made once, also for an undo

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Give the number of cells."""
        return 0 if parent is not None and parent.isValid() else len(self.cells)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Give what a cell shows and says."""
        if not index.isValid() or index.row() >= len(self.cells):
            return None
        cell = self.cells[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return cell.text
        if role == Qt.ItemDataRole.ToolTipRole:
            return cell.tip
        if role == Qt.ItemDataRole.AccessibleTextRole:
            states = [w for w, on in (("shown", self.is_on(cell)), ("kept", _kept(cell))) if on]
            return ", ".join([cell.tip.splitlines()[0] if cell.tip else cell.text, *states])
        return None

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Only variants are chosen; titles are only read."""
        cell = self.cells[index.row()] if index.isValid() else None
        if cell is None or cell.kind == "title":
            return Qt.ItemFlag.NoItemFlags
        if cell.kind != "variant":
            return Qt.ItemFlag.ItemIsEnabled
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    def row_of(self, number: int) -> int:
        """Give the row of a variant, or -1."""
        for row, cell in enumerate(self.cells):
            if cell.kind == "variant" and cell.result.number == number:
                return row
        return -1

    def is_on(self, cell: Cell) -> bool:
        """Whether what a cell stands for is seen over its region."""
        if cell.kind == "tissue":
            return not any(r.shown for r in self.gallery.of_region(cell.result.target.number))
        return cell.kind == "variant" and cell.result.shown

    def add(self, result: Result) -> None:
        """Put a variant behind those of its job, or a new job above the others."""
        row, others = self._place(result)
        new = [] if others else self._context(result)
        if result.number not in self._pictures:
            self._pictures[result.number] = pixmap(result.small, SIDE)
        new.append(
            Cell(
                "variant",
                result,
                self._pictures[result.number],
                f"seed {result.seed}",
                f"{result.name}\n{how(result.record.request)}\n{result.record.notice}\n"
                "Click to show or hide, double click to keep, right click for more",
            )
        )
        self.beginInsertRows(QModelIndex(), row, row + len(new) - 1)
        self.cells[row:row] = new
        self.endInsertRows()

    def remove(self, result: Result) -> None:
        """Take a variant out, and with the last one its job."""
        row = self.row_of(result.number)
        if row < 0:
            return
        group = [i for i, cell in enumerate(self.cells) if cell.result.job == result.job]
        alone = sum(self.cells[i].kind == "variant" for i in group) == 1
        first, last = (group[0], group[-1]) if alone else (row, row)
        self.beginRemoveRows(QModelIndex(), first, last)
        del self.cells[first : last + 1]
        self.endRemoveRows()

    def forget_pictures(self) -> None:
        """Drop the thumbnails of what is gone for good."""
        gallery = self.gallery
        known = {result.number for result in (*gallery.results, *gallery.discarded)}
        for number in self._pictures.keys() - known:
            del self._pictures[number]

    def _place(self, result: Result) -> tuple[int, bool]:
        """Give the row of a variant that is new, and whether others of its job are there."""
        row, found = 0, False
        for index, cell in enumerate(self.cells):
            job = cell.result.job
            if job == result.job:
                found = True
                if cell.kind != "variant" or cell.result.number < result.number:
                    row = index + 1
            elif job > result.job:
                row = index + 1
        return row, found

    def _context(self, result: Result) -> list[Cell]:
        """Give a job's title, and the tissue and layout that its variants are compared with."""
        cells = [Cell("title", result, None, f"{result.target.name} · {result.made:%H:%M}", "")]
        if result.target.pixels is not None:
            picture = pixmap(result.target.pixels, SIDE)
            tip = "The real tissue of the region: click to see it in place"
            cells.append(Cell("tissue", result, picture, "tissue", tip))
        if result.record.request.layout is not None:
            tip = "The layout that these variants were made from"
            cells.append(Cell("layout", result, None, "layout", tip))
            self._draw_layout(cells[-1])
        return cells

    def _draw_layout(self, cell: Cell) -> None:
        """Unpack a layout in a thread: that of a large region takes a while."""

        def draw() -> NDArray[np.uint8]:
            labels = cell.result.labels
            assert labels is not None
            return condition_image(thinned(labels))

        def drawn(image: NDArray[np.uint8]) -> None:
            cell.picture = pixmap(image, SIDE)
            if cell in self.cells:
                place = self.index(self.cells.index(cell))
                self.dataChanged.emit(place, place)

        self._background.compute(draw, drawn, lambda _: None)


class StripDelegate(QStyledItemDelegate):
    """Draws a cell: a frame if it is seen, a star if it is kept."""

    def __init__(self, view: Strip) -> None:
        super().__init__(view)
        self.strip = view

    def sizeHint(self, _option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        """Give a title the whole width, and with it a row of its own."""
        if self.strip.model_.cells[index.row()].kind == "title":
            return QSize(self.strip.columns * CELL.width(), TITLE)
        return CELL

    def paint(
        self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Draw a cell."""
        if painter is None or index.row() >= len(self.strip.model_.cells):
            return
        model = self.strip.model_
        cell, box = model.cells[index.row()], QRect(option.rect)
        words = self.strip.palette().color(self.strip.foregroundRole())
        painter.save()
        font = QFont(self.strip.font())
        font.setPixelSize(11 if cell.kind == "title" else 10)
        painter.setFont(font)
        painter.setPen(words)
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        if cell.kind == "title":
            painter.drawText(box, left, cell.text)
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
        below = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom
        text = painter.fontMetrics().elidedText(
            cell.text, Qt.TextElideMode.ElideRight, frame.width()
        )
        painter.drawText(frame.adjusted(0, 0, 0, -1), below, text)
        focused = index == self.strip.currentIndex() and self.strip.hasFocus()
        if model.is_on(cell):
            painter.setPen(QPen(QColor(BLUE), 2))
            painter.drawRoundedRect(frame, 3, 3)
        elif focused:
            painter.setPen(QPen(words, 1, Qt.PenStyle.DotLine))
            painter.drawRect(frame)
        if cell.kind == "variant" and (cell.result.starred or over):
            star = STAR.translated(box.topLeft())
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(30, 30, 30, 190))
            painter.drawEllipse(star.adjusted(1, 1, -1, -1))
            font.setPixelSize(14)
            painter.setFont(font)
            painter.setPen(QColor("#ffc83d" if cell.result.starred else "#e0e0e0"))
            painter.drawText(
                star, Qt.AlignmentFlag.AlignCenter, "★" if cell.result.starred else "☆"
            )
        painter.restore()


class Strip(QListView):
    """The thumbnails; arrows move among them, Enter shows, S keeps, Delete discards.

    Parameters
    ----------
    gallery : Gallery
        Whose variants.
    background : Background
        Threads of the session.

    Attributes
    ----------
    menu_wanted : Signal(QPoint)
        A menu for what is chosen, at this place of the screen.
    """

    menu_wanted = Signal(QPoint)

    def __init__(self, gallery: Gallery, background: Background) -> None:
        super().__init__()
        self.gallery = gallery
        self.columns = 4
        self.model_ = StripModel(gallery, background)
        self.setModel(self.model_)
        self.setItemDelegate(StripDelegate(self))
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Variants")
        self.setStyleSheet("QListView { background: transparent; padding: 0; }")
        self._press: int | None = None

    # -- what is in it -------------------------------------------------------------------

    def add(self, result: Result) -> None:
        """Take a variant in."""
        self.model_.add(result)
        self.fit()

    def remove(self, result: Result) -> None:
        """Take a variant out."""
        self.model_.remove(result)
        self.fit()

    def chosen(self) -> list[Result]:
        """Give the variants that are selected, in the order of the strip."""
        rows = sorted(index.row() for index in self.selectedIndexes())
        return [self.model_.cells[row].result for row in rows]

    def centre_of(self, number: int) -> QPoint:
        """Scroll to a variant and give the middle of its thumbnail, in the viewport."""
        index = self.model_.index(self.model_.row_of(number))
        self.scrollTo(index)
        return self.visualRect(index).center()

    def fit(self) -> None:
        """Be as high as the cells need, and not higher than a few rows."""
        self.columns = max(1, (self.width() - 14) // CELL.width())
        height, free, rows = 0, 0, 0
        for cell in self.model_.cells:
            if cell.kind == "title":
                height, free = height + TITLE, 0
            else:
                if not free:
                    rows, free = rows + 1, self.columns
                    height += CELL.height()
                free -= 1
            if rows > ROWS:
                break
        most = ROWS * CELL.height() + TITLE
        self.setFixedHeight(min(height, most) + 2)

    def resizeEvent(self, event: Any) -> None:
        """Count the columns anew."""
        super().resizeEvent(event)
        before = self.columns
        self.fit()
        if self.columns != before:
            self.scheduleDelayedItemsLayout()

    # -- mouse and keys ------------------------------------------------------------------

    def _variant_at(self, place: QPoint) -> Cell | None:
        index = self.indexAt(place)
        return self.model_.cells[index.row()] if index.isValid() else None

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Remember where a click began."""
        super().mousePressEvent(event)
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self._press = self.indexAt(event.pos()).row()

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Show what was clicked, or keep it; with Ctrl or Shift it is only selected."""
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
        """Keep what was clicked twice, and show it."""
        if event is None:
            return
        index = self.indexAt(event.pos())
        if not index.isValid():
            return
        cell = self.model_.cells[index.row()]
        self._press = None  # the second release is no click
        star = STAR.translated(self.visualRect(index).topLeft())
        if cell.kind == "variant" and not star.contains(event.pos()):
            self.gallery.star(cell.result)
            self.gallery.show(cell.result)

    def contextMenuEvent(self, event: Any) -> None:
        """Ask for the menu, by mouse or key."""
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
        """Act on what is selected; the viewer has the other letters."""
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
            event.ignore()  # no search by typing: the viewer's keys work here too
        else:
            super().keyPressEvent(event)

    def changeEvent(self, event: QEvent | None) -> None:
        """Draw anew with other colours."""
        super().changeEvent(event)
        self.viewport().update()

    def _act(self, cell: Cell) -> None:
        acts: dict[str, Callable[[], None]] = {
            "variant": lambda: self.gallery.toggle(cell.result),
            "tissue": lambda: self.gallery.show_none(cell.result.target.number),
        }
        if cell.kind in acts:
            acts[cell.kind]()


def how(request: GenerateRequest) -> str:
    """Say how a variant was made, and how large it is if it is no tile."""
    parts = [f"{request.steps} steps", f"guidance {request.guidance:g}"]
    if request.preset != EXACT.name:
        parts.append(request.preset)
    if request.size is not None:
        parts.append(f"{request.size[1]} × {request.size[0]} px")
    return ", ".join(parts)


def _kept(cell: Cell) -> bool:
    return cell.kind == "variant" and cell.result.starred
