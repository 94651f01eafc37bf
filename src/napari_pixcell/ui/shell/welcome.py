"""What is shown before a slide is open: the way in three pictures, the sample, and sessions."""

from __future__ import annotations

from functools import partial
from importlib.resources import files
from pathlib import Path

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import QLabel, QSizePolicy, QToolButton, QWidget

from napari_pixcell.studio.saving.places import day
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.arrange import clear, column, row
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.slide_actions import SlideActions
from napari_pixcell.ui.widgets import Text, button

SIDE = 92  # px of a picture
STEPS = ("1  Pick a region", "2  Mark the cells", "3  Get variants")
PICTURES = ("region", "cells", "variants")
ABOUT = "Open a slide, or drop one here."
MOST_SESSIONS = 4
ROW = (
    "QToolButton { border: none; text-align: left; padding: 4px 6px;"
    " background: rgba(128, 128, 128, 30); }"
    "QToolButton:hover { background: rgba(128, 128, 128, 80); }"
)


class Welcome(QWidget):
    """The empty state of the studio."""

    def __init__(self, session: Session, actions: SlideActions) -> None:
        super().__init__()
        self.session = session
        steps = [_step(name, words) for name, words in zip(PICTURES, STEPS, strict=True)]
        tip = "Open the small synthetic slide that comes with the plugin"
        self.sample_button = button("Try the sample", tip, actions.sample)
        self.title = Text("Saved sessions")
        self.title.setStyleSheet("font-weight: bold;")
        self.rows: list[QToolButton] = []
        self.list = column(None, spacing=2)
        self._shown: list[object] = []
        pictures = row(*steps)
        pictures.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        parts = (pictures, Text(ABOUT), self.sample_button, self.title, self.list)
        stack = column(self, *parts, spacing=10)
        stack.setContentsMargins(10, 14, 10, 4)
        stack.addStretch(1)
        self.refresh()

    def refresh(self) -> None:
        sessions = self.session.recent.sessions[:MOST_SESSIONS]
        self.title.setVisible(bool(sessions))
        if sessions != self._shown:
            self._shown = list(sessions)
            clear(self.list)
            self.rows = []
            for one in sessions:
                made = QToolButton()
                made.setText(tr(f"{one.slide}\n{day(one.saved)}: {one.contents()}"))
                made.setToolTip(tr(f"Open this session\n{one.path}"))
                made.setStyleSheet(ROW)
                made.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
                made.clicked.connect(partial(self._open, one.path))
                self.rows.append(made)
                self.list.addWidget(made)

    def _open(self, path: Path, *_: object) -> None:
        self.session.restoring.open(path)


def _step(name: str, words: str) -> QWidget:
    picture, label = QLabel(), QLabel(tr(words))
    data = files("napari_pixcell.ui.shell").joinpath(f"pictures/{name}.jpg").read_bytes()
    drawn = QPixmap()
    drawn.loadFromData(data)
    keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    ratio = 2
    drawn = drawn.scaled(QSize(SIDE, SIDE) * ratio, keep, smooth)
    drawn.setDevicePixelRatio(ratio)
    picture.setPixmap(drawn)
    made = QWidget()
    stack = column(made, picture, label, spacing=4)
    for part in (picture, label):
        stack.setAlignment(part, Qt.AlignmentFlag.AlignHCenter)
    label.setStyleSheet("font-size: 11px;")
    return made
