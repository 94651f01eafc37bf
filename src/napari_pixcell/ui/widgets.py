"""Small widgets and helpers that the dock widgets are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QSignalBlocker, Qt
from qtpy.QtGui import QImage, QPalette, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QBoxLayout,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLayout,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QLabeledDoubleSlider

AMBER = "#d68b1f"
GREEN = "#4cae6b"
BLUE = "#2f6fdf"
# Shades for light themes: text needs a contrast of 4.5 to 1 (WCAG 2.2, 1.4.3).
ON_LIGHT = {AMBER: "#8a5200", GREEN: "#1f6f3d"}

WHY = "why disabled"  # Qt property
FIELDS = (QAbstractSpinBox, QAbstractSlider, QComboBox, QLineEdit, QAbstractItemView)
# napari's theme leaves 44 px of a combo box empty. Set on each box, because a style sheet on the
# column makes Qt style everything in it twice.
LIST = "QComboBox { padding: 3px 2px 3px 6px; } QComboBox::drop-down { width: 18px; }"

PRIMARY = f"""
QPushButton {{ background-color: {BLUE}; color: white; font-weight: bold; padding: 8px;
              border-radius: 4px; }}
QPushButton:hover {{ background-color: #4583ee; }}
QPushButton:disabled {{ background-color: rgba(128, 128, 128, 70); color: rgb(140, 140, 140); }}
"""


class Text(QLabel):
    """A label that wraps its text and is hidden while empty."""

    def __init__(self, text: str = "", colour: str = "", small: bool = False) -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._colour, self._small = colour, small
        if colour or small:
            self.tint(colour)
        self.setText(text)
        if not text:  # showing a label that has no parent yet would open a window
            self.hide()

    def say(self, text: str) -> None:
        """Show ``text``."""
        if text != self.text():
            self.setText(text)
        self.setVisible(bool(text))

    def tint(self, colour: str) -> None:
        """Set the text colour in a shade that is readable on napari's theme; "" resets it."""
        self._colour = colour
        style = f"color: {readable(self, colour)};" if colour else ""
        style += "font-size: 10px;" if self._small else ""
        if style != self.styleSheet():
            self.setStyleSheet(style)

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.StyleChange and self._colour:
            self.tint(self._colour)


def readable(widget: QWidget, colour: str) -> str:
    """Return the shade of a colour that is readable on a widget's background."""
    # Judged by the surrounding text: a transparent background has no colour of its own.
    around = (widget.parentWidget() or widget).palette().color(QPalette.ColorRole.WindowText)
    return ON_LIGHT.get(colour, colour) if around.lightness() < 128 else colour


class More(QWidget):
    """Advanced fields that fold away under an arrow."""

    def __init__(self, title: str, tip: str = "") -> None:
        super().__init__()
        self.button = QToolButton()
        self.button.setText(title)
        self.button.setToolTip(tip)
        self.button.setCheckable(True)
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setStyleSheet("QToolButton { border: none; background: transparent; }")
        self.body = QWidget()
        self.content = QVBoxLayout(self.body)
        self.content.setContentsMargins(12, 2, 0, 2)
        column(self, self.button, self.body)
        fold(self.button, self.body, False)


def fold(header: QToolButton, body: QWidget, opened: bool) -> None:
    """Let a header fold and unfold ``body``."""

    def show(unfolded: bool) -> None:
        header.setArrowType(Qt.ArrowType.DownArrow if unfolded else Qt.ArrowType.RightArrow)
        body.setVisible(unfolded)

    header.setChecked(opened)
    show(opened)
    header.toggled.connect(show)


class Bar(QProgressBar):
    """A thin progress bar. It pulses until the first step is done."""

    def __init__(self) -> None:
        super().__init__()
        self.setTextVisible(False)
        self.setFixedHeight(8)
        self.setStyleSheet(f"QProgressBar::chunk {{ background: {BLUE}; }}")

    def advance(self, done: int, total: int) -> None:
        """Show ``done`` of ``total`` steps."""
        # QProgressBar repaints the whole window at once; without updates it waits its turn.
        self.setUpdatesEnabled(False)
        self.setRange(0, total if done else 0)
        self.setValue(done)
        self.setUpdatesEnabled(True)


def row(*widgets: QWidget | QLayout, stretch: int | None = None) -> QHBoxLayout:
    """Return a layout of widgets side by side; the one at ``stretch`` gets the spare width."""
    layout = QHBoxLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(5)
    _fill(layout, widgets)
    if stretch is not None:
        layout.setStretch(stretch, 1)
    return layout


def column(parent: QWidget | None, *widgets: QWidget | QLayout, spacing: int = 2) -> QVBoxLayout:
    """Return a layout of widgets below each other, installed on ``parent`` if there is one."""
    layout = QVBoxLayout() if parent is None else QVBoxLayout(parent)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(spacing)
    _fill(layout, widgets)
    return layout


def _fill(layout: QBoxLayout, widgets: Iterable[QWidget | QLayout]) -> None:
    for widget in widgets:
        if isinstance(widget, QLayout):
            layout.addLayout(widget)
        else:
            layout.addWidget(widget)


def boxed(layout: QLayout) -> QWidget:
    """Return a widget with a layout, to show and hide as one."""
    made = QWidget()
    made.setLayout(layout)
    return made


def labelled(label: str, field: QWidget) -> QWidget:
    """Return a label and a field side by side."""
    return boxed(row(QLabel(label), field, stretch=1))


def field_grid(*lines: tuple[str | QWidget, QWidget]) -> QGridLayout:
    """Return a grid with a label and a field in each line."""
    grid = QGridLayout()
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setSpacing(3)
    for index, (label, field) in enumerate(lines):
        grid.addWidget(QLabel(label) if isinstance(label, str) else label, index, 0)
        grid.addWidget(field, index, 1)
    grid.setColumnStretch(1, 1)
    return grid


def button(text: str, tip: str, act: Callable[[], Any], name: str = "") -> QPushButton:
    """Return a push button that calls ``act``."""
    made = QPushButton(text)
    made.setToolTip(tip)
    made.setObjectName(name or text)
    made.clicked.connect(lambda *_: act())
    return made


def tool_button(text: str, tip: str, act: Callable[[], Any], name: str = "") -> QToolButton:
    """Return a small button that calls ``act``; screen readers call it ``name`` or its tooltip."""
    made = QToolButton()
    made.setText(text)
    made.setToolTip(tip)
    made.setAccessibleName(name or tip)
    made.clicked.connect(lambda *_: act())
    return made


def check_box(text: str, tip: str) -> QCheckBox:
    """Return a check box."""
    made = QCheckBox(text)
    made.setToolTip(tip)
    return made


def combo(
    tip: str, choices: Iterable[tuple[str, Any]] | dict[Any, str] = (), name: str = ""
) -> QComboBox:
    """Return a combo box that takes any width.

    Parameters
    ----------
    tip : str
        Tooltip.
    choices : iterable of (str, value), or dict of value to str
        Entries.
    name : str
        For screen readers; the tooltip by default.
    """
    made = QComboBox()
    made.setToolTip(tip)
    made.setAccessibleName(name)
    made.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    if isinstance(choices, dict):
        choices = [(text, value) for value, text in choices.items()]
    offer(made, choices)
    return made


def offer(box: QComboBox, choices: Iterable[tuple[str, Any]]) -> None:
    """Replace the entries of a combo box where they differ, without emitting its signals."""
    wanted = list(choices)
    if wanted != [(box.itemText(i), box.itemData(i)) for i in range(box.count())]:
        with QSignalBlocker(box):
            box.clear()
            for text, value in wanted:
                box.addItem(text, value)


def slider(low: float, high: float, tip: str, name: str = "") -> QLabeledDoubleSlider:
    """Return a horizontal slider with two decimals."""
    made = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
    made.setRange(low, high)
    made.setDecimals(2)
    made.setSingleStep((high - low) / 20)
    made.setToolTip(tip)
    made.setAccessibleName(name)
    return made


def number(
    low: float,
    high: float,
    tip: str,
    *,
    decimals: int | None = None,
    unit: str = "",
    before: str = "",
    value: float | None = None,
    step: float = 1,
    width: int | None = None,
) -> Any:
    """Return a spin box, for integers unless ``decimals`` is given; see :func:`slim`."""
    made = QSpinBox() if decimals is None else QDoubleSpinBox()
    if decimals is not None:
        made.setDecimals(decimals)
    made.setRange(low, high)
    made.setSingleStep(step)
    made.setPrefix(before)
    made.setSuffix(unit)
    made.setToolTip(tip)
    if value is not None:
        made.setValue(value)
    if width is not None:
        slim(made, width)
    return made


def slim(field: QAbstractSpinBox, width: int) -> None:
    """Let a spin box shrink to ``width`` px, 40 of them its buttons; napari's theme needs 90."""
    field.setStyleSheet(f"QAbstractSpinBox {{ min-width: {width}px; padding: 1px 0px; }}")


def allow(widget: Any, reason: str) -> None:
    """Enable a control, or disable it and show why in its tooltip and to screen readers.

    Parameters
    ----------
    widget : QWidget
        The control. Its tooltip describes what it does.
    reason : str
        Why it is disabled; empty to enable it.
    """
    tip, shown = widget.toolTip(), widget.property(WHY) or ""
    if shown:
        tip = tip.removeprefix(f"{shown}\n")
    widget.setEnabled(not reason)
    widget.setProperty(WHY, reason)
    text = f"{reason}\n{tip}" if reason else tip
    if text != widget.toolTip():
        widget.setToolTip(text)
        widget.setAccessibleDescription(text)


def show_all(visible: bool, *widgets: QWidget) -> None:
    """Show or hide several widgets."""
    for widget in widgets:
        widget.setVisible(visible)


def name_for_readers(root: QWidget) -> None:
    """Name each field without text for screen readers, by the first line of its tooltip."""
    for widget in root.findChildren(QWidget):
        if isinstance(widget, FIELDS) and not widget.accessibleName():
            widget.setAccessibleName(widget.toolTip().partition("\n")[0])


def whole_pixmap(image: NDArray[np.uint8]) -> QPixmap:
    """Return an RGB image (height, width, 3) at its own size."""
    image = np.ascontiguousarray(image)
    height, width = image.shape[:2]
    made = QImage(image.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
    return QPixmap.fromImage(made)


def pixmap(image: NDArray[np.uint8], side: int) -> QPixmap:
    """Return a thumbnail, at most ``side`` px large, of an RGB image (height, width, 3)."""
    mode, keep = Qt.TransformationMode.SmoothTransformation, Qt.AspectRatioMode.KeepAspectRatio
    return whole_pixmap(thinned(image)).scaled(side, side, keep, mode)


def thinned(image: NDArray[Any], most: int = 512) -> NDArray[Any]:
    """Return every n-th row and column of an image that is far larger than a thumbnail needs."""
    step = max(1, max(image.shape[:2]) // most)
    return image[::step, ::step]


def clear(layout: QLayout) -> None:
    """Delete all widgets of a layout."""
    while layout.count():
        item = layout.takeAt(0)
        if item is not None and item.widget() is not None:
            item.widget().hide()
            item.widget().deleteLater()
