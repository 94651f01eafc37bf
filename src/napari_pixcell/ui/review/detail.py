"""The current pair: its image, its flags as sentences, its scores in a table."""

from __future__ import annotations

from html import escape
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from napari_pixcell.studio.results.lazy_pictures import UNREADABLE
from napari_pixcell.studio.review.captions import flag_sentences, pair_words, score_lines
from napari_pixcell.studio.review.review import Review
from napari_pixcell.ui.review.thumbnails import MARKS, draw_fitted
from napari_pixcell.ui.widgets import AMBER, Text

STEP = 64  # px; images are read in multiples of this size
LEAST, MOST = 96, 1024  # px
TABLE, GAP = "<table cellspacing='0'>", "style='padding-right: 6px'"


class PairView(QWidget):
    """The image of the current pair, as large as the widget."""

    def __init__(self, review: Review) -> None:
        super().__init__()
        self.review = review
        self.setMinimumSize(LEAST, LEAST)
        self.setAccessibleName("Current pair")

    def paintEvent(self, _event: QPaintEvent | None) -> None:
        review = self.review
        if review.current is None or review.opened is None:
            return
        room = min(self.width(), self.height())
        side = round(room * self.devicePixelRatioF())
        side = min(MOST, -(-side // STEP) * STEP)
        row = review.row_of(review.current)
        # The next pairs are read ahead.
        review.large.want(review.key(int(one), side) for one in review.order[row : row + 3])
        array = review.large.get(review.key(review.current, side))
        painter = QPainter(self)
        if array is UNREADABLE:
            centre = Qt.AlignmentFlag.AlignCenter
            painter.drawText(self.rect(), centre, "Cannot read the files\nof this pair")
        elif array is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            drawn = draw_fitted(painter, array, room, self.rect().center())
            decision = review.decision(review.current)
            if decision is not None:
                painter.setPen(QPen(QColor(MARKS[decision][1]), 4))
                painter.drawRect(drawn.adjusted(2, 2, -3, -3))
        painter.end()


class Detail(QWidget):
    """Image, flags and scores of the current pair."""

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
