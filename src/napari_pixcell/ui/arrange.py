"""Rows, columns, grids and folds of widgets, and timers; nothing here knows the session."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from qtpy.QtCore import QObject, QPoint, QSize, Qt, QTimer
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QBoxLayout,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLayout,
    QMenu,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_pixcell.ui.language import tr

ARROW = QSize(11, 11)  # small, so that four of them fit side by side


class More(QWidget):
    """Advanced fields that fold away under an arrow."""

    def __init__(self, title: str, tip: str = "") -> None:
        super().__init__()
        self.button = QToolButton()
        self.button.setText(tr(title))
        self.button.setToolTip(tr(tip))
        self.button.setCheckable(True)
        self.button.setIconSize(ARROW)
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setStyleSheet("QToolButton { border: none; background: transparent; }")
        self.body = QWidget()
        self.content = QVBoxLayout(self.body)
        self.content.setContentsMargins(12, 2, 0, 2)
        column(self, self.button, self.body)
        fold(self.button, self.body, False)

    def stack(self, *widgets: QWidget | QLayout) -> None:
        """Add widgets or layouts below each other."""
        _fill(self.content, widgets)


class Folds(QWidget):
    """Several :class:`More` side by side under one line of arrows, of which one is unfolded."""

    def __init__(self, *folds: More) -> None:
        super().__init__()
        self.folds = folds
        line = row(*(one.button for one in folds))
        line.addStretch(1)
        line.setSpacing(0)
        column(self, line, *folds, spacing=0)
        for one in folds:
            one.content.setContentsMargins(4, 2, 0, 2)
            one.button.toggled.connect(partial(self._fold_others, one))

    def _fold_others(self, unfolded: More, on: bool) -> None:
        if on:
            for one in self.folds:
                if one is not unfolded:
                    one.button.setChecked(False)


def fold(header: QToolButton, body: QWidget, opened: bool) -> None:
    """Let a header fold and unfold ``body``."""

    def show(unfolded: bool) -> None:
        header.setArrowType(Qt.ArrowType.DownArrow if unfolded else Qt.ArrowType.RightArrow)
        body.setVisible(unfolded)

    header.setChecked(opened)
    show(opened)
    header.toggled.connect(show)


def row(*widgets: QWidget | QLayout, stretch: int | Iterable[int] = ()) -> QHBoxLayout:
    """Return a layout of widgets side by side; those at ``stretch`` share the spare width."""
    layout = QHBoxLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(5)
    _fill(layout, widgets)
    for index in [stretch] if isinstance(stretch, int) else stretch:
        layout.setStretch(index, 1)
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
    return boxed(row(QLabel(tr(label)), field, stretch=1))


def field_grid(*lines: tuple[str | QWidget, QWidget]) -> QGridLayout:
    """Return a grid with a label and a field in each line."""
    grid = tight_grid(None)
    for index, (label, field) in enumerate(lines):
        grid.addWidget(QLabel(tr(label)) if isinstance(label, str) else label, index, 0)
        grid.addWidget(field, index, 1)
    grid.setColumnStretch(1, 1)
    return grid


def tight_grid(parent: QWidget | None, spacing: int = 3) -> QGridLayout:
    """Return an empty grid without margins, installed on ``parent`` if there is one."""
    grid = QGridLayout() if parent is None else QGridLayout(parent)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setSpacing(spacing)
    return grid


def scrolled(content: QWidget) -> QScrollArea:
    """Return a frameless area in which ``content`` scrolls up and down."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(content)
    return area


def single_shot(parent: QObject, milliseconds: int, act: Callable[[], Any]) -> QTimer:
    """Return a timer that calls ``act`` once after each start."""
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.timeout.connect(act)
    return timer


def slim(field: QAbstractSpinBox, width: int) -> None:
    """Let a spin box shrink to ``width`` px, 40 of them its buttons; napari's theme needs 90."""
    field.setStyleSheet(f"QAbstractSpinBox {{ min-width: {width}px; padding: 1px 0px; }}")


def keep_room(*widgets: QWidget) -> None:
    """Let widgets take up their room while they are hidden, so that nothing beside them moves."""
    for widget in widgets:
        policy: QSizePolicy = widget.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        widget.setSizePolicy(policy)


def pop_up(menu: QMenu, place: QPoint) -> None:
    """Show a menu at a place of the screen; it is deleted once it is closed."""
    menu.aboutToHide.connect(menu.deleteLater)
    menu.popup(place)


def show_all(visible: bool, *widgets: QWidget) -> None:
    """Show or hide several widgets."""
    for widget in widgets:
        widget.setVisible(visible)


def clear(layout: QLayout) -> None:
    """Delete all widgets of a layout."""
    while layout.count():
        item = layout.takeAt(0)
        if item is not None and item.widget() is not None:
            item.widget().hide()
            item.widget().deleteLater()
