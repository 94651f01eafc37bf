"""A window with a contact sheet of synthetic images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import QDialog, QLabel, QScrollArea, QVBoxLayout, QWidget

from napari_pixcell.studio.session import Session
from napari_pixcell.ui.arrange import row
from napari_pixcell.ui.dialogs import ask_target
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.widgets import button, whole_pixmap

FRAME, FOOT = 30, 44  # px around the sheet, and below it
SMALLEST = 0.6  # least scale; a sheet that needs less scrolls at full size


class SheetWindow(QDialog):
    """A sheet, an RGB image of uint8 (height, width, 3), with a button to save it."""

    def __init__(
        self, session: Session, title: str, sheet: NDArray[np.uint8], parent: QWidget
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr(f"Synthetic · {title}"))
        self.session, self.sheet = session, sheet
        picture = QLabel()
        shown = _fitting(whole_pixmap(sheet), self._room())
        picture.setPixmap(shown)
        picture.setAccessibleName(tr(f"Sheet of {title}"))
        scroll = QScrollArea()
        scroll.setWidget(picture)
        self.state = QLabel()
        self.save_button = button("Save as PNG…", "Save the sheet as an image", self._choose)
        stack = QVBoxLayout(self)
        stack.addWidget(scroll)
        stack.addLayout(row(self.state, self.save_button, stretch=0))
        self.resize(self._room().boundedTo(shown.size() + QSize(FRAME, FRAME + FOOT)))

    def _room(self) -> QSize:
        screen = self.screen()
        return screen.availableGeometry().size() * 0.94 if screen is not None else QSize(1200, 700)

    def _choose(self) -> None:
        ask_target(self, "Save sheet", "sheet.png", "PNG (*.png)", self.save)

    def save(self, path: Path) -> None:
        path = path.with_suffix(".png")
        saved = f"Saved {path.name}"
        self.session.grids.save(self.sheet, path, lambda _: self._show(saved), self._show)

    def _show(self, text: str) -> None:
        try:
            self.state.setText(tr(text))
        except RuntimeError:  # the window has been closed
            self.session.notices.note("generate", text)


def _fitting(picture: QPixmap, room: QSize) -> QPixmap:
    """Scale down an image that is slightly too large for the room."""
    room = room - QSize(FRAME, FRAME + FOOT)
    part = min(1.0, room.width() / picture.width(), room.height() / picture.height())
    if part == 1.0 or part < SMALLEST:
        return picture
    keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    return picture.scaled(picture.size() * part, keep, smooth)
