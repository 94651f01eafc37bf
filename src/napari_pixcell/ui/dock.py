"""The dock widget: PixCell studio."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import napari.viewer
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QDragEnterEvent, QDropEvent, QShowEvent
from qtpy.QtWidgets import QComboBox, QWidget

from napari_pixcell import __version__
from napari_pixcell.cells.reading.limits import holds_cells
from napari_pixcell.preferences import sessions_wanted
from napari_pixcell.studio.saving.folder import is_session
from napari_pixcell.studio.session import Session
from napari_pixcell.studio.tasks import Client
from napari_pixcell.ui import configuration
from napari_pixcell.ui.arrange import More, column, scrolled
from napari_pixcell.ui.docked import Docked, Release
from napari_pixcell.ui.dropping import CanvasDrops
from napari_pixcell.ui.kept import CAME_BACK, KeptSession, take_kept
from napari_pixcell.ui.key_table import extend_help
from napari_pixcell.ui.keys import Keys
from napari_pixcell.ui.layers.link import LayerLink
from napari_pixcell.ui.leaving import WindowGuard, outermost
from napari_pixcell.ui.sections.base import Section
from napari_pixcell.ui.sections.dataset import DatasetSection
from napari_pixcell.ui.sections.export import ExportSection
from napari_pixcell.ui.sections.generate import GenerateSection
from napari_pixcell.ui.sections.layout import LayoutSection
from napari_pixcell.ui.sections.measure import MeasureSection
from napari_pixcell.ui.sections.region import RegionSection
from napari_pixcell.ui.sections.results import ResultsSection
from napari_pixcell.ui.sections.slide import SlideSection
from napari_pixcell.ui.sections.stain import StainSection
from napari_pixcell.ui.sections.style import StyleSection
from napari_pixcell.ui.widgets import LIST, Text, calm_wheel, name_for_readers
from napari_pixcell.worker.client import WorkerClient

SCROLL_BAR = 16
NARROWEST = 320
ABOUT = (
    f"napari-pixcell {__version__}. For research use only. Not for diagnosis. All output is "
    "synthetic and marked as such. BSD-3-Clause; model weights have their own licences."
)


class PixCellStudio(Docked):
    """The whole workflow in one column, from a region of a slide to image–mask pairs.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        Injected by napari.
    client : Client, optional
        Runs the requests; a new worker process by default.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer, client: Client | None = None) -> None:
        super().__init__()
        self._fitted: bool | None = None
        self.viewer = napari_viewer
        kept = take_kept(napari_viewer)
        self.session = kept.session if kept is not None else Session(client or WorkerClient())
        self._end = kept.end if kept is not None else Release(self.session.close)
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
        self.sections: list[Section] = [
            *(self.slide, self.region, self.style_, self.layout_, self.generate),
            *(self.stain, self.results, self.measure, self.dataset, self.export),
        ]
        footer = Text("For research use only", small=True)
        footer.setToolTip(ABOUT)
        footer.setAlignment(Qt.AlignmentFlag.AlignCenter)
        content = QWidget()
        stack = column(content, *self.sections, footer, spacing=3)
        stack.setContentsMargins(4, 4, 4, 4)
        stack.addStretch(1)
        self.scroll = scrolled(content)
        column(self, self.scroll, self.generate.pinned).setStretch(0, 1)

        for made in self.findChildren(QComboBox):
            made.setStyleSheet(LIST)
        for folded in self.findChildren(More):  # its width is known only once it is shown
            folded.button.toggled.connect(lambda _: QTimer.singleShot(0, self._fit))
        tools, add_region = self.link.tools, self.region.add_region
        self.keys = Keys(napari_viewer, self.session, self.link, tools, add_region)
        self.link.at_close(configuration.link(self._configured, self._cannot_remember))
        self.link.at_close(extend_help(napari_viewer, ABOUT))
        self._guard = WindowGuard(self.session.datasets.outside)
        self.link.at_close(self._guard.end)
        self._drops = CanvasDrops(napari_viewer, self.take)
        self.link.at_close(self._drops.end)
        self.run(self.session.pump, self.link.close, self.keys.close)
        self.destroyed.connect(self._end)
        self.session.changed.connect(self.refresh_soon)
        if kept is not None:
            self.link.adopt()
            self.session.notices.note("slide", CAME_BACK)
        self.refresh()
        name_for_readers(self)
        calm_wheel(self)

    def refresh(self) -> None:
        there = self.session.slides.current is not None
        for section in self.sections:
            section.setVisible(there or section is self.slide)
            section.refresh()
        self.generate.pinned.setVisible(there)
        if there != self._fitted:
            # Only when a slide comes or goes, because measuring the column is slow; and only once
            # the sections that have just appeared are laid out.
            self._fitted = there
            QTimer.singleShot(0, self._fit)

    def _fit(self) -> None:
        """Require the width at which nothing is cut off, whatever the theme and its fonts."""
        content = self.scroll.widget()
        if content is not None:
            needed = content.minimumSizeHint().width() + SCROLL_BAR
            if needed > self.minimumWidth():
                self.setMinimumWidth(needed)

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        self._guard.watch(outermost(self))
        self._drops.watch(outermost(self))
        QTimer.singleShot(0, self._fit)  # the theme's style is known now

    def let_go(self) -> None:
        super().let_go()
        self._end()

    def leave(self) -> None:
        super().let_go()
        window = self._guard.window
        if window is not None and self.session.busy:
            self.destroyed.disconnect(self._end)
            KeptSession(self.session, self._end, self.viewer, window)
        else:
            self._end()
        self._guard.ask_after_dock()

    def close_session(self) -> None:
        """Release the viewer and stop the worker."""
        self.let_go()

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        if event is not None and event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        if event is None:
            return
        for url in event.mimeData().urls():
            if url.isLocalFile():
                event.acceptProposedAction()
                self.take(Path(url.toLocalFile()))

    def take(self, path: Path) -> None:
        """Open a session or a slide, or import a file of cells if a slide is open."""
        if is_session(path):
            self.session.restoring.open(path)
        elif self.session.slides.current is not None and holds_cells(path):
            self.session.layout_files.read(path)
        else:
            self.slide.open(path)

    def open_review(self) -> None:
        from napari_pixcell.ui.review.dock import open_review  # slow to import

        open_review(self.viewer, self.session.datasets.newest)

    def _configured(self, name: str, value: Any) -> None:
        if name == "previews":
            self.session.settings.previews = bool(value)
        elif name == "save sessions":
            self.session.saver.on = sessions_wanted()

    def _cannot_remember(self, sentence: str) -> None:
        self.session.notices.say("slide", sentence)
