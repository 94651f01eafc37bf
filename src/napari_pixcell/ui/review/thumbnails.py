"""The thumbnails of a review: their model and their drawing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QModelIndex, QPoint, QRect, QSize, QStringListModel, Qt
from qtpy.QtGui import QColor, QFont, QImage, QPainter, QPen
from qtpy.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from napari_pixcell.studio.results.lazy_pictures import UNREADABLE
from napari_pixcell.studio.review.captions import caption, flag_sentences, pair_words
from napari_pixcell.studio.review.review import Review
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.widgets import AMBER, BLUE

SIDE = 88  # px of a thumbnail
CELL = QSize(SIDE + 8, SIDE + 22)
BADGE = 18
POSITION = Qt.ItemDataRole.UserRole
MARKS = {"accepted": ("✓", "#3f9d5d"), "rejected": ("✕", "#d0493f")}
FLAG = "⚠"
EMPTY = QColor(128, 128, 128, 50)
CHOSEN = QColor(128, 128, 128, 70)
VEIL = QColor(110, 110, 110, 150)


def draw_fitted(painter: QPainter, image: NDArray[np.uint8], side: int, centre: QPoint) -> QRect:
    """Draw an image (height, width, 3) about a centre, its longer side ``side`` px long.

    Returns
    -------
    QRect
        The area that it covers.
    """
    height, width = image.shape[:2]
    factor = side / max(height, width)
    area = QRect(0, 0, round(width * factor), round(height * factor))
    area.moveCenter(centre)
    shown = QImage(image.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    painter.drawImage(area, shown)
    return area


class PairModel(QStringListModel):
    """The listed pairs of a review, one for each row.

    Qt asks for the number of rows twice for each row whenever it lays out the list. Qt's own model
    of strings, which are not shown, answers that faster than Python.
    """

    def __init__(self, review: Review) -> None:
        super().__init__()
        self.review = review
        self.order = review.order
        self.renew()

    def renew(self) -> None:
        self.order = self.review.order
        self.setStringList([""] * len(self.order))

    def position(self, row: int) -> int:
        return int(self.order[row])

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        review = self.review
        if not index.isValid():
            return None
        position = self.position(index.row())
        if role == POSITION:
            return position
        columns, opened = review.columns, review.opened
        if columns is None or opened is None:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return caption(columns, position, review.wanted.sort)
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            words = pair_words(columns, position, opened.styles, review.decision(position))
            checks = opened.dataset.description.checks
            parts = [words, *flag_sentences(columns, position, checks)]
            return ("\n" if role == Qt.ItemDataRole.ToolTipRole else ", ").join(parts)
        return None


class PairDelegate(QStyledItemDelegate):
    """Draws a pair: its image, a frame and a badge for its decision, a badge for its flags."""

    def __init__(self, view: QListView, review: Review) -> None:
        super().__init__(view)
        self.view, self.review = view, review

    def sizeHint(self, _option: QStyleOptionViewItem, _index: QModelIndex) -> QSize:
        return CELL

    def paint(
        self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        review = self.review
        if painter is None or review.columns is None:
            return
        position = index.data(POSITION)
        decision = review.decision(position)
        box = QRect(option.rect)
        spot = QRect(box.left() + 4, box.top() + 3, SIDE, SIDE)
        words = self.view.palette().color(self.view.foregroundRole())
        painter.save()
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(box.adjusted(0, 0, -1, -1), CHOSEN)
        self._draw_picture(painter, spot, position)
        if decision == "rejected":
            painter.fillRect(spot, VEIL)
        font = QFont(self.view.font())
        font.setPixelSize(10)
        painter.setFont(font)
        painter.setPen(words)
        below = QRect(box.left() + 2, spot.bottom() + 2, box.width() - 4, 14)
        text = painter.fontMetrics().elidedText(
            str(index.data()), Qt.TextElideMode.ElideRight, below.width()
        )
        painter.drawText(below, Qt.AlignmentFlag.AlignCenter, text)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if decision is not None:
            mark, colour = MARKS[decision]
            painter.setPen(QPen(QColor(colour), 3))
            painter.drawRect(spot.adjusted(1, 1, -2, -2))
            _badge(painter, QRect(spot.left(), spot.top(), BADGE, BADGE), mark, colour)
        if review.columns.flagged[position]:
            corner = QRect(spot.right() - BADGE + 1, spot.top(), BADGE, BADGE)
            _badge(painter, corner, FLAG, AMBER, "black")
        if position == review.current:
            line = Qt.PenStyle.SolidLine if self.view.hasFocus() else Qt.PenStyle.DotLine
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(BLUE) if self.view.hasFocus() else words, 2, line))
            painter.drawRect(box.adjusted(1, 1, -2, -2))
        painter.restore()

    def _draw_picture(self, painter: QPainter, spot: QRect, position: int) -> None:
        side = round(SIDE * self.view.devicePixelRatioF())
        array = self.review.small.get(self.review.key(position, side))
        if array is None or array is UNREADABLE:
            painter.fillRect(spot, EMPTY)
            if array is UNREADABLE:
                painter.drawText(spot, Qt.AlignmentFlag.AlignCenter, tr("cannot\nbe read"))
            return
        draw_fitted(painter, array, SIDE, spot.center())


def _badge(painter: QPainter, box: QRect, mark: str, colour: str, ink: str = "white") -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colour))
    painter.drawRoundedRect(box, 3, 3)
    font = QFont(painter.font())
    font.setPixelSize(13)
    font.setBold(True)
    painter.setFont(font)
    painter.setPen(QColor(ink))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, mark)
    painter.setBrush(Qt.BrushStyle.NoBrush)
