"""Many pairs at once: of what, how many, and making them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSettings, QSignalBlocker
from qtpy.QtGui import QAction
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QGridLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QSpinBox,
    QWidget,
)

from napari_pixcell.datasets.formats import FORMATS
from napari_pixcell.datasets.store.plan import PAIRINGS
from napari_pixcell.studio.datasets.choice import LAYOUTS, STYLES
from napari_pixcell.studio.datasets.datasets import FIRST, SECTION
from napari_pixcell.studio.generation.pace import duration
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.results.sheet_window import SheetWindow
from napari_pixcell.ui.widgets import Section, Text, allow, button, put, row, slim

KEY = f"open/{SECTION}"
NARROW = 34  # px of a field of a number, without its buttons


class DatasetSection(Section):
    """Asks what a dataset is to be made of, says what that will be, and makes it.

    Parameters
    ----------
    session : Session
        Its state.
    review : callable
        Opens the review of the dataset that was made last.
    """

    def __init__(self, session: Session, review: Callable[[], Any]) -> None:
        settings = QSettings("napari-pixcell", "studio")
        if not settings.contains(KEY):  # not what everybody does
            settings.setValue(KEY, False)
        super().__init__(SECTION, "Dataset")
        self.session = session
        choice = session.datasets.choice
        self.name = QLineEdit()
        self.name.setPlaceholderText("Dataset")
        self.name.setToolTip("What the dataset is called; it stands in its files")
        self.name.textEdited.connect(lambda text: setattr(choice, "name", text))
        self.styles = self._combo("styles", STYLES, "Which looks the pictures have")
        self.places = self._number("places", 2000, "So many places of the slide at most")
        self.layouts = self._combo("layouts", LAYOUTS, "Where the cells of the pictures are")
        self.invented = self._number(
            "invented", 10_000, "So many layouts are invented, with cells like the active region's"
        )
        self.variations = self._number(
            "variations",
            1000,
            "So many variations of each layout besides itself: cells moved, left out, added",
            0,
        )
        self.pairing = self._combo("pairing", PAIRINGS, "Which look goes with which cells")
        self.seeds = self._number(
            "seeds", 1000, "Pictures of the same look and the same cells, each with its own seed"
        )
        self.variations_label = QLabel("Variations")
        self.seeds_label = QLabel("Seeds")
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(3)
        lines: tuple[tuple[QWidget, QWidget, QWidget | None], ...] = (
            (QLabel("Name"), self.name, None),
            (QLabel("Styles"), self.styles, self.places),
            (QLabel("Layouts"), self.layouts, self.invented),
            (self.variations_label, self.variations, None),
            (QLabel("Pairs"), self.pairing, None),
            (self.seeds_label, self.seeds, None),
        )
        for line, (label, field, beside) in enumerate(lines):
            grid.addWidget(label, line, 0)
            grid.addWidget(field, line, 1, 1, 1 if beside else 2)
            if beside is not None:
                grid.addWidget(beside, line, 2)
        grid.setColumnStretch(1, 1)
        self.content.addLayout(grid)
        self.what = Text(small=True)
        self.content.addWidget(self.what)
        self.try_button = button(
            f"Try the first {FIRST}…",
            "Makes a few pairs and shows them on a sheet; the rest can be made afterwards",
            lambda: self.choose(first=True),
        )
        self.make_button = button(
            "Make dataset…",
            "Choose a new folder; every pair is checked, and can be made again from its record",
            self.choose,
        )
        self.resume_button = button(
            "Resume…", "Go on with a dataset that was stopped", self.choose_old
        )
        self.content.addLayout(row(self.try_button, self.make_button))
        self.progress = Text(small=True)
        self.content.addWidget(self.progress)
        self.sheet_button = button(
            "Show the first pairs", "On a sheet, cells outlined", self.show_sheet
        )
        self.content.addLayout(row(self.sheet_button, self.resume_button))
        self.review_button = button(
            "Review…", "Look through the pairs: accept and reject them", review
        )
        self.report_button = button(
            "Report", "One page about the dataset, to read in a browser", self.report
        )
        self.convert_button = button(
            "Convert", "The pairs that are used, as another program reads them", lambda: None
        )
        self.apart = QAction("A fifth apart for validation")
        self.apart.setCheckable(True)
        self.convert_button.setMenu(self._formats())
        self.content.addLayout(row(self.review_button, self.report_button, self.convert_button))
        self.finish()

    def _combo(self, name: str, words: dict[str, str], tip: str) -> QComboBox:
        made = QComboBox()
        for value, text in words.items():
            made.addItem(text[:1].upper() + text[1:], value)
        made.setToolTip(tip)
        made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        made.setMinimumContentsLength(12)
        choice = self.session.datasets.choice
        made.activated.connect(lambda index: setattr(choice, name, made.itemData(index)))
        return made

    def _number(self, name: str, most: int, tip: str, least: int = 1) -> QSpinBox:
        made = QSpinBox()
        made.setRange(least, most)
        made.setToolTip(tip)
        slim(made, NARROW + 40)
        choice = self.session.datasets.choice
        made.valueChanged.connect(lambda value: setattr(choice, name, value))
        return made

    def _formats(self) -> QMenu:
        menu = QMenu(self)
        for kind, words in FORMATS.items():
            action = menu.addAction(words.partition(":")[0])
            assert action is not None
            action.setToolTip(words)
            action.triggered.connect(lambda *_, kind=kind: self.choose_format(kind))
        menu.setToolTipsVisible(True)
        menu.addSeparator()
        menu.addAction(self.apart)
        return menu

    def refresh(self) -> None:
        """Show the session's state."""
        session, datasets = self.session, self.session.datasets
        choice = datasets.choice
        takes = session.takes_layout
        for combo, value in (
            (self.styles, choice.styles),
            (self.layouts, choice.layouts),
            (self.pairing, choice.pairing),
        ):
            with QSignalBlocker(combo):
                combo.setCurrentIndex(combo.findData(value))
        for field, number, seen in (
            (self.places, choice.places, choice.styles == "slide"),
            (self.invented, choice.invented, takes and choice.layouts == "invented"),
            (self.variations, choice.variations, takes and choice.layouts == "regions"),
            (self.seeds, choice.seeds, True),
        ):
            put(field, number)
            field.setVisible(seen)
        self.variations_label.setVisible(self.variations.isVisibleTo(self))
        reason = "" if takes else f"{session.settings.model.title} takes no layouts"
        allow(self.layouts, reason)
        allow(self.pairing, reason)
        if self.name.text() != choice.name:
            self.name.setText(choice.name)
        problem = datasets.why_not()
        outlook = datasets.outlook()
        if outlook is None:
            self.what.say(f"{problem}.")
        else:
            at_most = "up to " if choice.styles == "slide" else ""
            count = f"{outlook.pairs:,} pair{'' if outlook.pairs == 1 else 's'}"
            parts = [at_most + count, f"about {size(outlook.bytes)}"]
            if outlook.seconds is not None:
                parts.insert(1, f"about {duration(outlook.seconds)}")
            self.what.say(" · ".join(parts))
        for made in (self.try_button, self.make_button):
            allow(made, problem)
        uses, there = datasets.uses, datasets.newest is not None
        reason = "It is busy" if uses.busy else "" if there else "Make or resume a dataset first"
        for made in (self.report_button, self.convert_button):
            allow(made, reason)
        lines = [uses.busy] if uses.busy else []
        lines += [f"{job.folder.name}: {job.sentence()}" for job in datasets.jobs]
        self.progress.say("\n".join(lines))
        allow(self.sheet_button, "" if datasets.finished else "Make a dataset first")
        said, note = session.problems.get(SECTION, ""), session.notes.get(SECTION, "")
        self.tell(said, note)

    def choose(self, first: bool = False) -> None:
        """Ask for a folder, and make the dataset in it."""
        folder = QFileDialog.getExistingDirectory(self, "A new folder for the dataset")
        if folder:
            self.session.datasets.make(Path(folder), first)

    def choose_old(self) -> None:
        """Ask for the folder of a dataset, and go on with it."""
        folder = QFileDialog.getExistingDirectory(self, "The folder of the dataset")
        if folder:
            self.session.datasets.resume(Path(folder))

    def report(self) -> None:
        """Write the report of the dataset that was made last."""
        folder = self.session.datasets.newest
        if folder is not None:
            self.session.datasets.uses.report(folder)

    def choose_format(self, kind: str) -> None:
        """Ask for a folder, and write the dataset that was made last into a new one in it."""
        folder = self.session.datasets.newest
        into = QFileDialog.getExistingDirectory(self, "Where the converted dataset goes")
        if folder is not None and into:
            uses = self.session.datasets.uses
            uses.convert(folder, kind, Path(into), self.apart.isChecked())

    def show_sheet(self) -> None:
        """Show the first pairs of the dataset that was made last."""

        def done(found: tuple[str, NDArray[np.uint8]]) -> None:
            SheetWindow(self.session, *found, self.window()).show()

        self.session.datasets.sheet(done)


def size(count: int) -> str:
    """Say how much so many bytes are: “9 MB”, “1.2 GB”."""
    if count < 1e9:
        return f"{max(1, round(count / 1e6)):,} MB"
    return f"{count / 1e9:,.1f} GB"
