"""Which pairs of a dataset are listed, and in which order: a row of lists."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QBoxLayout, QComboBox, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_pixcell.studio.review.review import Review
from napari_pixcell.studio.review.review_list import CELLS, NUMBER, SHOW, shown
from napari_pixcell.studio.review.review_words import SORTS
from napari_pixcell.ui.widgets import allow, button, row

ALL = -1  # of the styles
HIGHEST, LOWEST = "Highest first", "Lowest first"


class ReviewFilters(QWidget):
    """Lists of what is shown, of which style, sorted by what.

    Parameters
    ----------
    review : Review
        Whose list.
    """

    def __init__(self, review: Review) -> None:
        super().__init__()
        self.review = review
        self.show_ = _combo("Which pairs are listed")
        self.style_ = _combo("Pairs of which style are listed")
        self.sort = _combo("What the pairs are sorted by")
        self.direction: QPushButton = button(
            LOWEST, "Turn the order round", self._turn, "direction of the order"
        )
        self.show_.activated.connect(lambda _: review.want(show=self.show_.currentData()))
        self.style_.activated.connect(self._choose_style)
        self.sort.activated.connect(lambda _: review.want(sort=self.sort.currentData()))
        self.which = QBoxLayout(QBoxLayout.Direction.TopToBottom)
        self.which.setSpacing(4)
        self.which.addWidget(self.show_, 1)
        self.which.addWidget(self.style_, 1)
        order = row(self.sort, self.direction)
        order.setStretch(0, 1)
        lines = QVBoxLayout(self)
        lines.setContentsMargins(0, 0, 0, 0)
        lines.setSpacing(4)
        lines.addLayout(self.which)
        lines.addLayout(order)

    def widen(self, wide: bool) -> None:
        """Have what is listed side by side, or below one another."""
        way = QBoxLayout.Direction
        self.which.setDirection(way.LeftToRight if wide else way.TopToBottom)

    def refresh(self) -> None:
        """Show the review's state."""
        review = self.review
        columns, opened, wanted = review.columns, review.opened, review.wanted
        why = "A dataset is being opened" if review.opening else "Open a dataset first"
        for widget in (self.show_, self.style_, self.sort, self.direction):
            allow(widget, "" if columns is not None and not review.opening else why)
        if columns is None or opened is None:
            return
        known = columns.known_scores()
        entries = []
        for name, words in SHOW.items():
            number = int(shown(columns, review.codes, name).sum())
            entries.append((f"{words} ({number:,})", name))
        _fill(self.show_, entries, wanted.show)
        styles = [("All styles", ALL), *((name, number) for number, name in opened.styles.items())]
        _fill(self.style_, styles, ALL if wanted.style is None else wanted.style)
        self.style_.setVisible(len(opened.styles) > 1)
        sorts = [(SORTS[name], name) for name in (NUMBER, CELLS, *known)]
        _fill(self.sort, sorts, wanted.sort)
        self.direction.setText(HIGHEST if wanted.highest_first else LOWEST)

    def _turn(self) -> None:
        self.review.want(highest_first=not self.review.wanted.highest_first)

    def _choose_style(self, _row: int) -> None:
        number = self.style_.currentData()
        self.review.want(style=None if number == ALL else number)


def _combo(tip: str) -> QComboBox:
    made = QComboBox()
    made.setToolTip(tip)
    made.setAccessibleName(tip)
    made.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    made.setMinimumWidth(70)
    return made


def _fill(combo: QComboBox, entries: Sequence[tuple[str, object]], chosen: object) -> None:
    """Put entries into a list, which may be open: only what changed."""
    with QSignalBlocker(combo):
        if combo.count() != len(entries):
            combo.clear()
            for words, value in entries:
                combo.addItem(words, value)
        for at, (words, value) in enumerate(entries):
            if combo.itemText(at) != words or combo.itemData(at) != value:
                combo.setItemText(at, words)
                combo.setItemData(at, value)
            if value == chosen:
                combo.setCurrentIndex(at)
