"""The pair that is looked at: its picture, its scores in words, its flags as sentences."""

from __future__ import annotations

from html import escape
from typing import Any

from qtpy.QtCore import QRect, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from napari_pixcell.studio.results.lazy_pictures import UNREADABLE
from napari_pixcell.studio.review.review import Review
from napari_pixcell.studio.review.review_words import flag_sentences, pair_words, score_lines
from napari_pixcell.ui.review.thumbnails import MARKS, picture
from napari_pixcell.ui.widgets import AMBER, Text

STEP = 64  # px; a picture is read anew only where it grows by as much
LEAST, MOST = 96, 1024  # px
TABLE, GAP = "<table cellspacing='0'>", "style='padding-right: 6px'"


class PairView(QWidget):
    """The picture of the pair that is looked at, as large as there is room.

    Parameters
    ----------
    review : Review
        Whose pair.
    """

    def __init__(self, review: Review) -> None:
        super().__init__()
        self.review = review
        self.setMinimumSize(LEAST, LEAST)
        self.setAccessibleName("The pair that is looked at")

    def paintEvent(self, _event: QPaintEvent | None) -> None:
        """Draw the picture; have it read, and the ones after it, where it is not there."""
        review = self.review
        if review.current is None or review.opened is None:
            return
        room = min(self.width(), self.height())
        side = round(room * self.devicePixelRatioF())
        side = min(MOST, -(-side // STEP) * STEP)
        row = review.row_of(review.current)
        near = [int(one) for one in review.order[row : row + 3]]
        review.large.want(review.key(one, side) for one in near)
        array = review.large.get(review.key(review.current, side))
        painter = QPainter(self)
        if array is UNREADABLE:
            centre = Qt.AlignmentFlag.AlignCenter
            painter.drawText(self.rect(), centre, "The files of this pair\ncannot be read")
        elif array is not None:
            part = room / max(array.shape[:2])
            place = QRect(0, 0, round(array.shape[1] * part), round(array.shape[0] * part))
            place.moveCenter(self.rect().center())
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(place, picture(array))
            decision = review.decision(review.current)
            if decision is not None:
                painter.setPen(QPen(QColor(MARKS[decision][1]), 4))
                painter.drawRect(place.adjusted(2, 2, -3, -3))
        painter.end()


class Detail(QWidget):
    """Picture and words of the pair that is looked at."""

    def __init__(self, review: Review) -> None:
        super().__init__()
        self.review = review
        self.view = PairView(review)
        self.title, self.flags, self.scores = Text(), Text(colour=AMBER), Text()
        self.title.setStyleSheet("font-weight: bold;")
        words = QWidget()
        stack = QVBoxLayout(words)
        stack.setContentsMargins(0, 0, 0, 0)
        stack.setSpacing(3)
        for one in (self.title, self.flags, self.scores):
            stack.addWidget(one)
        stack.addStretch(1)
        self.scroll = QScrollArea()
        self.scroll.setWidgetResizable(True)
        self.scroll.setFrameShape(QFrame.Shape.NoFrame)
        self.scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.scroll.setWidget(words)
        self.scroll.setMinimumHeight(36)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(3)
        outer.addWidget(self.view, 3)
        outer.addWidget(self.scroll, 2)

    def refresh(self, *_: Any) -> None:
        """Show the pair that is looked at."""
        review = self.review
        self.view.update()
        if review.current is None or review.columns is None or review.opened is None:
            for words in (self.title, self.flags, self.scores):
                words.say("")
            self.view.setAccessibleDescription("")
            return
        columns, position = review.columns, review.current
        checks = review.opened.dataset.description.checks
        title = pair_words(columns, position, review.opened.styles, review.decision(position))
        self.title.say(title)
        self.view.setAccessibleDescription(title)
        flags = flag_sentences(columns, position, checks)
        self.flags.say("\n".join(f"⚠ {one}" for one in flags))
        lines = score_lines(columns, position, checks)
        rows = (
            f"<tr><td {GAP}>{escape(one.title)}</td><td {GAP}><b>{one.value}</b></td>"
            f"<td>{one.limit}</td></tr>"
            for one in lines
        )
        self.scores.say(f"{TABLE}{''.join(rows)}</table>" if lines else "No scores")
        self.scores.setToolTip("\n".join(f"{one.title}: {one.meaning}" for one in lines))
