"""The wheel scrolls, wherever the mouse is; it changes nothing that was not clicked into."""

from __future__ import annotations

from qtpy.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QScrollBar,
    QTabBar,
    QWidget,
)

from napari_pixcell.ui.arrange import More

KINDS = (QAbstractSpinBox, QAbstractSlider, QComboBox, QTabBar)


def controls(root: QWidget) -> list[QWidget]:
    """Return the visible controls that Qt would change by the wheel."""
    found = [one for one in root.findChildren(QWidget) if isinstance(one, KINDS)]
    found = [one for one in found if not isinstance(one, QScrollBar)]
    return [one for one in found if one.isVisible() and one.isEnabled()]


def value(control: QWidget) -> object:
    match control:
        case QAbstractSpinBox():
            return control.text()
        case QAbstractSlider():
            return control.value()
        case _:
            return control.currentIndex()


def test_the_wheel_changes_no_control_and_scrolls_the_column(ready, hand, press_on, settle) -> None:
    press_on(ready, ready.region.add_button)
    press_on(ready, ready.layout_.segmentation.segment_button)
    for section in ready.sections:
        section.header.setChecked(True)
    for folded in ready.findChildren(More):
        folded.button.setChecked(True)
    settle(ready)
    found = controls(ready)
    before = {control: value(control) for control in found}
    assert len(found) > 25
    bar = ready.scroll.verticalScrollBar()
    scrolled = 0
    for control in found:
        if not control.isVisible():
            continue
        ready.scroll.ensureWidgetVisible(control)
        settle(ready)
        at, place = bar.value(), hand.place_of(control)
        hand.wheel(place, -1 if at < bar.maximum() else 1)
        scrolled += bar.value() != at
    after = {control: value(control) for control in found}
    assert {c.toolTip(): v for c, v in after.items() if v != before[c]} == {}
    assert scrolled > len(found) // 2


def test_a_number_that_was_clicked_into_follows_the_wheel(ready, hand, press_on, settle) -> None:
    press_on(ready, ready.region.add_button)
    ready.scroll.ensureWidgetVisible(ready.generate.count)
    settle(ready)
    before = ready.session.settings.count
    hand.click(ready.generate.count)
    hand.wheel(ready.generate.count, 1)
    assert ready.session.settings.count == before + 1
