"""A grid of settings, and the sheet that it gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import (
    QDialog,
    QFileDialog,
    QGridLayout,
    QLabel,
    QLineEdit,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_pixcell.errors import PixCellError
from napari_pixcell.studio.grids import Grid
from napari_pixcell.studio.session import Session
from napari_pixcell.studio.starting import NOTHING
from napari_pixcell.ui.parts import AMBER, More, Text, allow, button, put, row, whole_pixmap

FIELDS = (
    ("grid_guidance", "Guidance", "Values to try, such as 1, 1.5, 2; empty: the one above"),
    ("grid_layout", "Layout strength", "Values to try, such as 0.5, 1, 1.5; empty: the one above"),
    ("grid_strength", "Change", "How much of the start changes, such as 0.2, 0.4, 0.6"),
    ("grid_steps", "Steps", "Values to try, such as 10, 20, 40; empty: the one above"),
)

FRAME, FOOT = 30, 44  # px of the window around the sheet, and below it
SMALLEST = 0.6  # of its size; a sheet that had to be smaller scrolls


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
        window = SheetWindow(self.session, grid, sheet, self.window())
        window.show()
        return window


class SheetWindow(QDialog):
    """A sheet, and a button that saves it.

    Parameters
    ----------
    session : Session
        Which writes it.
    grid : Grid
        Whose sheet.
    sheet : array, uint8, (height, width, 3)
    parent : QWidget
        Of the window.
    """

    def __init__(
        self, session: Session, grid: Grid, sheet: NDArray[np.uint8], parent: QWidget
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(f"Synthetic · {grid.title}")
        self.session, self.grid, self.sheet = session, grid, sheet
        picture = QLabel()
        shown = _fitting(whole_pixmap(sheet), self._room())
        picture.setPixmap(shown)
        picture.setAccessibleName(f"Sheet of {grid.title}")
        scroll = QScrollArea()
        scroll.setWidget(picture)
        self.state = QLabel()
        self.save_button = button("Save as PNG…", "Keep the sheet as a picture", self._choose)
        stack = QVBoxLayout(self)
        stack.addWidget(scroll)
        line = row(self.state, self.save_button)
        line.setStretch(0, 1)
        stack.addLayout(line)
        self.resize(self._room().boundedTo(shown.size() + QSize(FRAME, FRAME + FOOT)))

    def _room(self) -> QSize:
        screen = self.screen()
        return screen.availableGeometry().size() * 0.94 if screen is not None else QSize(1200, 700)

    def _choose(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save the sheet", "sheet.png", "PNG (*.png)")
        if path:
            self.save(Path(path))

    def save(self, path: Path) -> None:
        """Write the sheet; how it went is said here, while the window is open."""
        self.session.grids.save(
            self.sheet,
            path.with_suffix(".png"),
            lambda _: self._say(f"Saved {path.with_suffix('.png').name}"),
            self._say,
        )

    def _say(self, text: str) -> None:
        try:
            self.state.setText(text)
        except RuntimeError:  # the window was closed meanwhile
            self.session.note("generate", text)


def _fitting(picture: QPixmap, room: QSize) -> QPixmap:
    """Make a picture that is a little larger than its room smaller, so that it is seen whole."""
    room = room - QSize(FRAME, FRAME + FOOT)
    part = min(1.0, room.width() / picture.width(), room.height() / picture.height())
    if part == 1.0 or part < SMALLEST:
        return picture
    keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    return picture.scaled(picture.size() * part, keep, smooth)
