"""Two-way bindings between widgets and the fields of evented dataclasses."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from qtpy.compat import isalive
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QAbstractButton, QComboBox, QLineEdit, QWidget


def bind(
    widget: QWidget,
    settings: Any,
    field: str,
    *,
    show: Callable[[Any], Any] | None = None,
    read: Callable[[Any], Any] | None = None,
    store: Callable[[Any], Any] | None = None,
) -> None:
    """Keep a widget and a field of an evented dataclass equal, for as long as the widget lives.

    The settings hold no reference to the widget, and a value that the settings pass to the widget
    is not sent back.

    Parameters
    ----------
    widget : QWidget
        A spin box, slider, line edit, check box, or a combo box with the values as item data.
    settings : object
        A dataclass with a ``psygnal.SignalGroupDescriptor`` named ``events``.
    field : str
        Name of the field.
    show, read : callable, optional
        Convert a value of the field for the widget, and back.
    store : callable, optional
        Called with the new value in place of the assignment to the field.
    """
    assign = store or partial(setattr, settings, field)
    binding = _Binding(weakref.ref(widget), settings, field, show or _same, read or _same, assign)
    binding.update()
    getattr(settings.events, field).connect(binding.update)  # psygnal holds methods weakly
    on_edit(widget, lambda value: binding.edited(value))  # Qt holds this, and with it the binding


@dataclass(eq=False)
class _Binding:
    widget: weakref.ref[QWidget]
    settings: Any
    field: str
    show: Callable[[Any], Any]
    read: Callable[[Any], Any]
    store: Callable[[Any], Any]

    def update(self, *_: object) -> None:
        widget = self.widget()
        if widget is not None and isalive(widget):
            set_quietly(widget, self.show(getattr(self.settings, self.field)))

    def edited(self, value: Any) -> None:
        self.store(self.read(value))


def on_edit(widget: Any, act: Callable[[Any], Any]) -> None:
    """Call ``act`` with the new value whenever the user edits a widget."""
    if isinstance(widget, QAbstractButton):
        signal = widget.toggled
    elif isinstance(widget, QComboBox):
        signal = widget.currentIndexChanged
    elif isinstance(widget, QLineEdit):
        signal = widget.textChanged
    else:
        signal = widget.valueChanged
    found = weakref.ref(widget)

    def edited(*_: object) -> None:
        edited_widget = found()
        if edited_widget is not None:
            act(value_of(edited_widget))

    signal.connect(edited)


def value_of(widget: Any) -> Any:
    """Return a widget's value; a decimal number is rounded to the digits that are shown."""
    if isinstance(widget, QAbstractButton):
        return widget.isChecked()
    if isinstance(widget, QComboBox):
        return widget.currentData()
    if isinstance(widget, QLineEdit):
        return widget.text()
    if hasattr(widget, "decimals"):
        return round(float(widget.value()), widget.decimals())
    return int(widget.value())


def set_quietly(widget: Any, value: Any) -> None:
    """Set a widget's value without emitting its signals."""
    if hasattr(widget, "decimals"):
        value = round(float(value), widget.decimals())
    elif isinstance(value, float):
        value = round(value)
    if value_of(widget) == value:
        return
    with QSignalBlocker(widget):
        if isinstance(widget, QAbstractButton):
            widget.setChecked(value)
        elif isinstance(widget, QComboBox):
            widget.setCurrentIndex(widget.findData(value))
        elif isinstance(widget, QLineEdit):
            widget.setText(value)
            widget.setCursorPosition(0)
        else:
            widget.setValue(value)


def _same(value: Any) -> Any:
    return value
