"""A grid of settings, and the sheet that it gives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qtpy.QtWidgets import (
    QGridLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
)

from napari_pixcell.errors import PixCellError
from napari_pixcell.studio.generation.grids import Grid
from napari_pixcell.studio.generation.start import NOTHING
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.results.sheet_window import SheetWindow
from napari_pixcell.ui.widgets import AMBER, More, Text, allow, button, put, row

FIELDS = (
    ("grid_guidance", "Guidance", "Values to try, such as 1, 1.5, 2; empty: the one above"),
    ("grid_layout", "Layout strength", "Values to try, such as 0.5, 1, 1.5; empty: the one above"),
    ("grid_strength", "Change", "How much of the start changes, such as 0.2, 0.4, 0.6"),
    ("grid_steps", "Steps", "Values to try, such as 10, 20, 40; empty: the one above"),
)


class GridPanel(More):
    """Fields of a grid, folded away.

    Parameters
    ----------
    session : Session
        Its state.
    """

    def __init__(self, session: Session) -> None:
        super().__init__("Grid of settings")
        self.session = session
        settings = session.settings
        self.seeds = QSpinBox()
        self.seeds.setRange(1, 50)
        self.seeds.setToolTip("Columns of the grid: so many seeds, from the one above on")
        self.seeds.valueChanged.connect(lambda value: setattr(settings, "grid_seeds", value))
        lines = QGridLayout()
        lines.setContentsMargins(0, 0, 0, 0)
        lines.setSpacing(3)
        lines.addWidget(QLabel("Seeds"), 0, 0)
        lines.addWidget(self.seeds, 0, 1)
        self.styles = QSpinBox()
        self.styles.setRange(1, 20)
        self.styles.setToolTip("Columns of the grid: so many steps through the blend of styles")
        self.styles.valueChanged.connect(lambda value: setattr(settings, "grid_styles", value))
        self.styles_label = QLabel("Styles")
        lines.addWidget(self.styles_label, len(FIELDS) + 1, 0)
        lines.addWidget(self.styles, len(FIELDS) + 1, 1)
        self.fields: dict[str, QLineEdit] = {}
        self.labels: dict[str, QLabel] = {}
        for line, (name, words, tip) in enumerate(FIELDS, 1):
            field = QLineEdit()
            field.setToolTip(tip)
            field.setAccessibleName(f"{words} of the grid")
            field.setPlaceholderText("as above")
            field.textChanged.connect(lambda text, name=name: setattr(settings, name, text))
            self.fields[name], self.labels[name] = field, QLabel(words)
            lines.addWidget(self.labels[name], line, 0)
            lines.addWidget(field, line, 1)
        self.content.addLayout(lines)
        self.what = Text(small=True)
        self.go = button("Generate grid", "Make all pictures of the grid as one job", self._go)
        self.show_sheet = button(
            "Show sheet",
            "The pictures side by side, with their settings; to look at and to save",
            self._show,
        )
        self.content.addWidget(self.what)
        self.content.addLayout(row(self.go, self.show_sheet))

    def refresh(self) -> None:
        """Show the session's state."""
        session, settings = self.session, self.session.settings
        put(self.seeds, settings.grid_seeds)
        for name, field in self.fields.items():
            if field.text() != getattr(settings, name):
                field.setText(getattr(settings, name))
        put(self.styles, settings.grid_styles)
        for widget in (self.styles, self.styles_label):
            widget.setVisible(session.blended)
        started = settings.start_from != NOTHING
        for name, there in (("grid_layout", session.with_layout), ("grid_strength", started)):
            for widget in (self.fields[name], self.labels[name]):
                widget.setVisible(there)
        reason, grid = session.why_not(), session.grids.last
        try:
            count = session.grid_sweep().count
            self.what.tint("")
            self.what.say("1 picture" if count == 1 else f"{count} pictures, as one job")
        except PixCellError as error:
            reason = reason or str(error)
            self.what.tint(AMBER)
            self.what.say(str(error))
        allow(self.go, reason)
        made = 0 if grid is None else sum(r is not None for r in session.grids.pictures(grid))
        self.show_sheet.setVisible(grid is not None)
        allow(self.show_sheet, "" if made else "None of its pictures is made yet")
        if grid is not None:
            self.show_sheet.setText(f"Show sheet ({made} of {grid.sweep.count})")

    def _go(self) -> None:
        self.session.generate_grid()

    def _show(self) -> None:
        grid = self.session.grids.last
        if grid is None:
            return

        def done(sheet: NDArray[np.uint8]) -> None:
            self.open(grid, sheet)

        self.session.grids.sheet(grid, done, lambda text: self.session.say("generate", text))

    def open(self, grid: Grid, sheet: NDArray[np.uint8]) -> SheetWindow:
        """Open a window with a sheet."""
        window = SheetWindow(self.session, grid.title, sheet, self.window())
        window.show()
        return window
