"""The current pair: its image, its flags as sentences, its scores in a table."""

from __future__ import annotations

from dataclasses import asdict
from html import escape
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QWidget

from napari_pixcell.engine.repair import NucleusCounts
from napari_pixcell.studio.results.lazy_pictures import UNREADABLE
from napari_pixcell.studio.review.captions import (
    flag_sentences,
    nucleus_counts,
    pair_words,
    score_lines,
)
from napari_pixcell.studio.review.open_dataset import PARTIAL, PLACED, WRONG
from napari_pixcell.studio.review.review import Review
from napari_pixcell.ui.arrange import column, row, scrolled
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.review.thumbnails import MARKS, draw_fitted
from napari_pixcell.ui.widgets import AMBER, Text, allow, check_box

STEP = 64  # px; images are read in multiples of this size
LEAST, MOST = 96, 1024  # px
# On dark chips, as yellow and sky blue are faint on a light theme.
CHIP = "<span style='background: #303030; color: rgb{0}'>\u00a0■\u00a0</span>"
KEEP = "\u00a0"  # a space without a line break
LINE = "<tr><td {gap}>{title}</td><td {gap}><b>{one.value}</b></td><td>{one.limit}</td></tr>"
TABLE, GAP = "<table cellspacing='0'>", "style='padding-right: 6px'"


class PairView(QWidget):
    """The image of the current pair, as large as the widget."""

    def __init__(self, review: Review) -> None:
        super().__init__()
        self.review = review
        self.setMinimumSize(LEAST, LEAST)
        self.setAccessibleName(tr("Current pair"))

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
            painter.drawText(self.rect(), centre, tr("Cannot read the files\nof this pair"))
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
        tip = "Colour the outlines by how the image shows each nucleus of the mask (P)"
        self.judged = check_box("Agreement", tip)
        self.judged.setChecked(review.judged)
        self.judged.toggled.connect(review.judge)
        self.legend = Text()
        words = QWidget()
        column(words, self.title, self.flags, self.scores, spacing=3).addStretch(1)
        self.scroll = scrolled(words)
        self.scroll.setMinimumHeight(36)
        key = row(self.judged, self.legend, stretch=1)
        outer = column(self, self.view, key, self.scroll, spacing=3)
        outer.setStretch(0, 3)
        outer.setStretch(2, 2)

    def refresh(self, *_: Any) -> None:
        review = self.review
        self.view.update()
        self.judged.setChecked(review.judged)
        allow(self.judged, review.why_not_judged())
        if review.current is None or review.columns is None or review.opened is None:
            for words in (self.title, self.flags, self.scores, self.legend):
                words.say("")
            self.view.setAccessibleDescription("")
            return
        columns, position = review.columns, review.current
        checks = review.opened.dataset.description.checks
        title = pair_words(columns, position, review.opened.styles, review.decision(position))
        self.title.say(title)
        self.view.setAccessibleDescription(title)
        flags = flag_sentences(columns, position, checks)
        counts = nucleus_counts(columns, position)
        coloured = review.outlined and review.judged
        self.legend.say(_legend(counts, coloured) if columns.cells[position] >= 0 else "")
        self.flags.say("\n".join(f"⚠ {one}" for one in flags))
        lines = score_lines(columns, position, checks)
        rows = (LINE.format(gap=GAP, title=escape(one.title), one=one) for one in lines)
        self.scores.say(f"{TABLE}{''.join(rows)}</table>" if lines else "No scores")
        self.scores.setToolTip("\n".join(f"{tr(one.title)}: {tr(one.meaning)}" for one in lines))


def _legend(counts: NucleusCounts | None, coloured: bool) -> str:
    """Return the numbers of nuclei, each behind the colour of its outlines."""
    if counts is None:
        return "–"
    placed, partial, missing, extra = (f"{n}{KEEP}{name}" for name, n in asdict(counts).items())
    if not coloured:
        return f"{placed}, {partial}, {missing}, {extra}"
    parts = {PLACED: placed, PARTIAL: partial, WRONG: f"{missing}, {extra}"}
    return " ".join(f"{CHIP.format(colour)}{KEEP}{words}" for colour, words in parts.items())
