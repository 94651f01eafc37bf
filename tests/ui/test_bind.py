"""Widgets bound to the fields of evented dataclasses."""

from __future__ import annotations

import gc
import weakref
from dataclasses import dataclass
from typing import ClassVar

import pytest
from psygnal import SignalGroupDescriptor
from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QLineEdit, QSlider, QSpinBox
from superqt import QLabeledDoubleSlider

from napari_pixcell.ui.bind import bind, set_quietly, value_of
from napari_pixcell.ui.sections.form import Form, choice, flag, integer, text


@dataclass
class Options:
    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    steps: int = 20
    scale: float = 1.5
    name: str = "a"
    on: bool = False


def letters() -> QComboBox:
    box = QComboBox()
    for letter in "abc":
        box.addItem(letter.upper(), letter)
    return box


@pytest.mark.parametrize(
    ("make", "field", "value"),
    [
        (QSpinBox, "steps", 30),
        (QSlider, "steps", 30),
        (QDoubleSpinBox, "scale", 2.25),
        (QLabeledDoubleSlider, "scale", 2.25),
        (QLineEdit, "name", "b"),
        (letters, "name", "c"),
        (QCheckBox, "on", True),
    ],
)
def test_each_kind_of_widget_follows_its_field_and_changes_it(qapp, make, field, value) -> None:
    options, widget = Options(), make()
    before = getattr(options, field)
    bind(widget, options, field)
    assert value_of(widget) == before
    setattr(options, field, value)
    assert value_of(widget) == value
    set_quietly(widget, before)
    assert getattr(options, field) == value  # a quiet change is no edit
    setters = ("setCurrentIndex", "setChecked", "setText", "setValue")
    edit = next(getattr(widget, name) for name in setters if hasattr(widget, name))
    edit(widget.findData("b") if isinstance(widget, QComboBox) else value)
    assert getattr(options, field) == ("b" if isinstance(widget, QComboBox) else value)


def test_values_are_converted_and_stored_by_another_function(qapp) -> None:
    options, widget, stored = Options(), QSpinBox(), []
    bind(widget, options, "scale", show=lambda value: 2 * value, read=lambda value: value / 2)
    assert widget.value() == 3
    widget.setValue(7)
    assert options.scale == 3.5
    other = QSpinBox()
    bind(other, options, "steps", store=stored.append)
    other.setValue(9)
    assert stored == [9] and options.steps == 20


def test_an_edit_is_not_sent_back(qapp) -> None:
    options, widget, changes = Options(), QLabeledDoubleSlider(), []
    widget.setRange(0, 10)
    widget.setDecimals(2)
    bind(widget, options, "scale")
    options.events.scale.connect(lambda value: changes.append(value))
    widget.setValue(1.23456)
    assert changes == [1.23] and widget.value() == 1.23456


def test_settings_do_not_keep_a_widget_alive_and_outlive_it(qapp) -> None:
    options, widget = Options(), QSpinBox()
    bind(widget, options, "steps")
    gone = weakref.ref(widget)
    widget.deleteLater()
    del widget
    for _ in range(2):  # the widget, then what PyQt connected to it
        QCoreApplication.processEvents()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    gc.collect()
    options.steps = 5  # psygnal drops dead callbacks when it emits
    assert gone() is None and not len(options.events.steps)


def test_a_form_has_a_named_field_for_each_setting(qapp) -> None:
    options = Options()
    form = Form(
        options,
        {
            "name": choice("Letter", "Which letter", {"a": "first", "b": "second"}),
            "steps": integer("Steps", "How many", 1, 50, beside="name"),
            "on": flag("Switch on", "Whether it is on"),
        },
    )
    assert [form["name"].itemText(i) for i in range(2)] == ["First", "Second"]
    assert form["steps"].accessibleName() == "Steps" and form["steps"].toolTip() == "How many"
    form["steps"].setValue(99)
    form["on"].setChecked(True)
    assert options.steps == 50 and options.on
    changes: list[dict[str, str]] = []
    plain = Form(options, {"name": text("Name", "A name")}, lambda **new: changes.append(new))
    plain["name"].setText("c")
    assert changes == [{"name": "c"}] and options.name == "a"
    options.name = "b"
    plain.refresh()
    assert plain["name"].text() == "b" and len(changes) == 1
