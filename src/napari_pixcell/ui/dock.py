"""The dock: PixCell studio."""

from __future__ import annotations

import atexit
from pathlib import Path
from typing import Any

import napari.viewer
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QDragEnterEvent, QDropEvent, QShowEvent
from qtpy.QtWidgets import QComboBox, QFrame, QScrollArea, QVBoxLayout, QWidget

from napari_pixcell import __version__
from napari_pixcell.preferences import sessions_wanted
from napari_pixcell.studio.cells.importing import holds_cells
from napari_pixcell.studio.results.results import Client
from napari_pixcell.studio.saving.folder import is_session
from napari_pixcell.studio.session import Session
from napari_pixcell.ui import configuration, help_menu
from napari_pixcell.ui.docked import Docked
from napari_pixcell.ui.keys import Keys
from napari_pixcell.ui.layers.link import LayerLink
from napari_pixcell.ui.review.dock import open_review
from napari_pixcell.ui.sections import (
    DatasetSection,
    ExportSection,
    GenerateSection,
    LayoutSection,
    MeasureSection,
    RegionSection,
    ResultsSection,
    SlideSection,
    StainSection,
    StyleSection,
)
from napari_pixcell.ui.widgets import LIST, More, Text, name_for_readers
from napari_pixcell.worker.client import WorkerClient

PUMP_MS = 40
SCROLL_BAR = 16
NARROWEST = 320
ABOUT = (
    f"napari-pixcell {__version__}. For research use only; not for diagnosis. Everything it makes "
    "is synthetic and marked as such. BSD-3-Clause; the weights have their own licences."
)

_open: set[Teardown] = set()


class PixCellStudio(Docked):
    """From a region of a slide to synthetic image–mask pairs, in one column.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        Injected by napari.
    client : Client, optional
        Who runs the requests; a worker process of its own by default.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer, client: Client | None = None) -> None:
        super().__init__()
        self._fitted: bool | None = None
        self.viewer = napari_viewer
        self.session = Session(client or WorkerClient())
        self.link = LayerLink(napari_viewer, self.session, self)
        self.session.saver.start()
        self.setMinimumWidth(NARROWEST)
        self.setAcceptDrops(True)

        self.slide = SlideSection(self.session, self.link)
        self.region = RegionSection(self.session, self.link)
        self.style_ = StyleSection(self.session)
        self.layout_ = LayoutSection(self.session, self.link, self.slide.manage)
        self.generate = GenerateSection(self.session, self.link)
        self.stain = StainSection(self.session, self.slide.manage)
        self.results = ResultsSection(self.session)
        self.measure = MeasureSection(self.session)
        self.dataset = DatasetSection(self.session, self.open_review)
        self.export = ExportSection(self.session)
        self.sections: list[Any] = [
            self.slide,
            self.region,
            self.style_,
            self.layout_,
            self.generate,
            self.stain,
            self.results,
            self.measure,
            self.dataset,
            self.export,
        ]
        column = QWidget()
        stack = QVBoxLayout(column)
        stack.setContentsMargins(4, 4, 4, 4)
        stack.setSpacing(3)
        for section in self.sections:
            stack.addWidget(section)
        footer = Text("For research use only", small=True)
        footer.setToolTip(ABOUT)
        footer.setAlignment(Qt.AlignmentFlag.AlignCenter)
        stack.addWidget(footer)
        stack.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(column)
        self.scroll = scroll
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll, 1)
        outer.addWidget(self.generate.pinned)

        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self.refresh)
        self._pump = QTimer(self)
        self._pump.setInterval(PUMP_MS)
        self._pump.timeout.connect(self.session.pump)
        self._pump.start()
        for made in self.findChildren(QComboBox):
            made.setStyleSheet(LIST)
        for folded in self.findChildren(More):  # is measured when it is seen
            folded.button.toggled.connect(lambda _: QTimer.singleShot(0, self._fit))
        self.session.changed.connect(self._refresh_soon)
        self.keys = Keys(napari_viewer, self.session, self.link, self.region.add_region)
        self.link.at_close(configuration.link(self._configured, self._cannot_remember))
        self.link.at_close(help_menu.extend(napari_viewer, ABOUT))
        self.teardown = Teardown(self.session, self.link, self.keys)
        # A closed dock gets no closeEvent (napari #8071), so the teardown hangs on others.
        self.destroyed.connect(self.teardown)
        self.refresh()
        name_for_readers(self)

    def refresh(self) -> None:
        """Show the session's state in every section."""
        there = self.session.slide is not None
        for section in self.sections:
            section.setVisible(there or section is self.slide)
            section.refresh()
        self.generate.pinned.setVisible(there)
        if there != self._fitted:
            # Once for each state: measuring the whole column costs more than all the rest.
            # Afterwards, when the sections that have just come are laid out.
            self._fitted = there
            QTimer.singleShot(0, self._fit)

    def _fit(self) -> None:
        """Ask for the width that cuts nothing off, whatever the theme and its fonts."""
        column = self.scroll.widget()
        if column is not None:
            needed = column.minimumSizeHint().width() + SCROLL_BAR
            if needed > self.minimumWidth():
                self.setMinimumWidth(needed)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Fit once the theme's style is known."""
        super().showEvent(event)
        QTimer.singleShot(0, self._fit)

    def close_session(self) -> None:
        """Let go of the viewer and end the worker."""
        self._pump.stop()
        self.teardown()

    def let_go(self) -> None:
        """Close what the dock held."""
        self.close_session()

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        """Accept files."""
        if event is not None and event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Open the slide, or take the cells, that were dropped."""
        if event is None:
            return
        for url in event.mimeData().urls():
            if url.isLocalFile():
                event.acceptProposedAction()
                self.take(Path(url.toLocalFile()))

    def take(self, path: Path) -> None:
        """Open a session or a slide; where one is open, a file of cells becomes a layout."""
        if is_session(path):
            self.session.open_session(path)
        elif self.session.slide is not None and holds_cells(path):
            self.session.import_cells(path)
        else:
            self.slide.open(path)

    def open_review(self) -> None:
        """Show the review, of the dataset that was made last."""
        open_review(self.viewer, self.session.datasets.newest)

    def _configured(self, name: str, value: Any) -> None:
        """Take over what was set on the plugin's page of napari's preferences."""
        if name == "previews":
            self.session.settings.previews = bool(value)
        elif name == "save sessions":
            self.session.saver.on = sessions_wanted()

    def _cannot_remember(self, sentence: str) -> None:
        self.session.say("slide", sentence)

    def _refresh_soon(self) -> None:
        if not self._soon.isActive():  # starting again would put the refresh off
            self._soon.start()


class Teardown:
    """Lets go of the viewer and ends the worker, once, whoever calls first.

    Holds the session but not the dock, whose Python side may be gone before Qt tells of it.
    """

    def __init__(self, session: Session, link: LayerLink, keys: Keys) -> None:
        self._session = session
        self._link = link
        self._keys = keys
        _open.add(self)

    def __call__(self, *_: Any) -> None:
        """Tear down, if that was not done yet."""
        if self not in _open:
            return
        _open.discard(self)
        self._link.close()
        self._keys.close()
        self._session.close()


@atexit.register
def _close_all() -> None:
    for teardown in list(_open):
        teardown()
