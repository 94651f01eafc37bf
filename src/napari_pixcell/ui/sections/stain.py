"""Virtual stains of the region: which, and how much of the tissue they keep."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QCheckBox, QComboBox, QGridLayout, QLabel, QSizePolicy, QWidget
from superqt import QLabeledDoubleSlider

from napari_pixcell.models.families import stain_name
from napari_pixcell.studio.session import Session
from napari_pixcell.studio.stains.sources import NOISE, STAIN_FROM
from napari_pixcell.ui.results.sheet_window import SheetWindow
from napari_pixcell.ui.sections.training import TeachPanel
from napari_pixcell.ui.widgets import AMBER, Section, Text, allow, button, put, row

COLUMNS = 3
SHORT = 40  # letters that a button has room for
NONE = "No stain is installed. Each is a small addition to PixCell-1024."
STRENGTH = "To the left the tissue stays as it is, to the right it is forgotten"
STAIN = "Make the chosen stains of the region, as variants over it"


class StainSection(Section):
    """Chooses stains, and what they are made from.

    Parameters
    ----------
    session : Session
        Its state.
    manage : callable
        Opens the model manager at a model of this name.
    """

    def __init__(self, session: Session, manage: Callable[[str], Any]) -> None:
        super().__init__("stain", "5  Virtual stain")
        self.session = session
        settings = session.settings
        self.none = Text(NONE, small=True)
        self.get_button = button(
            "Models…", "Which stains there are, and how to get them", self._get
        )
        self._manage = manage
        self.nothing = QWidget()
        line = row(self.none, self.get_button)
        line.setStretch(0, 1)
        self.nothing.setLayout(line)
        self.content.addWidget(self.nothing)
        self.boxes: dict[str, QCheckBox] = {}
        self.some = QWidget()
        self.grid = QGridLayout(self.some)
        self.grid.setContentsMargins(0, 0, 0, 0)
        self.grid.setSpacing(3)
        self.content.addWidget(self.some)
        self.start_from = QComboBox()
        for name, text in STAIN_FROM.items():
            self.start_from.addItem(text, name)
        self.start_from.setAccessibleName("Stains are made from")
        self.start_from.setToolTip(
            "The published method starts from noise; from the tissue keeps cells"
        )
        self.start_from.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.start_from.activated.connect(
            lambda _index: setattr(settings, "stain_from", self.start_from.currentData())
        )
        self.strength = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        self.strength.setRange(0, 1)
        self.strength.setDecimals(2)
        self.strength.setSingleStep(0.05)
        self.strength.setAccessibleName("How much of the tissue changes")
        self.strength.setToolTip(STRENGTH)
        self.strength.valueChanged.connect(
            lambda value: setattr(settings, "stain_strength", round(float(value), 2))
        )
        self.how = QWidget()
        line = row(QLabel("Made from"), self.start_from)
        line.setStretch(1, 1)
        self.how.setLayout(line)
        self.content.addWidget(self.how)
        self.slide_row = QWidget()
        self.slide_row.setLayout(row(QLabel("Keep cells"), self.strength, QLabel("free")))
        self.content.addWidget(self.slide_row)
        self.words = Text(small=True)
        self.warning = Text(colour=AMBER, small=True)
        self.content.addWidget(self.words)
        self.content.addWidget(self.warning)
        self.stain_button = button("Stain", STAIN, session.staining.stain)
        self.enlarge_button = button(
            "Enlarge it", "Make the region as large as these stains need", session.staining.enlarge
        )
        self.keep_button = button(
            "Keep", "Keep these stains as layers over one another", session.staining.keep
        )
        self.sheet_button = button("Sheet", "H&E and its stains side by side", self._show)
        line = self.add(self.stain_button, self.enlarge_button, self.keep_button, self.sheet_button)
        line.setStretch(0, 1)
        self.teach = TeachPanel(session)
        self.content.addWidget(self.teach)
        self.finish()

    def refresh(self) -> None:
        """Show the session's state."""
        session, settings, staining = self.session, self.session.settings, self.session.staining
        there = bool(staining.installed)
        self.teach.refresh()
        self.nothing.setVisible(not there)
        for widget in (self.some, self.how, self.stain_button):
            widget.setVisible(there)
        problem, note = session.problems.get("stain", ""), session.notes.get("stain", "")
        self.slide_row.setVisible(there and settings.stain_from != NOISE)
        if not there:
            for widget in (self.words, self.warning, self.enlarge_button):
                widget.hide()
            self.keep_button.hide()
            self.sheet_button.hide()
            self.tell(problem, note)
            return
        self._arrange()
        chosen = {family.name for family in staining.chosen}
        for name, box in self.boxes.items():
            with QSignalBlocker(box):
                box.setChecked(name in chosen)
        with QSignalBlocker(self.start_from):
            self.start_from.setCurrentIndex(self.start_from.findData(settings.stain_from))
        put(self.strength, settings.stain_strength)
        self.words.say(staining.words())
        self.warning.say(staining.warning())
        reason, item = staining.why_not(), session.active
        count = len(chosen)
        what = "Make 1 stain" if count == 1 else f"Make {count} stains"
        short = reason if len(reason) < SHORT else "Stain"
        self.stain_button.setText(staining.sentence() or (reason and short) or what)
        allow(self.stain_button, reason or ("It is being made" if staining.asked else ""))
        small = bool(chosen) and item is not None and session.ready
        self.enlarge_button.setVisible(
            small and item is not None and bool(staining.why_too_small(item))
        )
        made = len(staining.made)
        self.keep_button.setVisible(made > 0)
        self.keep_button.setText(f"Keep {made}")
        self.sheet_button.setVisible(made > 0)
        self.tell(problem or (reason if len(reason) >= SHORT else ""), note)

    def _arrange(self) -> None:
        """Give each stain a box; those that cannot be made say why."""
        staining = self.session.staining
        families = staining.families
        if list(self.boxes) != [family.name for family in families]:
            for box in self.boxes.values():
                box.hide()
                box.deleteLater()
            self.boxes = {}
            for place, family in enumerate(families):
                box = QCheckBox(stain_name(family))
                box.setMinimumWidth(10)
                box.toggled.connect(
                    lambda on, name=family.name: self.session.staining.choose(name, on)
                )
                self.boxes[family.name] = box
                self.grid.addWidget(box, place // COLUMNS, place % COLUMNS)
        for family in families:
            reason = staining.why_missing(family)
            self.boxes[family.name].setToolTip(family.notice)
            allow(self.boxes[family.name], reason)

    def _get(self) -> None:
        families = self.session.staining.families
        self._manage(families[0].name if families else "")

    def _show(self) -> None:
        grid = self.session.staining.last

        def done(sheet: NDArray[np.uint8]) -> None:
            if grid is not None:
                SheetWindow(self.session, grid.title, sheet, self.window()).show()

        self.session.staining.sheet(done, lambda text: self.session.say("stain", text))
