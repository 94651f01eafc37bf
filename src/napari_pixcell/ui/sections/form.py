"""Plain forms, made by magicgui: one labelled field for each setting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from magicgui.widgets import Widget, create_widget
from qtpy.QtWidgets import QAbstractSpinBox, QComboBox, QGridLayout, QLabel, QSizePolicy, QWidget

from napari_pixcell.ui.arrange import show_all, slim
from napari_pixcell.ui.bind import bind, on_edit, set_quietly
from napari_pixcell.ui.language import tr

NARROW = 74  # px of a spin box
Options = dict[str, Any]  # of magicgui.widgets.create_widget, and those that Form takes out


def text(label: str, tip: str, placeholder: str = "") -> Options:
    """Return the options of a line of text."""
    return {"label": label, "tooltip": tip, "placeholder": placeholder}


def integer(label: str, tip: str, low: int, high: int, beside: str = "") -> Options:
    """Return the options of an integer; with ``beside`` it shares the line of that field."""
    return {"label": label, "tooltip": tip, "min": low, "max": high, "beside": beside}


def choice(label: str, tip: str, choices: Mapping[str, str]) -> Options:
    """Return the options of a choice, from a mapping of values to their texts."""
    shown = [(words[:1].upper() + words[1:], value) for value, words in choices.items()]
    return {"label": label, "tooltip": tip, "choices": shown}


def flag(words: str, tip: str) -> Options:
    """Return the options of a check box."""
    return {"text": words, "tooltip": tip}


class Form(QWidget):
    """A form for some fields of an object.

    Parameters
    ----------
    settings : object
        The object with the fields. magicgui chooses each widget by the type of the field's value.
    fields : mapping of str to dict
        What :func:`text`, :func:`integer`, :func:`choice` or :func:`flag` returned for each.
    change : callable, optional
        Called with the changed field as a keyword argument. Without it ``settings`` is an evented
        dataclass, and the fields are bound to it.
    """

    def __init__(
        self, settings: Any, fields: Mapping[str, Options], change: Callable[..., Any] | None = None
    ) -> None:
        super().__init__()
        self._settings = settings
        self._made: dict[str, Widget] = {}
        self._labels: dict[str, QLabel] = {}
        self._lines: dict[str, int] = {}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(3)
        self._grid.setColumnStretch(1, 1)
        shared = {options.get("beside") for options in fields.values()}
        for name, options in fields.items():
            self._add(name, options.copy(), 1 if name in shared else 2)
            if change is None:
                bind(self[name], settings, name)
            else:
                on_edit(self[name], partial(_pass_on, change, name))

    def __getitem__(self, name: str) -> Any:
        return self._made[name].native

    def show_field(self, name: str, visible: bool) -> None:
        show_all(visible, self[name], *filter(None, [self._labels.get(name)]))

    def refresh(self) -> None:
        """Show the values of an object that is not evented."""
        for name in self._made:
            set_quietly(self[name], getattr(self._settings, name))

    def _add(self, name: str, options: Options, span: int) -> None:
        beside, label = options.pop("beside", ""), options.pop("label", "")
        placeholder = options.pop("placeholder", "")
        for key in ("text", "tooltip"):
            if key in options:
                options[key] = tr(options[key])
        if "choices" in options:
            options["choices"] = [(tr(words), value) for words, value in options["choices"]]
        made = create_widget(getattr(self._settings, name), name=name, options=options)
        field = made.native
        field.setObjectName(name)
        field.setAccessibleName(tr(label))
        if placeholder:
            field.setPlaceholderText(tr(placeholder))
        if isinstance(field, QAbstractSpinBox):
            slim(field, NARROW)
        if isinstance(field, QComboBox):
            field.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        line = self._lines[beside] if beside else len(set(self._lines.values()))
        self._made[name], self._lines[name] = made, line
        if beside:
            self._grid.addWidget(field, line, 2)
        elif not label:  # a check box has its own text
            self._grid.addWidget(field, line, 0, 1, 3)
        else:
            self._labels[name] = QLabel(tr(label))
            self._grid.addWidget(self._labels[name], line, 0)
            self._grid.addWidget(field, line, 1, 1, span)


def _pass_on(change: Callable[..., Any], name: str, value: Any) -> None:
    change(**{name: value})
