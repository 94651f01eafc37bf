"""What screen readers are told: each control has a name and a role of its own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QScrollArea,
    QScrollBar,
    QTabBar,
    QTabWidget,
    QWidget,
)

from napari_pixcell.ui.arrange import Folds
from napari_pixcell.ui.dock import PixCellStudio
from napari_pixcell.ui.model_manager import ModelManager
from napari_pixcell.ui.review.dock import ReviewPairs
from napari_pixcell.ui.sections.training import TrainingDialog
from napari_pixcell.ui.widgets import WHY

# Qt knows the roles of these and of their subclasses.
WITH_TEXT = QLabel, QPlainTextEdit, QScrollArea, QTabWidget
WITH_ROLES = (
    *(QAbstractButton, QAbstractItemView, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit),
    *(QTabBar, *WITH_TEXT),
)
INNER = QAbstractSpinBox, QComboBox, QAbstractSlider, QAbstractItemView


def reached(root: QWidget) -> Iterator[QWidget]:
    """Iterate over the visible widgets that the Tab key reaches, not over their inner parts."""
    for widget in root.findChildren(QWidget):
        inside = isinstance(widget.parentWidget(), INNER)
        tabbed = widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        if tabbed and widget.isVisible() and not inside and not isinstance(widget, QScrollBar):
            yield widget


def name(widget: QWidget) -> str:
    """Return the name that Qt tells a screen reader: the one set, or the text of a button."""
    if not widget.accessibleName() and isinstance(widget, QAbstractButton):
        return widget.text().replace("&", "")
    return widget.accessibleName()


def faults(root: QWidget) -> list[str]:
    """Return what a screen reader could not name, or whose role it could not tell."""
    found = []
    for widget in reached(root):
        said = f"{type(widget).__name__} {widget.objectName()!r} {widget.toolTip()[:40]!r}"
        if not isinstance(widget, WITH_ROLES):
            found.append(f"{said} has no role")
        elif not isinstance(widget, WITH_TEXT) and not re.search(r"\w{2}", name(widget)):
            found.append(f"{said} has no name: {name(widget)!r}")
    return found


def doubles(root: QWidget) -> list[str]:
    """Return the names that several controls of one kind share."""
    counted = Counter((type(one), name(one)) for one in reached(root))
    return [words for (_, words), count in counted.items() if count > 1]


@pytest.fixture
def shown(ready: PixCellStudio, client, settle, press) -> PixCellStudio:
    """The studio with variants, and every section unfolded."""
    press(ready.footer.guide_button)
    press(ready.footer.guide_button)
    press(ready.footer.generate_button)
    client.play()
    settle(ready)
    for section in ready.sections:
        section.header.setChecked(True)
    return ready


def test_each_control_of_the_studio_has_a_name_and_a_role(shown, settle) -> None:
    found, seen = {}, set()
    rows = shown.findChildren(Folds)
    for index in range(shown.tabs.count()):
        shown.tabs.setCurrentIndex(index)
        for place in range(max(len(row.folds) for row in rows)):
            for row in rows:
                row.folds[min(place, len(row.folds) - 1)].button.setChecked(True)
            settle(shown)
            seen.update(map(id, reached(shown)))
            if lines := faults(shown):
                found[index, place] = lines
            if lines := doubles(shown.tabs.page(index)):
                found[index, place, "twice"] = lines
    assert not found, str(found)
    assert len(seen) > 60
    assert not faults(shown.results)
    assert len(list(reached(shown.results))) > 3


def test_each_control_of_a_dialog_has_a_name(shown, viewer) -> None:
    made = [ModelManager(shown.session, shown), TrainingDialog(shown.session, shown)]
    for dialog in made:
        dialog.show()
        assert list(reached(dialog))
        assert not faults(dialog)
        dialog.close()


def test_each_control_of_the_review_has_a_name(viewer, qtbot) -> None:
    review = ReviewPairs(viewer)
    viewer.window.add_dock_widget(review, name="Review pairs")
    qtbot.waitUntil(review.isVisible)
    assert list(reached(review))
    assert not faults(review)


def test_a_disabled_control_says_why(shown) -> None:
    """The reason is read out, since a disabled control is explained nowhere else."""
    disabled = [one for one in reached(shown) if not one.isEnabled() and one.property(WHY)]
    assert disabled
    assert all(one.property(WHY) in one.accessibleDescription() for one in disabled)


def test_a_message_can_be_read(shown, settle) -> None:
    shown.session.notices.say("slide", "The disk is full. Free some space.")
    settle(shown)
    said = [one for one in shown.findChildren(QLabel) if one.isVisible()]
    assert "The disk is full. Free some space." in [one.text() for one in said]
