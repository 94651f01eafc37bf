"""The dock widget: PixCell studio."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari.viewer
from qtpy.QtGui import QDragEnterEvent, QDropEvent, QShowEvent
from qtpy.QtWidgets import QComboBox

from napari_pixcell import __version__
from napari_pixcell.cells.reading.limits import holds_cells
from napari_pixcell.engine.styles.features.file import SUFFIXES
from napari_pixcell.preferences import sessions_wanted
from napari_pixcell.studio.guide import Kind
from napari_pixcell.studio.saving.folder import is_session
from napari_pixcell.studio.session import Session
from napari_pixcell.studio.tasks import Client
from napari_pixcell.ui import configuration
from napari_pixcell.ui.arrange import More, column, single_shot
from napari_pixcell.ui.docked import Docked, Release
from napari_pixcell.ui.dropping import CanvasDrops, is_zarr_address
from napari_pixcell.ui.kept import CAME_BACK, KeptSession, take_kept
from napari_pixcell.ui.key_table import extend_help
from napari_pixcell.ui.keys import Keys
from napari_pixcell.ui.layers.link import LayerLink
from napari_pixcell.ui.leaving import WindowGuard, outermost
from napari_pixcell.ui.results.panel import ResultsPanel
from napari_pixcell.ui.results.place import ResultsPlace
from napari_pixcell.ui.sections.base import Section
from napari_pixcell.ui.sections.dataset import DatasetSection
from napari_pixcell.ui.sections.export import ExportSection
from napari_pixcell.ui.sections.generate import GenerateSection
from napari_pixcell.ui.sections.layout import LayoutSection
from napari_pixcell.ui.sections.measure import MeasureSection
from napari_pixcell.ui.sections.region import RegionSection
from napari_pixcell.ui.sections.stain import StainSection
from napari_pixcell.ui.sections.style import StyleSection
from napari_pixcell.ui.shell.footer import Footer
from napari_pixcell.ui.shell.header import Header
from napari_pixcell.ui.shell.tabs import Tabs
from napari_pixcell.ui.shell.welcome import Welcome
from napari_pixcell.ui.slide_actions import SlideActions
from napari_pixcell.ui.viewers import itself
from napari_pixcell.ui.widgets import LIST, calm_wheel, name_for_readers
from napari_pixcell.worker.client import WorkerClient

NARROWEST = 320
KEEP_MS = 50  # until the canvas has its new size
ABOUT = (
    f"napari-pixcell {__version__}. For research use only. Not for diagnosis. All output is "
    "synthetic and marked as such. BSD-3-Clause; model weights have their own licences."
)


class PixCellStudio(Docked):
    """The whole workflow, from a region of a slide to image–mask pairs.

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
        self._fit_soon = single_shot(self, 0, self._fit)
        self._keep_soon = single_shot(self, KEEP_MS, self._keep_region)
        self._following = True
        viewer = self.viewer = itself(napari_viewer)
        kept = take_kept(viewer)
        self.session = kept.session if kept is not None else Session(client or WorkerClient())
        self._end = kept.end if kept is not None else Release(self.session.close)
        self.link = LayerLink(viewer, self.session, self)
        self.session.saver.start()
        self.setMinimumWidth(NARROWEST)
        self.setAcceptDrops(True)

        self.actions = SlideActions(self.session, self.link, self)
        self.header = Header(self.session, self.actions)
        self.welcome = Welcome(self.session, self.actions)
        self.region = RegionSection(self.session, self.link)
        self.style_ = StyleSection(self.session, self.link)
        self.layout_ = LayoutSection(self.session, self.link, self.actions.manage)
        self.generate = GenerateSection(self.session, self.link)
        self.stain = StainSection(self.session, self.actions.manage)
        self.measure = MeasureSection(self.session)
        self.dataset = DatasetSection(self.session, self.open_review)
        self.export = ExportSection(self.session)
        self.tabs = Tabs()
        self.sections = self._fill_tabs()
        acts: dict[Kind, Callable[[], Any]] = {
            "open": self.actions.choose,
            "pixel size": self.header.set_mpp,
            "model": self.actions.manage,
            "region": self.region.add_region,
            "cells": self.layout_.segmentation.segment,
        }
        self.footer = Footer(self.session, self.actions, acts)
        self.results = ResultsPanel(self.session, ABOUT, self.export.choose)
        self.place = ResultsPlace(viewer, self.results)
        self._last_job = 0  # number of the newest job for which the results were brought into view
        column(self, self.header, self.welcome, self.tabs, self.footer).setStretch(2, 1)
        self._parts: tuple[Any, ...] = (
            self.header,
            self.welcome,
            *self.sections,
            self.footer,
            self.results,
        )

        for made in self.findChildren(QComboBox):
            made.setStyleSheet(LIST)
        for folded in self.findChildren(More):  # its width is known only once it is shown
            folded.button.toggled.connect(lambda _: self._fit_soon.start())
        tools, add_region = self.link.tools, self.region.add_region
        self.keys = Keys(viewer, self.session, self.link, tools, add_region)
        self.link.at_close(configuration.link(self._configured, self._cannot_remember))
        self.link.at_close(extend_help(viewer, ABOUT))
        self._guard = WindowGuard(self.session.datasets.outside)
        self.link.at_close(self._guard.end)
        self._drops = CanvasDrops(viewer, self.take, self.actions.open_address)
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

    def _fill_tabs(self) -> list[Section]:
        by_tab: dict[tuple[str, str], tuple[Section, ...]] = {
            ("Generate", "Region, style, layout and settings of the variants"): (
                *(self.region, self.style_, self.layout_, self.generate),
            ),
            ("Stain && measure", "Virtual IHC, and scores of real and virtual IHC"): (
                *(self.stain, self.measure),
            ),
            ("Dataset && export", "Image–mask pairs for training"): (self.export, self.dataset),
        }
        for (title, tip), sections in by_tab.items():
            self.tabs.add(title, tip, *sections)
        return [section for sections in by_tab.values() for section in sections]

    def refresh(self) -> None:
        there = self.session.slides.current is not None
        self.welcome.setVisible(not there)
        self.tabs.setVisible(there)
        for part in self._parts:
            part.refresh()
        self._show_results()
        if there != self._fitted:
            # Only when a slide comes or goes, because measuring the columns is slow; and only once
            # the sections that have just appeared are laid out.
            self._fitted = there
            if not there:
                self.session.recent.refresh()
            self._fit_soon.start()

    def _show_results(self) -> None:
        """Bring the results into view with the first region, and with each new job."""
        session = self.session
        newest = max((job.number for job in session.queue.jobs if not job.live), default=0)
        some = bool(session.regions.current or session.gallery.results)
        if newest > self._last_job or (some and not self.place.ever_shown):
            self._last_job = max(newest, self._last_job)
            if not self.results.isVisible():
                self._keep_soon.start()
            self.place.show()

    def _keep_region(self) -> None:
        """Keep the region in view, of which the results may have taken a part of the canvas."""
        active = self.session.regions.active
        if active is not None:
            self.link.keep_in_view(active.region)

    def _fit(self) -> None:
        """Require the width at which nothing is cut off, whatever the theme and its fonts."""
        tabs = self.tabs.needed_width if self.tabs.isVisible() else 0  # hidden, they are unstyled
        needed = max(tabs, self.footer.minimumSizeHint().width())
        if needed > self.minimumWidth():
            self.setMinimumWidth(needed)

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        self._guard.watch(outermost(self))
        self._drops.watch(outermost(self))
        self._fit_soon.start()  # the theme's style is known now

    def let_go(self) -> None:
        self._let_go()
        self._end()

    def _let_go(self) -> None:
        """Follow the session no longer, which may go on."""
        super().let_go()
        if self._following:
            self._following = False
            self.session.changed.disconnect(self.refresh_soon)
            self.results.let_go()
            self.place.close()

    def leave(self) -> None:
        self._let_go()
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
            elif is_zarr_address(url.toString()):
                event.acceptProposedAction()
                self.actions.open_address(url.toString())

    def take(self, path: Path) -> None:
        """Open a session, features or a slide, or import cells if a slide is open."""
        if is_session(path):
            self.session.restoring.open(path)
        elif path.suffix.lower() in SUFFIXES:
            self.session.features.open(path)
        elif self.session.slides.current is not None and holds_cells(path):
            self.session.layout_files.read(path)
        else:
            self.actions.open(path)

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
