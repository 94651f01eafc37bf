"""Small widgets and helpers that the dock widgets are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QObject, QSignalBlocker, Qt
from qtpy.QtGui import QImage, QPalette, QPixmap, QResizeEvent, QShowEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFrame,
    QLabel,
    QLineEdit,
    QListView,
    QProgressBar,
    QPushButton,
    QScrollBar,
    QSizePolicy,
    QSpinBox,
    QTabBar,
    QToolButton,
    QWidget,
)
from superqt import QLabeledDoubleSlider

from napari_pixcell.ui.arrange import slim
from napari_pixcell.ui.language import tr

AMBER = "#d68b1f"
GREEN = "#4cae6b"
RED = "#ff6b60"
BLUE = "#2f6fdf"
SHORTEST = 50  # px of a label that is shortened
PADDING = 12  # px of a label in napari's theme, above and below together
# Shades for light themes: text needs a contrast of 4.5 to 1 (WCAG 2.2, 1.4.3).
ON_LIGHT = {AMBER: "#8a5200", GREEN: "#1f6f3d", RED: "#b3261e"}

CHANGED_BY_WHEEL = (QAbstractSpinBox, QAbstractSlider, QComboBox, QTabBar)
WHY = "why disabled"  # Qt property
FIELDS = (QAbstractSpinBox, QAbstractSlider, QComboBox, QLineEdit, QAbstractItemView)
# napari's theme leaves 44 px of a combo box empty. Set on each box, because a style sheet on the
# column makes Qt style everything in it twice.
LIST = "QComboBox { padding: 3px 2px 3px 6px; } QComboBox::drop-down { width: 18px; }"

PRIMARY = f"""
QPushButton {{ background-color: {BLUE}; color: white; font-weight: bold; padding: 8px;
              border-radius: 4px; }}
