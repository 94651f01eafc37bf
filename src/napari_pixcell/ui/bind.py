"""Two-way bindings between widgets and the fields of evented dataclasses."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

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
    found = weakref.ref(widget)

    def edited(*_: object) -> None:
        changed = found()
        if changed is not None:
            act(value_of(changed))

    _access(widget).changed.connect(edited)


def value_of(widget: Any) -> Any:
    """Return a widget's value; a decimal number is rounded to the digits that are shown."""
    return _access(widget).read()


def set_quietly(widget: Any, value: Any) -> None:
    """Set a widget's value without emitting its signals."""
    access = _access(widget)
    if isinstance(value, float):
        value = round(value, access.decimals) if access.decimals else round(value)
    if access.read() != value:
        with QSignalBlocker(widget):
            access.write(value)


class _Access(NamedTuple):
    changed: Any  # the signal of edits
    read: Callable[[], Any]
    write: Callable[[Any], Any]
    decimals: int = 0


def _access(widget: Any) -> _Access:
    if isinstance(widget, QAbstractButton):
        return _Access(widget.toggled, widget.isChecked, widget.setChecked)
    if isinstance(widget, QComboBox):
        return _Access(widget.currentIndexChanged, widget.currentData, partial(_choose, widget))
    if isinstance(widget, QLineEdit):
        return _Access(widget.textChanged, widget.text, partial(_set_text, widget))
    changed, write = widget.valueChanged, widget.setValue
    if not hasattr(widget, "decimals"):
        return _Access(changed, lambda: int(widget.value()), write)
    digits = widget.decimals()
    return _Access(changed, lambda: round(float(widget.value()), digits), write, digits)


def _choose(box: QComboBox, value: Any) -> None:
    box.setCurrentIndex(box.findData(value))


def _set_text(field: QLineEdit, text: str) -> None:
    field.setText(text)
    field.setCursorPosition(0)


def _same(value: Any) -> Any:
    return value
