"""The dock “Review pairs”: a dataset is looked through, pair by pair."""

from __future__ import annotations

import atexit
import logging
from pathlib import Path
from typing import Any

import napari.viewer
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QDragEnterEvent, QDropEvent, QResizeEvent
from qtpy.QtWidgets import QCheckBox, QFileDialog, QSplitter, QVBoxLayout

from napari_pixcell.datasets.store.dataset import DESCRIPTION
from napari_pixcell.errors import PixCellError
from napari_pixcell.studio.review.open_dataset import Pair
from napari_pixcell.studio.review.review import Review
from napari_pixcell.studio.review.review_list import counts, used
from napari_pixcell.ui.docked import Docked
from napari_pixcell.ui.review.detail import Detail
from napari_pixcell.ui.review.filters import ReviewFilters
from napari_pixcell.ui.review.grid import PairGrid
from napari_pixcell.ui.review.layers import show_pair
from napari_pixcell.ui.widgets import AMBER, LIST, Text, allow, button, name_for_readers, row

log = logging.getLogger(__name__)
PLUGIN, TITLE = "napari-pixcell", "Review pairs"
PUMP_MS = 40
NARROWEST = 320
WIDE = 560  # px from which on the pair lies beside the grid
EMPTY = "Open the dataset that you want to look through, or drop its folder here."
NO_PAIRS = "There are no pairs yet; they appear here while they are made."
NONE_LISTED = "No pair is like that. Choose “All pairs” to see them all."

_open: set[Review] = set()