QPushButton:hover {{ background-color: #4583ee; }}
QPushButton:disabled {{ background-color: rgba(128, 128, 128, 70); color: rgb(140, 140, 140);
                       border: 0px; }}
"""

# napari's theme gives disabled buttons a border, by which they would be larger than others.
EVEN = "QPushButton:disabled { border: 0px; }"
LINK = """
QPushButton { background: transparent; border: none; padding: 1px;
              text-decoration: underline; }
QPushButton:hover { background: rgba(128, 128, 128, 60); }
QPushButton:disabled { color: rgb(140, 140, 140); background: transparent; border: 0px; }
"""


class Text(QLabel):
    """A label that wraps its text and is hidden while empty.

    With ``lines`` it is as high as this many lines whatever it says, so that nothing below it
    moves.
    """

    def __init__(
        self, text: str = "", colour: str = "", small: bool = False, lines: int = 0
    ) -> None:
        super().__init__()
        self._lines = lines
        self.setWordWrap(True)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._colour, self._small = colour, small
        if colour or small:
            self.tint(colour)
        self.setText(tr(text))
        if lines:
            self.setAlignment(Qt.AlignmentFlag.AlignTop)
        elif not text:  # showing a label that has no parent yet would open a window
            self.hide()

    def say(self, text: str) -> None:
        text = tr(text)
        if text != self.text():
            self.setText(text)
        if not self._lines:
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
        kinds = QEvent.Type.StyleChange, QEvent.Type.FontChange
        if self._lines and event is not None and event.type() in kinds:
            self._keep_height()

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        if self._lines:
            self._keep_height()

    def _keep_height(self) -> None:
        height = self._lines * self.fontMetrics().lineSpacing() + PADDING
        if height != self.minimumHeight():
            self.setFixedHeight(height)


class ShortLabel(QLabel):
    """A label that is shortened in its middle where there is no room; its tooltip is whole."""

    def __init__(self) -> None:
        super().__init__()
        self._whole = ""
        self.setMinimumWidth(SHORTEST)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    @property
    def whole(self) -> str:
        """The text without shortening."""
        return self._whole

    def say(self, text: str, more: str = "") -> None:
        """Show a text; ``more`` follows in the tooltip."""
        self._whole = text
        self.setToolTip("\n".join(filter(None, (text, more))))
        self.setAccessibleName(text)
        self._fit()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        middle, room = Qt.TextElideMode.ElideMiddle, self.contentsRect().width()
        self.setText(self.fontMetrics().elidedText(self._whole, middle, room))


def readable(widget: QWidget, colour: str) -> str:
    """Return the shade of a colour that is readable on a widget's background."""
    # Judged by the surrounding text: a transparent background has no colour of its own.
    around = (widget.parentWidget() or widget).palette().color(QPalette.ColorRole.WindowText)
    return ON_LIGHT.get(colour, colour) if around.lightness() < 128 else colour


BEGUN = 0.03  # part of a bar that is filled before the first step is done


class Bar(QProgressBar):
    """A thin progress bar. A short, still piece shows that work has begun.

    Qt's own sign of that is a pulse, whose 30 frames a second each draw napari's whole window.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setTextVisible(False)
        self.setFixedHeight(8)
        self.setStyleSheet(f"QProgressBar::chunk {{ background: {BLUE}; }}")

    def advance(self, done: int, total: int) -> None:
        # QProgressBar repaints the whole window at once; without updates it waits its turn.
        self.setUpdatesEnabled(False)
        if done and total:
            self.setRange(0, total)
            self.setValue(done)
        else:
            self.setRange(0, 1000)
            self.setValue(round(1000 * BEGUN))
        self.setUpdatesEnabled(True)


def button(text: str, tip: str, act: Callable[[], Any], name: str = "") -> QPushButton:
    """Return a push button that calls ``act``."""
    made = QPushButton(tr(text))
    made.setStyleSheet(EVEN)
    made.setToolTip(tr(tip))
    made.setObjectName(name or text)
    made.clicked.connect(lambda *_: act())
    return made


def tool_button(text: str, tip: str, act: Callable[[], Any], name: str = "") -> QToolButton:
    """Return a small button that calls ``act``; screen readers call it ``name`` or its tooltip."""
    made = QToolButton()
    made.setText(tr(text))
    made.setToolTip(tr(tip))
    made.setAccessibleName(tr(name or tip))
    made.clicked.connect(lambda *_: act())
    return made


def check_box(text: str, tip: str) -> QCheckBox:
    """Return a check box."""
    made = QCheckBox(tr(text))
    made.setToolTip(tr(tip))
    return made


def combo(
    tip: str, choices: Iterable[tuple[str, Any]] | dict[Any, str] = (), name: str = ""
) -> QComboBox:
    """Return a combo box of any width, with pairs of text and value or a dict of value to text."""
    made = QComboBox()
    made.setToolTip(tr(tip))
    made.setAccessibleName(tr(name))
    made.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    if isinstance(choices, dict):
        choices = [(text, value) for value, text in choices.items()]
    offer(made, [(tr(text), value) for text, value in choices])
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
    made.setToolTip(tr(tip))
    made.setAccessibleName(tr(name))
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
    made.setPrefix(tr(before))
    made.setSuffix(tr(unit))
    made.setToolTip(tr(tip))
    if value is not None:
        made.setValue(value)
    if width is not None:
        slim(made, width)
    return made


def allow(widget: Any, reason: str) -> None:
    """Enable a control, or disable it and show why in its tooltip and to screen readers.

    Parameters
    ----------
    widget : QWidget
        The control. Its tooltip describes what it does.
    reason : str
        Why it is disabled; empty to enable it.
    """
    reason = tr(reason)
    tip, shown = widget.toolTip(), widget.property(WHY) or ""
    if shown:
        tip = tip.removeprefix(f"{shown}\n")
    widget.setEnabled(not reason)
    widget.setProperty(WHY, reason)
    text = f"{reason}\n{tip}" if reason else tip
    if text != widget.toolTip():
        widget.setToolTip(text)
        widget.setAccessibleDescription(text)


class _Calm(QObject):
    """Lets the wheel scroll past a control instead of changing it."""

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        if event is None or event.type() != QEvent.Type.Wheel or not isinstance(watched, QWidget):
            return False
        if watched.hasFocus() and not isinstance(watched, QComboBox | QTabBar):
            return False  # it was clicked into
        event.ignore()  # whereupon Qt offers it to the parent
        return True


_calm = _Calm()


def calm_wheel(root: QWidget) -> None:
    """Keep the wheel from changing controls that nobody has clicked into, here and below.

    Combo boxes and tabs never follow it.
    """
    for widget in (root, *root.findChildren(QWidget)):
        if isinstance(widget, CHANGED_BY_WHEEL) and not isinstance(widget, QScrollBar):
            widget.installEventFilter(_calm)  # installed again, it moves to the front
            if widget.focusPolicy() == Qt.FocusPolicy.WheelFocus:
                widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)


def name_for_readers(root: QWidget) -> None:
    """Name each field without text for screen readers, by the first line of its tooltip."""
    for widget in root.findChildren(QWidget):
        if isinstance(widget, FIELDS) and not widget.accessibleName():
            tip = widget.toolTip().removeprefix(f"{widget.property(WHY) or ''}\n")
            widget.setAccessibleName(tip.partition("\n")[0])


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


class ThumbnailView(QListView):
    """A list of thumbnails in rows, which draws only the visible ones.

    Parameters
    ----------
    name : str
        As read by screen readers.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(tr(name))
        self.setStyleSheet("QListView { background: transparent; padding: 0; }")

    def selected_rows(self) -> list[int]:
        return sorted(index.row() for index in self.selectedIndexes())

    def redraw(self) -> None:
        self.viewport().update()

    def changeEvent(self, event: QEvent | None) -> None:  # of the theme, for example
        super().changeEvent(event)
        self.redraw()
