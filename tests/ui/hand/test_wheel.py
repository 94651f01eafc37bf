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

from napari_pixcell.ui.arrange import Folds, More

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


def test_the_wheel_changes_no_control_and_scrolls_the_tab(ready, hand, press_on, settle) -> None:
    press_on(ready, ready.region.add_button)
    press_on(ready, ready.layout_.segmentation.segment_button)
    tabs, seen, scrolled = ready.tabs, set(), 0
    for index, page in enumerate(tabs.pages):
        hand.click(hand.tab(tabs.tabBar(), index))
        folds = page.findChildren(More)
        for unfolded in range(max(map(len, map(siblings, folds)), default=1)):
            for fold in folds:  # one of each row
                fold.button.setChecked(siblings(fold)[unfolded % len(siblings(fold))] is fold)
            settle(ready)
            found = [one for one in controls(page) if one not in seen]
            before = {control: value(control) for control in found}
            bar = page.verticalScrollBar()
            for control in found:
                page.ensureWidgetVisible(control)
                settle(ready)
                at, place = bar.value(), hand.place_of(control)
                hand.wheel(place, -1 if at < bar.maximum() else 1)
                scrolled += bar.value() != at
            assert {c.toolTip(): v for c, v in before.items() if v != value(c)} == {}
            seen.update(found)
    assert len(seen) > 40 and scrolled > len(seen) // 2
    bar = tabs.tabBar()
    hand.wheel(hand.tab(bar, 1), -1)
    assert tabs.currentIndex() == len(tabs.pages) - 1


def siblings(fold: More) -> tuple[More, ...]:
    """Return the folds of a fold's row, of which one is open at a time."""
    row = fold.parentWidget()
    return row.folds if isinstance(row, Folds) else (fold,)


def test_a_number_that_was_clicked_into_follows_the_wheel(ready, hand, press_on, settle) -> None:
    press_on(ready, ready.region.add_button)
    before = ready.session.settings.count
    press_on(ready, ready.generate.count)
    hand.wheel(ready.generate.count, 1)
    assert ready.session.settings.count == before + 1
