"""A grid of settings, and the contact sheet of its images."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.errors import PixCellError
from napari_pixcell.studio.generation.grids import Grid
from napari_pixcell.studio.session import Session
from napari_pixcell.studio.settings import NOTHING
from napari_pixcell.ui.arrange import More, row
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.results.sheet_window import SheetWindow
from napari_pixcell.ui.sections.form import Form, Options, integer, text
from napari_pixcell.ui.widgets import AMBER, Text, allow, button
from napari_pixcell.words import counted


def _values(label: str, example: str) -> Options:
    tip = f"Values to compare, such as {example}. Leave empty for the current one."
    return text(label, tip, "current value")


FIELDS = {
    "grid_seeds": integer("Seeds", "Number of seeds from the current one on, as columns", 1, 50),
    "grid_guidance": _values("Guidance scale", "1, 1.5, 2"),
    "grid_layout": _values("Layout strength", "0.5, 1, 1.5"),
    "grid_strength": _values("Change", "0.2, 0.4, 0.6"),
    "grid_steps": _values("Denoising steps", "10, 20, 40"),
    "grid_styles": integer("Styles", "Number of steps through the blend, as columns", 1, 20),
}


class GridPanel(More):
    """Fields of a grid."""

    def __init__(self, session: Session) -> None:
        super().__init__("Grid", "Compare several settings side by side")
        self.session = session
        self.form = Form(session.settings, FIELDS)
        self.outlook = Text(small=True)
        tip = "Generate all images of the grid as one job"
        self.generate_button = button("Generate grid", tip, session.generator.generate_grid)
        tip = "Show the images side by side, with their settings"
        self.show_sheet = button("Show sheet", tip, self._show)
        self.stack(self.form, self.outlook, row(self.generate_button, self.show_sheet))

    def refresh(self) -> None:
        session = self.session
        self.form.show_field("grid_styles", session.styles.blended)
        self.form.show_field("grid_layout", session.generator.with_layout)
        self.form.show_field("grid_strength", session.settings.start_from != NOTHING)
        reason, grid = session.generator.why_not(), session.grids.last
        try:
            images = counted(session.generator.grid_sweep().count, "image")
            self.outlook.say(f"{images}, generated as one job")
            self.outlook.tint("")
        except PixCellError as error:
            reason = reason or str(error)
            self.outlook.say(str(error))
            self.outlook.tint(AMBER)
        allow(self.generate_button, reason)
        made = 0 if grid is None else sum(r is not None for r in session.grids.pictures(grid))
        self.show_sheet.setVisible(grid is not None)
        allow(self.show_sheet, "" if made else "No image of the grid is ready yet")
        if grid is not None:
            self.show_sheet.setText(tr(f"Show sheet ({made} of {grid.sweep.count})"))

    def _show(self) -> None:
        session, grid = self.session, self.session.grids.last
        if grid is not None:
            say = partial(session.notices.say, "generate")
            session.grids.sheet(grid, partial(self.open, grid), say)

    def open(self, grid: Grid, sheet: NDArray[np.uint8]) -> None:
        SheetWindow(self.session, grid.title, sheet, self.window()).show()
