"""The filters and the order of the listed pairs."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QBoxLayout, QComboBox, QWidget

from napari_pixcell.studio.review.captions import SORTS
from napari_pixcell.studio.review.columns import CELLS, NUMBER, SHOW, shown
from napari_pixcell.studio.review.review import Review
from napari_pixcell.ui.arrange import column, row
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.widgets import allow, button, combo, offer

ALL = -1  # of the styles
HIGHEST, LOWEST = "Highest first", "Lowest first"


class ReviewFilters(QWidget):
    """Drop-down lists for decisions and flags, styles, and the order."""

    def __init__(self, review: Review) -> None:
        super().__init__()
        self.review = review
        self.show_ = combo("Filter pairs by decision or flag")
        self.style_ = combo("Filter pairs by style")
        self.sort = combo("Sort pairs by")
        for made in (self.show_, self.style_, self.sort):
            made.setMinimumWidth(70)
        name = "direction of the order"
        self.direction = button(LOWEST, "Reverse the order", self._reverse, name)
        self.show_.activated.connect(lambda _: review.want(show=self.show_.currentData()))
        self.style_.activated.connect(self._choose_style)
        self.sort.activated.connect(lambda _: review.want(sort=self.sort.currentData()))
        self.which = QBoxLayout(QBoxLayout.Direction.TopToBottom)
        self.which.setSpacing(4)
        self.which.addWidget(self.show_, 1)
        self.which.addWidget(self.style_, 1)
        column(self, self.which, row(self.sort, self.direction, stretch=0), spacing=4)

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
        listed = {name: int(shown(columns, review.codes, name).sum()) for name in SHOW}
        entries = [(f"{words} ({listed[name]:,})", name) for name, words in SHOW.items()]
        _fill(self.show_, entries, wanted.show)
        styles = [("All styles", ALL), *((name, number) for number, name in opened.styles.items())]
        _fill(self.style_, styles, ALL if wanted.style is None else wanted.style)
        self.style_.setVisible(len(opened.styles) > 1)
        sorts = [(SORTS[name], name) for name in (NUMBER, CELLS, *known)]
        _fill(self.sort, sorts, wanted.sort)
        self.direction.setText(tr(HIGHEST if wanted.highest_first else LOWEST))

    def _reverse(self) -> None:
        self.review.want(highest_first=not self.review.wanted.highest_first)

    def _choose_style(self, _row: int) -> None:
        number = self.style_.currentData()
        self.review.want(style=None if number == ALL else number)


def _fill(box: QComboBox, entries: Sequence[tuple[str, object]], chosen: object) -> None:
    """Update the changed entries of a drop-down list, which may be open."""
    with QSignalBlocker(box):
        if box.count() != len(entries):
            offer(box, entries)
        for at, (words, value) in enumerate(entries):
            words = tr(words)
            if box.itemText(at) != words or box.itemData(at) != value:
                box.setItemText(at, words)
                box.setItemData(at, value)
            if value == chosen:
                box.setCurrentIndex(at)
