"""Small pieces the dock is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QSettings, QSignalBlocker, Qt
from qtpy.QtGui import QImage, QPalette, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QBoxLayout,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLayout,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

AMBER = "#d68b1f"
GREEN = "#4cae6b"
BLUE = "#2f6fdf"
# Their like on a light ground: words want a contrast of 4.5 to 1 (WCAG 2.2, 1.4.3).
ON_LIGHT = {AMBER: "#8a5200", GREEN: "#1f6f3d"}

WHY = "why it is off"
FIELDS = (QAbstractSpinBox, QAbstractSlider, QComboBox, QLineEdit, QAbstractItemView)
# napari leaves 44 px of a list's width without words. On each list by itself: a sheet on the whole
# column has Qt style everything in it twice.
LIST = "QComboBox { padding: 3px 2px 3px 6px; } QComboBox::drop-down { width: 18px; }"

PRIMARY = f"""
QPushButton {{ background-color: {BLUE}; color: white; font-weight: bold; padding: 8px;
              border-radius: 4px; }}
QPushButton:hover {{ background-color: #4583ee; }}
QPushButton:disabled {{ background-color: rgba(128, 128, 128, 70); color: rgb(140, 140, 140); }}
"""


class Text(QLabel):
    """Words that wrap; hidden while empty."""

    def __init__(self, text: str = "", colour: str = "", small: bool = False) -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._colour, self._small = colour, small
        if colour or small:
            self.tint(colour)
        self.setText(text)
        if not text:  # with words it comes with its parent; without one it would be a window
            self.hide()

    def say(self, text: str) -> None:
        """Show ``text``."""
        if text != self.text():
            self.setText(text)
        self.setVisible(bool(text))

    def tint(self, colour: str) -> None:
        """Show the words in a colour that is readable on napari's theme; "" is its own."""
        self._colour = colour
        style = f"color: {readable(self, colour)};" if colour else ""
        style += "font-size: 10px;" if self._small else ""
        if style != self.styleSheet():
            self.setStyleSheet(style)

    def changeEvent(self, event: QEvent | None) -> None:
        """Follow another theme."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.StyleChange and self._colour:
            self.tint(self._colour)


def readable(widget: QWidget, colour: str) -> str:
    """Give the shade of a colour that is readable on a widget's ground."""
    # By the words around it: a ground that lets another one through has no colour of its own.
    around = (widget.parentWidget() or widget).palette().color(QPalette.ColorRole.WindowText)
    return ON_LIGHT.get(colour, colour) if around.lightness() < 128 else colour


class Section(QWidget):
    """A part of the dock with a header that folds it, and a line for its problems.

    Parameters
    ----------
    key : str
        Name under which the session reports problems of this section.
    title : str
        As shown.
    """

    def __init__(self, key: str, title: str) -> None:
        super().__init__()
        self.key = key
        self.header = QToolButton()
        self.header.setText(title)
        self.header.setCheckable(True)
        self.header.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.header.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.header.setStyleSheet(
            "QToolButton { border: none; font-weight: bold; text-align: left; padding: 3px;"
            " background-color: rgba(128, 128, 128, 45); }"
        )
        self.header.setToolTip("Fold or unfold")
        self.body = QWidget()
        self.content = QVBoxLayout(self.body)
        self.content.setContentsMargins(6, 4, 4, 4)
        self.content.setSpacing(4)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(self.header)
        outer.addWidget(self.body)
        self.problem = Text(colour=AMBER)
        self.problem.setObjectName(f"problem-{key}")
        self.action = QPushButton()
        self.action.hide()
        self._action: Callable[[], Any] | None = None
        self.action.clicked.connect(self._act)
        self.note = Text(colour=GREEN)
        opened = bool(QSettings("napari-pixcell", "studio").value(f"open/{key}", True, bool))
        self.header.setChecked(opened)
        self._fold(opened)
        self.header.toggled.connect(self._fold)
        self.header.toggled.connect(self._remember)

    def finish(self) -> None:
        """Put what there is to say, and the one thing to do about it, below everything else."""
        for widget in (self.problem, self.note, self.action):
            self.content.addWidget(widget)

    def add(self, *widgets: QWidget) -> QHBoxLayout:
        """Add a row."""
        line = row(*widgets)
        self.content.addLayout(line)
        return line

    def tell(
        self, problem: str, note: str, action: str = "", act: Callable[[], Any] | None = None
    ) -> None:
        """Show a problem or good news, with the one thing to do about it."""
        self.problem.say(problem)
        self.note.say(note)
        self._action = act
        self.action.setText(action)
        self.action.setVisible(bool((problem or note) and action))

    def _act(self) -> None:
        if self._action is not None:
            self._action()

    def _fold(self, opened: bool) -> None:
        arrow = Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow
        self.header.setArrowType(arrow)
        self.body.setVisible(opened)

    def _remember(self, opened: bool) -> None:
        QSettings("napari-pixcell", "studio").setValue(f"open/{self.key}", opened)


class More(QWidget):
    """Fields for experts, folded away under a ▸."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.button = QToolButton()
        self.button.setText(title)
        self.button.setCheckable(True)
        self.button.setArrowType(Qt.ArrowType.RightArrow)
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setStyleSheet("QToolButton { border: none; background: transparent; }")
        self.body = QWidget()
        self.content = QVBoxLayout(self.body)
        self.content.setContentsMargins(12, 2, 0, 2)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(2)
        outer.addWidget(self.button)
        outer.addWidget(self.body)
        self.body.hide()
        self.button.toggled.connect(self._fold)

    def _fold(self, opened: bool) -> None:
        arrow = Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow
        self.button.setArrowType(arrow)
        self.body.setVisible(opened)


def row(*widgets: QWidget | QLayout) -> QHBoxLayout:
    """Lay widgets out side by side."""
    layout = QHBoxLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(5)
    for widget in widgets:
        if isinstance(widget, QLayout):
            layout.addLayout(widget)
        else:
            layout.addWidget(widget)
    return layout


def button(text: str, tip: str, act: Callable[[], Any], name: str = "") -> QPushButton:
    """Make a button whose tooltip says what it does."""
    made = QPushButton(text)
    made.setToolTip(tip)
    made.setObjectName(name or text)
    made.clicked.connect(lambda *_: act())
    return made


def allow(widget: Any, reason: str) -> None:
    """Enable a control; or disable it and say why, in its tooltip and to a screen reader.

    Parameters
    ----------
    widget : QWidget
        Whose tooltip says what it does.
    reason : str
        Why it is off; empty where it is on.
    """
    tip, said = widget.toolTip(), widget.property(WHY) or ""
    if said:  # the tip that was set when the control was made, or since
        tip = tip.removeprefix(f"{said}\n")
    widget.setEnabled(not reason)
    widget.setProperty(WHY, reason)
    text = f"{reason}\n{tip}" if reason else tip
    if text != widget.toolTip():
        widget.setToolTip(text)
        widget.setAccessibleDescription(text)


def name_for_readers(root: QWidget) -> None:
    """Give each field without words a name that a screen reader can say: its tooltip's."""
    for widget in root.findChildren(QWidget):
        if isinstance(widget, FIELDS) and not widget.accessibleName():
            widget.setAccessibleName(widget.toolTip().partition("\n")[0])


def slim(field: QAbstractSpinBox, width: int) -> None:
    """Let a field of numbers be ``width`` px narrow, 40 of them its buttons; napari asks for 90."""
    field.setStyleSheet(f"QAbstractSpinBox {{ min-width: {width}px; padding: 1px 0px; }}")


def put(widget: Any, value: Any) -> None:
    """Set a field's value without it telling anybody."""
    if widget.value() != value:
        with QSignalBlocker(widget):
            widget.setValue(value)


def whole_pixmap(image: NDArray[np.uint8]) -> QPixmap:
    """Give a picture (height, width, 3) as it is."""
    image = np.ascontiguousarray(image)
    height, width = image.shape[:2]
    made = QImage(image.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
    return QPixmap.fromImage(made)


def pixmap(image: NDArray[np.uint8], side: int) -> QPixmap:
    """Give a picture (height, width, 3) at most ``side`` px large."""
    mode, keep = Qt.TransformationMode.SmoothTransformation, Qt.AspectRatioMode.KeepAspectRatio
    return whole_pixmap(thinned(image)).scaled(side, side, keep, mode)


def thinned(image: NDArray[Any], most: int = 512) -> NDArray[Any]:
    """Leave rows and columns out of what is much larger than a thumbnail needs."""
    step = max(1, max(image.shape[:2]) // most)
    return image[::step, ::step]


def clear(layout: QBoxLayout | QLayout) -> None:
    """Take everything out of a layout."""
    while layout.count():
        item = layout.takeAt(0)
        if item is not None and item.widget() is not None:
            item.widget().hide()
            item.widget().deleteLater()
