"""Buttons with icons, drawn as lines in the colour of the text beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QByteArray, QEvent, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPalette, QPixmap
from qtpy.QtSvg import QSvgRenderer
from qtpy.QtWidgets import QToolButton

from napari_pixcell.ui.language import tr

SIDE, SHARP = 22, 2  # px of an icon, and pixels drawn for each
SMALL = 16  # px of an icon without text below
DIMMED = 110  # opacity of a disabled icon, of 255

STYLE = (
    "QToolButton { padding: 2px 0px 1px 0px; border-radius: 3px; border: none; font-size: 10px;"
    " background: rgba(128, 128, 128, 40); }"
    "QToolButton:hover { background: rgba(128, 128, 128, 90); }"
    "QToolButton:checked { background: #2f6fdf; color: white; }"
    "QToolButton:disabled { color: rgb(128, 128, 128); background: rgba(128, 128, 128, 20); }"
)

# Contents of an SVG of 24 × 24, stroked but not filled unless stated.
DRAWINGS = {
    "select": '<path d="M6 3l12 9-6 1 3.5 6.5-2.5 1.5-3.5-6.5L6 18z"/>',
    "paint": '<path d="M20 3l-9.5 10"/><path d="M10.5 13c-3-1-5 1-5 3.5S4 20 3 20.5'
    'c3.5 1.5 9 .5 9-4 0-1.5-.5-3-1.5-3.5z" fill="{colour}"/>',
    "outline": '<path d="M12 4c5-1 9 3 8 8s-4 8-9 8-8-4-7-9 4-6.5 8-7z" '
    'stroke-dasharray="3.5 2.5"/>'
    '<path d="M9.5 10.5l7 4-3 1-1 3z" fill="{colour}" stroke-width="1"/>',
    "stamp": '<ellipse cx="7" cy="8" rx="4" ry="3" fill="{colour}"/>'
    '<ellipse cx="17" cy="7" rx="2.5" ry="3.5" fill="{colour}"/>'
    '<ellipse cx="16.5" cy="17" rx="4" ry="3" fill="{colour}"/>'
    '<ellipse cx="6.5" cy="17" rx="2.5" ry="3" fill="{colour}"/>',
    "erase": '<path d="M9 20l-5.5-5.5a1.5 1.5 0 0 1 0-2L12 4a1.5 1.5 0 0 1 2 0l6 6'
    'a1.5 1.5 0 0 1 0 2l-8 8zM8 8.5l8 8M9 20h12"/>',
    "split": '<path d="M10 5a8 8 0 0 0-1 14M14 5a8 8 0 0 1 1 14"/>'
    '<path d="M12 2v20" stroke-dasharray="2.5 2.5"/>',
    "fill": '<circle cx="12" cy="12" r="8.5"/><circle cx="12" cy="12" r="4" fill="{colour}"/>',
    "undo": '<path d="M8 4L4 8l4 4M4 8h10a6 6 0 0 1 0 12H8"/>',
    "redo": '<path d="M16 4l4 4-4 4M20 8H10a6 6 0 0 0 0 12h6"/>',
    "merge": '<circle cx="8.5" cy="12" r="5.5"/><circle cx="15.5" cy="12" r="5.5"/>'
    '<path d="M12 8.5v7" stroke-width="3"/>',
    "delete": '<path d="M4 7h16M9.5 7V4h5v3M6.5 7l1 13h9l1-13M10.5 11v5.5M13.5 11v5.5"/>',
    "shrink": '<circle cx="12" cy="12" r="8.5" stroke-dasharray="2.5 2.5"/>'
    '<circle cx="12" cy="12" r="4.5"/>',
    "grow": '<circle cx="12" cy="12" r="8.5"/><circle cx="12" cy="12" r="4.5" '
    'stroke-dasharray="2.5 2.5"/>',
    "die": '<rect x="4" y="4" width="16" height="16" rx="3"/>'
    '<circle cx="8.5" cy="8.5" r="1.2" fill="{colour}"/>'
    '<circle cx="15.5" cy="8.5" r="1.2" fill="{colour}"/>'
    '<circle cx="12" cy="12" r="1.2" fill="{colour}"/>'
    '<circle cx="8.5" cy="15.5" r="1.2" fill="{colour}"/>'
    '<circle cx="15.5" cy="15.5" r="1.2" fill="{colour}"/>',
    "lock": '<rect x="5" y="11" width="14" height="9" rx="2"/><path d="M8 11V8a4 4 0 0 1 8 0v3"/>',
    "filled": '<circle cx="12" cy="12" r="8"/><path d="M12 4a8 8 0 0 1 0 16z" fill="{colour}"/>',
}


class IconButton(QToolButton):
    """A tool button with one of ``DRAWINGS``, redrawn when napari's theme changes."""

    def __init__(self, drawing: str) -> None:
        super().__init__()
        self._drawing, self._drawn_in = drawing, ""

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        kinds = QEvent.Type.StyleChange, QEvent.Type.PaletteChange
        if event is not None and event.type() in kinds:
            self._draw()

    def showEvent(self, event: QEvent | None) -> None:
        super().showEvent(event)
        self._draw()

    def _draw(self) -> None:
        # Of the surroundings: the button's own colour differs while it is checked or disabled.
        around = self.parentWidget() or self
        colour = around.palette().color(QPalette.ColorRole.WindowText)
        if colour.name() != self._drawn_in:
            self._drawn_in = colour.name()
            self.setIcon(tool_icon(self._drawing, colour))


def icon_button(
    drawing: str,
    words: str,
    tip: str,
    act: Callable[[], Any] | None = None,
    checkable: bool = False,
) -> IconButton:
    """Return a small button without text; screen readers call it ``words``."""
    made = IconButton(drawing)
    made.setToolTip(tr(tip))
    made.setAccessibleName(tr(words))
    made.setCheckable(checkable)
    made.setIconSize(QSize(SMALL, SMALL))
    made.setStyleSheet(STYLE)
    if act is not None:
        made.clicked.connect(lambda *_: act())
    return made


def tool_icon(drawing: str, colour: QColor) -> QIcon:
    """Return the icon of one of ``DRAWINGS``: in a colour, dimmed if disabled, white if checked."""
    dimmed = QColor(colour)
    dimmed.setAlpha(DIMMED)
    icon = QIcon()
    for shade, mode, state in (
        (colour, QIcon.Mode.Normal, QIcon.State.Off),
        (QColor("white"), QIcon.Mode.Normal, QIcon.State.On),
        (dimmed, QIcon.Mode.Disabled, QIcon.State.Off),
        (dimmed, QIcon.Mode.Disabled, QIcon.State.On),
    ):
        icon.addPixmap(_pixmap(drawing, shade), mode, state)
    return icon


def _pixmap(drawing: str, colour: QColor) -> QPixmap:
    content = DRAWINGS[drawing].format(colour=colour.name())
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24">'
        f'<g fill="none" stroke="{colour.name()}" stroke-opacity="{colour.alphaF():.2f}" '
        f'fill-opacity="{colour.alphaF():.2f}" stroke-width="1.8" stroke-linecap="round" '
        f'stroke-linejoin="round">{content}</g></svg>'
    )
    made = QPixmap(SIDE * SHARP, SIDE * SHARP)
    made.fill(Qt.GlobalColor.transparent)
    painter = QPainter(made)
    QSvgRenderer(QByteArray(svg.encode())).render(painter, QRectF(made.rect()))
    painter.end()
    made.setDevicePixelRatio(SHARP)
    return made
