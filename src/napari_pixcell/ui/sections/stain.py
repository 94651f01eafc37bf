"""The Virtual stain section: which stains, and how much of the tissue they keep."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtWidgets import QCheckBox, QWidget

from napari_pixcell.models.families import stain_name
from napari_pixcell.studio.session import Session
from napari_pixcell.studio.settings import NOISE, STAIN_FROM
from napari_pixcell.ui.arrange import boxed, clear, labelled, row, show_all, tight_grid
from napari_pixcell.ui.bind import bind, on_edit, set_quietly
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.results.sheet_window import SheetWindow
from napari_pixcell.ui.sections.base import Section
from napari_pixcell.ui.sections.training import TrainingDialog
from napari_pixcell.ui.widgets import AMBER, Text, allow, button, combo, slider
from napari_pixcell.words import counted

COLUMNS = 3
SHORT = 40  # characters that fit a button
NONE = "No stains are installed. Each is a small add-on to PixCell-1024."


class StainSection(Section):
    """Chooses stains and their start; ``manage`` opens the model manager at a name."""

    def __init__(self, session: Session, manage: Callable[[str], Any]) -> None:
        super().__init__(session, "stain", "Virtual stain")
        settings, staining = session.settings, session.staining
        self._manage = manage
        self.get_button = button("Get stains…", "Download virtual stains", self._get)
        self.nothing = boxed(row(Text(NONE, small=True), self.get_button, stretch=0))
        self.boxes: dict[str, QCheckBox] = {}
        self.some = QWidget()
        self.grid = tight_grid(self.some)
        tip = (
            "As published: from noise, 100 Euler steps, guidance scale 1.2. Starting from the "
            "tissue keeps the cells."
        )
        self.start_from = combo(tip, STAIN_FROM, "Stains start from")
        bind(self.start_from, settings, "stain_from")
        tip = "0 keeps the tissue unchanged, 1 replaces it completely"
        self.strength = slider(0, 1, tip, "Strength of the change")
        bind(self.strength, settings, "stain_strength")
        self.how = labelled("Start from", self.start_from)
        self.slide_row = labelled("Change", self.strength)
        self.warning = Text(colour=AMBER, small=True)
        tip = "Generate the selected stains over the region"
        self.stain_button = button("Stain region", tip, staining.stain)
        tip = "Enlarge the region to the size these stains need"
        self.enlarge_button = button("Enlarge region", tip, staining.enlarge)
        tip = "Star these stains, so that each has a layer of its own"
        self.star_button = button("Star", tip, staining.keep)
        tip = "Show the H&E and its stains side by side"
        self.sheet_button = button("Show sheet", tip, self._show)
        self.training = TrainingDialog(session, self)
        tip = "Train a virtual stain on your own pairs of images"
        self.train_button = button("Train a stain…", tip, self.training.show)
        self.messages.add(self.warning)
        self.stack(self.nothing, self.some, self.how, self.slide_row)
        self.stack(self.stain_button)
        self.add(self.enlarge_button, self.star_button, self.sheet_button)
        self.add(self.train_button).addStretch(1)

    def refresh(self) -> None:
        session, settings, staining = self.session, self.session.settings, self.session.staining
        there, made = bool(staining.installed), len(staining.made)
        self.training.refresh()
        job = session.training.job
        self.train_button.setText(tr("Train a stain…" if job is None else f"{job.sentence()}…"))
        self.nothing.setVisible(not there)
        show_all(there, self.some, self.how, self.stain_button)
        self.slide_row.setVisible(there and settings.stain_from != NOISE)
        show_all(there and made > 0, self.star_button, self.sheet_button)
        if not there:
            show_all(False, self.warning, self.enlarge_button)
            self.report()
            return
        chosen = {family.name for family in staining.chosen}
        self._show_boxes(chosen)
        self.warning.say(staining.warning())
        reason, item = staining.why_not(), session.regions.active
        long = len(reason) >= SHORT
        what = "Stain region" if long else reason or f"Generate {counted(len(chosen), 'stain')}"
        self.stain_button.setText(tr(staining.sentence() or what))
        allow(self.stain_button, reason or ("Staining is running" if staining.waiting else ""))
        small = bool(chosen) and item is not None and session.slides.ready
        too_small = staining.why_too_small(item) if small and item is not None else ""
        self.enlarge_button.setVisible(bool(too_small))
        self.star_button.setText(tr(f"Star {made}"))
        self.report(self.problem_now() or (reason if long else ""), state=staining.words())

    def _show_boxes(self, chosen: set[str]) -> None:
        """Show a box for each stain. Those that cannot be made show why."""
        staining = self.session.staining
        families = staining.families
        if list(self.boxes) != [family.name for family in families]:
            clear(self.grid)
            self.boxes = {}
            for index, family in enumerate(families):
                box = QCheckBox(tr(stain_name(family)))
                box.setMinimumWidth(10)
                on_edit(box, partial(staining.choose, family.name))
                self.boxes[family.name] = box
                self.grid.addWidget(box, index // COLUMNS, index % COLUMNS)
        for family in families:
            box = self.boxes[family.name]
            set_quietly(box, family.name in chosen)
            box.setToolTip(tr(family.notice))
            allow(box, staining.why_missing(family))

    def _get(self) -> None:
        families = self.session.staining.families
        self._manage(families[0].name if families else "")

    def _show(self) -> None:
        session, grid = self.session, self.session.staining.last

        def done(sheet: NDArray[np.uint8]) -> None:
            if grid is not None:
                SheetWindow(session, grid.title, sheet, self.window()).show()

        session.staining.sheet(done, partial(session.notices.say, "stain"))
