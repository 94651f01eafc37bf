"""The dock widget “Review pairs”."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import Any

import napari.viewer
import numpy as np
from napari.layers import Image, Labels
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtGui import QDragEnterEvent, QDropEvent, QResizeEvent
from qtpy.QtWidgets import QSplitter

from napari_pixcell.datasets.store.dataset import DESCRIPTION
from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.region import AXES, UNITS
from napari_pixcell.studio.review.columns import counts, used
from napari_pixcell.studio.review.open_dataset import PARTIAL, PLACED, WRONG, LoadedPair
from napari_pixcell.studio.review.review import Review
from napari_pixcell.ui.arrange import column, row
from napari_pixcell.ui.dialogs import ask_folder
from napari_pixcell.ui.docked import Docked, find_or_open
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.layers.slide import ROLE, role
from napari_pixcell.ui.review.detail import Detail
from napari_pixcell.ui.review.filters import ReviewFilters
from napari_pixcell.ui.review.grid import PairGrid
from napari_pixcell.ui.viewers import fit_to_view, itself
from napari_pixcell.ui.widgets import (
    AMBER,
    LIST,
    Text,
    allow,
    button,
    calm_wheel,
    check_box,
    name_for_readers,
)
from napari_pixcell.words import counted

log = logging.getLogger(__name__)
ROLE_OF_PAIR, GAP_UM = "review", 20.0
NARROWEST = 320
WIDE = 560  # px; a dock at least this wide shows the pair beside the grid
Colours = dict[int | None, tuple[int, int, int]]  # by label; None stands for all others
EMPTY = "Open a dataset, or drop its folder here."
NO_PAIRS = "No pairs yet. They appear here as they are generated."
NONE_LISTED = "No pair matches. Choose “All pairs” to list them all."


class ReviewPairs(Docked):
    """Shows the pairs of a dataset and stores which of them are accepted or rejected."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.viewer = itself(napari_viewer)
        self.review = review = Review()
        self.setMinimumWidth(NARROWEST)
        self.setAcceptDrops(True)
        self.setStyleSheet(LIST)
        self.name = Text(EMPTY)
        self.counts, self.problem, self.none = Text(), Text(colour=AMBER), Text()
        self.filters = ReviewFilters(review)
        self.grid = PairGrid(review)
        self.detail = Detail(review)
        decide = self.grid.decide
        self.open_button = button("Open dataset…", "Open the folder of a dataset", self.choose)
        tip = "Store the decisions that could not be stored"
        self.again_button = button("Retry", tip, review.save_again)
        tip = "Use this pair even if it is flagged, and go to the next (A)"
        self.accept_button = button("✓ Accept", tip, partial(decide, "accepted"))
        tip = "Leave this pair out of exports, and go to the next (D)"
        self.reject_button = button("✕ Reject", tip, partial(decide, "rejected"))
        self.undo_button = button("Undo", "Undo the last decision (U, Ctrl+Z)", review.undo)
        self.redo_button = button("Redo", "Redo the last decision (Ctrl+Y)", review.redo)
        tip = "Let the checks decide whether the selected pairs are used (N)"
        self.clear_button = button("Clear decision", tip, partial(decide, None))
        tip = "Show image and mask as layers in µm (Enter)"
        self.show_button = button("Show in viewer", tip, self.show_pair)
        self.outlined = check_box("Outlines", "Show the outlines of the mask on the images (M)")
        self.outlined.setChecked(review.outlined)
        self.outlined.toggled.connect(review.outline)
        self.grid.opened.connect(self.show_pair)
        self.split = QSplitter(Qt.Orientation.Vertical)
        self.split.setChildrenCollapsible(False)
        self.split.addWidget(self.grid)
        self.split.addWidget(self.detail)
        self._share(Qt.Orientation.Vertical)
        top = row(self.name, self.open_button, stretch=0)
        messages = (self.counts, self.problem, self.again_button)
        deciding = (self.accept_button, self.reject_button, self.undo_button, self.redo_button)
        more = row(self.outlined, self.clear_button, self.show_button)
        more.insertStretch(1, 1)
        stack = column(self, top, *messages, self.filters, self.none, self.split, spacing=4)
        stack.setStretchFactor(self.split, 1)
        stack.setContentsMargins(4, 4, 4, 4)
        stack.addLayout(row(*deciding, stretch=(0, 1)))
        stack.addLayout(more)

        self.run(review.pump, partial(_end, review))
        review.changed.connect(self.refresh_soon)
        review.moved.connect(self.refresh_soon)
        review.large.came.connect(self.detail.refresh)
        self.refresh()
        name_for_readers(self)
        calm_wheel(self)

    def refresh(self) -> None:
        review = self.review
        columns, opened = review.columns, review.opened
        if opened is not None:
            about = opened.dataset.description
            self.name.say(about.name)
            self.name.setToolTip(f"{opened.folder}\n{about.family}, {about.mpp:g} µm/px")
        if columns is not None and len(columns):
            self.counts.say(counts(columns, review.codes))
            number = used(columns, review.codes)
            tip = (
                f"{counted(number, 'pair')} {'is' if number == 1 else 'are'} used: those accepted, "
                "and those that pass the checks and are not rejected"
            )
            self.counts.setToolTip(tr(tip))
            self.none.say("" if len(review.order) else NONE_LISTED)
        else:
            self.counts.say("")
            self.none.say(NO_PAIRS if columns is not None else "")
        self.problem.say(review.cannot_save or review.problem or review.damage)
        self.again_button.setVisible(bool(review.cannot_save))
        allow(self.open_button, "Opening a dataset" if review.opening else "")
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
        self.review.open(Path(folder))
        self.grid.setFocus()

    def choose(self) -> None:
        ask_folder(self, "Open dataset", self.open)

    def show_pair(self) -> None:
        position = self.review.current
        if position is not None and not self.review.why_no_pair():
            show = partial(show_pair, self.viewer, judged=self.review.judged)
            self.review.read(position, show)

    def close_review(self) -> None:
        """Store all decisions and end the threads."""
        self.let_go()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        wide = self.width() >= WIDE
        way = Qt.Orientation.Horizontal if wide else Qt.Orientation.Vertical
        if way != self.split.orientation():
            self._share(way)
        self.filters.widen(wide)

    def _share(self, way: Qt.Orientation) -> None:
        self.split.setOrientation(way)
        self.split.setSizes([600, 400] if way == Qt.Orientation.Horizontal else [430, 570])

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        if event is not None and any(_folder(url) for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        for url in event.mimeData().urls() if event is not None else ():
            folder = _folder(url)
            if event is not None and folder is not None:
                event.acceptProposedAction()
                self.open(folder)


def open_review(viewer: napari.viewer.Viewer, folder: Path | None = None) -> ReviewPairs:
    """Show the dock widget beside the studio, and open a dataset in it if given."""
    review = find_or_open(viewer, ReviewPairs, "Review pairs", tabify=True)
    dock: Any = review.parent()
    dock.show()
    dock.raise_()
    opened = review.review.opened
    if folder is not None and (opened is None or opened.folder != folder):
        review.open(folder)
    return review


def show_pair(viewer: napari.viewer.Viewer, pair: LoadedPair, judged: bool = False) -> None:
    """Show image and mask of a pair left of all layers, in place of the previous pair.

    With ``judged``, nuclei have the colours of their agreement, and extra ones their own layer.
    """
    layers = viewer.layers
    for layer in [one for one in layers if role(one) == ROLE_OF_PAIR]:
        layers.remove(layer)
    chosen = layers.selection.active
    top = left = 0.0
    if len(layers):
        top, left = layers.extent.world[0][-2:]
        left -= GAP_UM + pair.image.shape[1] * pair.mpp
    name = f"{pair.name} · pair {pair.number}"
    where = {
        "scale": (pair.mpp, pair.mpp),
        "translate": (top, left),
        "units": UNITS,
        "axis_labels": AXES,
        "metadata": {ROLE: ROLE_OF_PAIR},
    }
    image = Image(pair.image, rgb=True, name=f"Synthetic · {name}", **where)
    layers.append(image)
    if pair.labels is not None:
        cells = Labels(pair.labels.astype(np.int32), name=f"Synthetic cells · {name}", **where)
        layers.append(_outlined(cells))
        if judged and pair.nuclei is not None:
            colours = {None: PLACED, **_coloured(pair.nuclei.partial, PARTIAL)}
            cells.colormap = _colormap(colours | _coloured(pair.nuclei.missing, WRONG))
            if pair.nuclei.extra is not None:
                found = pair.nuclei.extra.astype(np.int32)
                extra = Labels(found, name=f"Synthetic extra nuclei · {name}", **where)
                extra.colormap = _colormap({None: WRONG})
                layers.append(_outlined(extra))
    layers.selection.active = chosen if chosen in layers else image
    fit_to_view(viewer, [image])


def _outlined(labels: Labels) -> Labels:
    labels.contour = 1
    labels.editable = False
    return labels


def _coloured(labels: NDArray[np.int64], colour: tuple[int, int, int]) -> Colours:
    return dict.fromkeys(labels.tolist(), colour)


def _colormap(colours: Colours) -> DirectLabelColormap:
    shown = {label: np.array((*colour, 255)) / 255 for label, colour in colours.items()}
    return DirectLabelColormap(color_dict={**shown, 0: np.zeros(4)})


def _end(review: Review) -> None:
    for signal in (review.changed, review.listed, review.marked, review.moved):
        signal.disconnect()
    review.small.came.disconnect()
    review.large.came.disconnect()
    try:
        review.close()
    except PixCellError as error:
        log.error("%s", error)


def _folder(url: Any) -> Path | None:
    path = Path(url.toLocalFile()) if url.isLocalFile() else None
    return path if path is not None and (path / DESCRIPTION).exists() else None
