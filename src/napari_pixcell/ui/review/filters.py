"""The filters and the order of the listed pairs."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QBoxLayout, QComboBox, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_pixcell.studio.review.review import Review
from napari_pixcell.studio.review.review_list import CELLS, NUMBER, SHOW, shown
from napari_pixcell.studio.review.review_words import SORTS
from napari_pixcell.ui.arrange import row
from napari_pixcell.ui.widgets import allow, button

ALL = -1  # of the styles
HIGHEST, LOWEST = "Highest first", "Lowest first"


class ReviewFilters(QWidget):
    """Drop-down lists for decisions and flags, styles, and the order."""

    def __init__(self, review: Review) -> None:
        super().__init__()
        self.review = review
        self.show_ = _combo("Filter pairs by decision or flag")
        self.style_ = _combo("Filter pairs by style")
        self.sort = _combo("Sort pairs by")
        self.direction: QPushButton = button(
            LOWEST, "Reverse the order", self._reverse, "direction of the order"
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
        """Show both filters side by side, or one above the other."""
        way = QBoxLayout.Direction
        self.which.setDirection(way.LeftToRight if wide else way.TopToBottom)

    def refresh(self) -> None:
        review = self.review
        columns, opened, wanted = review.columns, review.opened, review.wanted
        why = "Opening a dataset" if review.opening else "Open a dataset first"
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

    def _reverse(self) -> None:
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
    """Update the changed entries of a drop-down list, which may be open."""
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
