"""The Dataset section: generating, reviewing and converting many image–mask pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QUrl
from qtpy.QtGui import QAction, QDesktopServices
from qtpy.QtWidgets import QMenu

from napari_pixcell.datasets.formats import FORMATS
from napari_pixcell.datasets.store.plan import MOST_CANDIDATES, PAIRINGS
from napari_pixcell.studio.datasets.choice import LAYOUTS, STYLES
from napari_pixcell.studio.datasets.datasets import FIRST, SECTION
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.dialogs import ask_folder, ask_new_folder
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.results.sheet_window import SheetWindow
from napari_pixcell.ui.sections.base import Section
from napari_pixcell.ui.sections.dataset_place import PlacePanel
from napari_pixcell.ui.sections.dataset_runs import RunRows
from napari_pixcell.ui.sections.form import Form, choice, flag, integer, text
from napari_pixcell.ui.widgets import Text, allow, button
from napari_pixcell.words import counted, duration, file_size, sentence

FIELDS = {
    "name": text("Name", "Name of the dataset, stored in its files", "Dataset"),
    "styles": choice("Styles", "Source of the styles", STYLES),
    "places": integer(
        "Fields of view", "Maximum number of fields of view sampled", 1, 2000, beside="styles"
    ),
    "layouts": choice("Layouts", "Source of the layouts", LAYOUTS),
    "invented": integer(
        "Invented layouts",
        "Number of layouts to invent, with cells like the active region's",
        1,
        10_000,
        beside="layouts",
    ),
    "variations": integer(
        "Variations", "Extra variations of each layout, with cells moved or added", 0, 1000
    ),
    "pairing": choice("Pairing", "How styles and layouts are combined", PAIRINGS),
    "seeds": integer("Seeds", "Number of images of each style and layout", 1, 1000),
    "candidates": integer(
        "Best of", "Keep the best of this many images for each pair", 1, MOST_CANDIDATES
    ),
    "repair": flag(
        "Repair nuclei",
        "Find nuclei that do not follow their mask, and generate these "
        "spots again, in as many rounds as “Settings → Steps” allows",
    ),
    "drop_wrong": flag(
        "Drop wrong nuclei from masks", "Remove nuclei from the masks that the images do not show"
    ),
}


class DatasetSection(Section):
    """Asks for the contents of a dataset, shows its size, generates it, and opens its review."""

    def __init__(self, session: Session, review: Callable[[], Any]) -> None:
        super().__init__(session, SECTION, "Dataset")
        self.form = Form(session.datasets.choice, FIELDS)
        self.place = PlacePanel(session.datasets.outside)
        self.outlook = Text(small=True)
        self.stack(self.form, self.place, self.outlook)
        tip = "Generate a few pairs and show them on a contact sheet. Resume for the rest."
        self.try_button = button(f"Try the first {FIRST}…", tip, lambda: self.choose(first=True))
        tip = "Choose a new folder and generate all pairs. Each is checked and has a record."
        self.make_button = button("Generate dataset…", tip, self.choose)
        self.add(self.try_button, self.make_button)
        self.progress = Text(small=True)
        self.runs = RunRows(session.datasets.outside)
        self.stack(self.progress, self.runs)
        tip = "Show the first pairs with cell outlines"
        self.sheet_button = button("Show first pairs", tip, self.show_sheet)
        tip = "Resume a dataset that was stopped, or follow one that is being made"
        self.resume_button = button("Resume dataset…", tip, self.choose_old)
        self.add(self.sheet_button, self.resume_button)
        self.review_button = button("Review pairs…", "Accept or reject the pairs", review)
        tip = "Write a one-page report and open it in the browser"
        self.report_button = button("Write report", tip, self.write_report)
        tip = "Write the accepted pairs in the format of another program"
        self.convert_button = button("Convert", tip, lambda: None)
        self.hold_out = QAction(tr("Hold out 20 % for validation"))
        self.hold_out.setCheckable(True)
        self.convert_button.setMenu(self._formats())
        self.add(self.review_button, self.report_button, self.convert_button)
        tip = "Train a small segmenter on your labelled tiles with and without the pairs"
        self.evaluate_button = button("Do they help?", tip, self.evaluate)
        tip = "Stop the trainings. Those that are finished are kept"
        self.stop_button = button("Cancel evaluation", tip, session.datasets.evaluation.cancel)
        self.add(self.evaluate_button, self.stop_button)

    def _formats(self) -> QMenu:
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        for kind, words in FORMATS.items():
            action = menu.addAction(tr(words.partition(":")[0]))
            assert action is not None
            action.setToolTip(tr(words))
            action.triggered.connect(lambda *_, kind=kind: self.choose_format(kind))
        menu.addSeparator()
        menu.addAction(self.hold_out)
        return menu

    def refresh(self) -> None:
        session, datasets = self.session, self.session.datasets
        choice, layouts = datasets.choice, session.settings.takes_layout
        self.form.show_field("places", choice.styles == "slide")
        self.form.show_field("invented", layouts and choice.layouts == "invented")
        self.form.show_field("variations", layouts and choice.layouts == "regions")
        reason = "" if layouts else f"{session.settings.model.title} does not support layouts"
        for name in ("layouts", "pairing", "repair", "drop_wrong"):
            allow(self.form[name], reason)
        problem = datasets.why_not()
        self.outlook.say(self._outlook() or sentence(problem))
        self.place.refresh()
        self.runs.refresh()
        lacking = datasets.outside.why_not() or datasets.outside.busy
        for made in (self.try_button, self.make_button):
            allow(made, problem or lacking)
        allow(self.resume_button, lacking)
        evaluation = datasets.evaluation
        busy = datasets.uses.busy
        reason = "" if datasets.newest is not None else "Generate or resume a dataset first"
        for made in (self.report_button, self.convert_button):
            allow(made, "The dataset is busy" if busy else reason)
        allow(self.evaluate_button, "The evaluation is under way" if evaluation.job else reason)
        self.stop_button.setVisible(evaluation.job is not None)
        jobs = [f"{job.folder.name}: {job.sentence()}" for job in datasets.jobs]
        self.progress.say(
            "\n".join(filter(None, [datasets.outside.busy, busy, evaluation.busy, *jobs]))
        )
        allow(self.sheet_button, "" if datasets.finished else "Generate a dataset first")
        if evaluation.page is not None:
            self.report(action="Open the page", act=self.open_page)
        else:
            self.report()

    def _outlook(self) -> str:
        outlook = self.session.datasets.outlook()
        if outlook is None:
            return ""
        at_most = "up to " if self.session.datasets.choice.styles == "slide" else ""
        parts = [at_most + counted(outlook.pairs, "pair")]
        if outlook.seconds is not None:
            parts.append(f"about {duration(outlook.seconds)}")
        return " · ".join([*parts, f"about {file_size(outlook.bytes)}"])

    def choose(self, first: bool = False) -> None:
        make = self.session.datasets.make
        title = "New folder for the dataset"
        ask_new_folder(self, title, "dataset", lambda folder: make(folder, first))

    def choose_old(self) -> None:
        ask_folder(self, "Folder of the dataset", self.session.datasets.resume)

    def write_report(self) -> None:
        folder = self.session.datasets.newest
        if folder is not None:
            self.session.datasets.uses.report(folder)

    def evaluate(self) -> None:
        """Ask for the labelled tiles, and measure whether the pairs help."""
        folder, start = self.session.datasets.newest, self.session.datasets.evaluation.start
        if folder is not None:
            title = "Folder of labelled tiles: images and labels"
            ask_folder(self, title, lambda real: start(folder, real))

    def open_page(self) -> None:
        """Open the page of the last evaluation in the browser."""
        page = self.session.datasets.evaluation.page
        if page is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(page)))

    def choose_format(self, kind: str) -> None:
        folder, convert = self.session.datasets.newest, self.session.datasets.uses.convert
        if folder is not None:
            held_out, title = self.hold_out.isChecked(), "Folder for the converted dataset"
            ask_folder(self, title, lambda into: convert(folder, kind, into, held_out))

    def show_sheet(self) -> None:
        def done(found: tuple[str, NDArray[np.uint8]]) -> None:
            SheetWindow(self.session, *found, self.window()).show()

        self.session.datasets.sheet(done)