class ReviewPairs(Docked):
    """Looks through a dataset and stores, with it, which pairs are accepted or rejected.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        Injected by napari.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.review = review = Review()
        self.setMinimumWidth(NARROWEST)
        self.setAcceptDrops(True)
        self.setStyleSheet(LIST)
        self.name = Text(EMPTY)
        self.open_button = button(
            "Open a dataset…", "Choose the folder that “dataset make” wrote", self.choose
        )
        self.counts, self.problem, self.none = Text(), Text(colour=AMBER), Text()
        self.again_button = button(
            "Try again", "Stores the decisions that could not be stored", review.save_again
        )
        self.filters = ReviewFilters(review)
        self.grid = PairGrid(review)
        self.detail = Detail(review)
        self.split = QSplitter(Qt.Orientation.Vertical)
        self.split.setChildrenCollapsible(False)
        self.split.addWidget(self.grid)
        self.split.addWidget(self.detail)
        self._share(Qt.Orientation.Vertical)
        self.accept_button = button(
            "✓ Accept", "Use this pair, flagged or not, and go to the next (A)", self._accept
        )
        self.reject_button = button(
            "✕ Reject", "Leave this pair out of what is made, and go to the next (D)", self._reject
        )
        self.undo_button = button("Undo", "Take the last decision back (U, Ctrl+Z)", review.undo)
        self.redo_button = button("Redo", "Decide so again (Ctrl+Y)", review.redo)
        self.outlined = QCheckBox("Outlines")
        self.outlined.setToolTip("Draw the outlines of the mask over the pictures (M)")
        self.outlined.setChecked(review.outlined)
        self.outlined.toggled.connect(review.outline)
        self.clear_button = button(
            "No decision", "Leave it to the checks whether these pairs are used (N)", self._clear
        )
        self.show_button = button(
            "In the viewer", "Show image and mask as layers, in µm (Enter)", self.show_pair
        )
        self.grid.opened.connect(self.show_pair)
        stack = QVBoxLayout(self)
        stack.setContentsMargins(4, 4, 4, 4)
        stack.setSpacing(4)
        top = row(self.name, self.open_button)
        top.setStretch(0, 1)
        stack.addLayout(top)
        for widget in (self.counts, self.problem, self.again_button, self.filters, self.none):
            stack.addWidget(widget)
        stack.addWidget(self.split, 1)
        decide = row(self.accept_button, self.reject_button, self.undo_button, self.redo_button)
        for at in (0, 1):
            decide.setStretch(at, 1)
        stack.addLayout(decide)
        more = row(self.outlined, self.clear_button, self.show_button)
        more.insertStretch(1, 1)
        stack.addLayout(more)

        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self.refresh)
        self._pump = QTimer(self)
        self._pump.setInterval(PUMP_MS)
        self._pump.timeout.connect(review.pump)
        self._pump.start()
        review.changed.connect(self._refresh_soon)
        review.moved.connect(self._refresh_soon)
        review.large.came.connect(self.detail.refresh)
        _open.add(review)
        # A closed dock gets no closeEvent (napari #8071), so the end hangs on others.
        self.destroyed.connect(lambda *_: end(review))
        self.refresh()
        name_for_readers(self)

    def refresh(self) -> None:
        """Show the review's state."""
        review = self.review
        columns, opened = review.columns, review.opened
        if opened is not None:
            about = opened.dataset.description
            self.name.say(about.name)
            self.name.setToolTip(f"{opened.folder}\nmade with {about.family}, {about.mpp:g} µm/px")
        said = NO_PAIRS if columns is not None and not len(columns) else ""
        if columns is not None and len(columns):
            self.counts.say(counts(columns, review.codes))
            number = used(columns, review.codes)
            self.counts.setToolTip(
                f"{number:,} of them {'is' if number == 1 else 'are'} used: those that pass the "
                "checks or were accepted, but were not rejected"
            )
            said = "" if len(review.order) else NONE_LISTED
        else:
            self.counts.say("")
        self.none.say(said)
        self.problem.say(review.cannot_save or review.problem)
        self.again_button.setVisible(bool(review.cannot_save))
        allow(self.open_button, "A dataset is being opened" if review.opening else "")
        why = review.why_no_pair()
        for made in (self.accept_button, self.reject_button, self.clear_button, self.show_button):
            allow(made, why)
        allow(self.undo_button, review.why_no_undo())
        allow(self.redo_button, review.why_no_redo())
        self.outlined.setChecked(review.outlined)
        allow(self.outlined, "" if opened is not None else "Open a dataset first")
        self.filters.refresh()
        self.detail.refresh()

    def open(self, folder: Path) -> None:
        """Open the dataset of a folder."""
        self.review.open(Path(folder))
        self.grid.setFocus()

    def choose(self) -> None:
        """Ask for a dataset and open it."""
        folder = QFileDialog.getExistingDirectory(self, "Open a dataset")
        if folder:
            self.open(Path(folder))

    def show_pair(self) -> None:
        """Show the pair that is looked at as layers of the viewer."""
        position = self.review.current
        if position is not None and not self.review.why_no_pair():
            self.review.read(position, self._show)

    def _show(self, pair: Pair) -> None:
        show_pair(self.viewer, pair)

    def _accept(self) -> None:
        self.grid.decide("accepted")

    def _reject(self) -> None:
        self.grid.decide("rejected")

    def _clear(self) -> None:
        self.grid.decide(None)

    def _refresh_soon(self) -> None:
        if not self._soon.isActive():
            self._soon.start()

    # -- the window ----------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Put the pair beside the grid where there is room for that."""
        super().resizeEvent(event)
        wide = self.width() >= WIDE
        way = Qt.Orientation.Horizontal if wide else Qt.Orientation.Vertical
        if way != self.split.orientation():
            self._share(way)
        self.filters.widen(wide)

    def _share(self, way: Qt.Orientation) -> None:
        self.split.setOrientation(way)
        wide = way == Qt.Orientation.Horizontal
        self.split.setSizes([600, 400] if wide else [430, 570])  # parts of what there is

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        """Accept the folder of a dataset."""
        if event is not None and any(_folder(url) for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Open the dataset that was dropped."""
        folders = [_folder(url) for url in event.mimeData().urls()] if event is not None else []
        for folder in folders:
            if event is not None and folder is not None:
                event.acceptProposedAction()
                self.open(folder)

    def let_go(self) -> None:
        """Close what the dock held."""
        self.close_review()

    def close_review(self) -> None:
        """Store what is not stored yet, and end the threads."""
        self._pump.stop()
        end(self.review)


def end(review: Review) -> None:
    """End a review, once, whoever calls first."""
    if review not in _open:
        return
    _open.discard(review)
    for signal in (review.changed, review.listed, review.marked, review.moved):
        signal.disconnect()
    review.small.came.disconnect()
    review.large.came.disconnect()
    try:
        review.close()
    except PixCellError as error:
        log.error("%s", error)


def open_review(viewer: napari.viewer.Viewer, folder: Path | None = None) -> ReviewPairs:
    """Show the dock of a viewer beside the studio, with a dataset if one is given."""
    docked = viewer.window.dock_widgets.values()
    found: Any = next((widget for widget in docked if isinstance(widget, ReviewPairs)), None)
    if found is None:
        _, found = viewer.window.add_plugin_dock_widget(PLUGIN, TITLE, tabify=True)
    review: ReviewPairs = found
    dock: Any = review.parent()
    dock.show()
    dock.raise_()
    opened = review.review.opened
    if folder is not None and (opened is None or opened.folder != folder):
        review.open(folder)
    return review


def _folder(url: Any) -> Path | None:
    path = Path(url.toLocalFile()) if url.isLocalFile() else None
    return path if path is not None and (path / DESCRIPTION).exists() else None


@atexit.register
def _close_all() -> None:
    for review in list(_open):
        end(review)
