"""Reasons for disabled controls, names for screen readers, and a clean teardown."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import psutil
import pytest
from pictures import tissue
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QScrollBar,
    QWidget,
)
from scripted import ScriptedClient

from napari_pixcell.engine.events import Progress
from napari_pixcell.slides import ArraySlide
from napari_pixcell.ui.arrange import More
from napari_pixcell.ui.dock import PixCellStudio
from napari_pixcell.ui.key_table import KEYS, TABLE
from napari_pixcell.ui.widgets import WHY, Bar

CONTROLS = (QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit)


def controls(studio: PixCellStudio) -> list[QWidget]:
    """Return all visible controls, without the inner parts of fields."""
    fields = (QAbstractSpinBox, QAbstractSlider, QComboBox)
    return [
        widget
        for widget in studio.findChildren(QWidget)
        if isinstance(widget, CONTROLS)
        and widget.isVisible()
        and not isinstance(widget, QScrollBar)
        and not isinstance(widget.parent(), (*fields, QLineEdit))
        and not type(widget.parent()).__name__.startswith(("QLabeled", "_"))
        and not widget.objectName().startswith("qt_")
    ]


def unfold(studio: PixCellStudio, qtbot) -> None:
    for folded in studio.findChildren(More):
        folded.button.setChecked(True)
    qtbot.wait(60)


def check(studio: PixCellStudio) -> int:
    """Check that each disabled control states a reason, and return their number."""
    off = [widget for widget in controls(studio) if not widget.isEnabled()]
    silent = [
        f"{type(widget).__name__} {widget.objectName() or widget.toolTip()}"
        for widget in off
        if not widget.property(WHY) or not widget.toolTip().startswith(widget.property(WHY))
    ]
    assert not silent
    return len(off)


def test_disabled_controls_state_a_reason_until_it_is_gone(ready, client, qtbot, settle) -> None:
    session = ready.session
    unfold(ready, qtbot)
    assert check(ready) > 10
    tip = ready.layout_.segmentation.segment_button.toolTip()
    assert tip.startswith("Add a region first\n")
    session.regions.add((400, 400))
    settle(ready)
    check(ready)
    assert "first" not in ready.layout_.segmentation.segment_button.toolTip()
    session.layouts.new()
    settle(ready)
    check(ready)
    session.layouts.set(session.regions.active.number, None)
    session.generator.generate()
    settle(ready)
    client.waiting[0][1](Progress(3, 80, "Variant 1 of 4"))
    settle(ready)
    check(ready)
    session.cancel()
    settle(ready)
    session.settings.use_family("pixcell-256")
    qtbot.wait(60)
    check(ready)
    assert "takes no layout" in ready.layout_.import_button.toolTip()


def test_a_screen_reader_can_name_every_control(ready, qtbot, settle) -> None:
    ready.session.regions.add((400, 400))
    settle(ready)
    ready.session.layouts.new()
    unfold(ready, qtbot)
    nameless = [
        f"{type(widget).__name__} in {type(widget.parent()).__name__}"
        for widget in controls(ready)
        if not (
            widget.accessibleName()
            or widget.toolTip()
            or (isinstance(widget, QAbstractButton) and any(c.isalpha() for c in widget.text()))
        )
    ]
    assert not nameless


def test_help_lists_the_keys_while_the_studio_is_open(ready, viewer, qtbot) -> None:
    def entries() -> dict:
        return {action.text(): action for action in viewer.window.help_menu.actions()}

    entries()[KEYS].trigger()
    (window,) = (w for w in QApplication.topLevelWidgets() if w.windowTitle() == KEYS)
    words = window.findChild(QLabel).text()
    assert all(entry.words in words for entry in TABLE)
    window.close()
    ready.close_session()
    assert KEYS not in entries()


def test_a_region_that_was_removed_comes_back_with_its_cells(
    ready, viewer, client, settle, press
) -> None:
    session = ready.session
    item = session.regions.add((400, 400))
    session.regions.rename(item.number, "Tumour")
    settle(ready)
    labels = np.zeros((256, 256), np.int32)
    labels[20:40, 20:40] = 3
    session.layouts.set(item.number, labels, "painted")
    settle(ready)
    session.regions.remove(item.number)
    settle(ready)
    assert ready.link.find("layout", item.number) is None and not session.regions.current
    assert ready.region.note.text() == "Tumour was removed."
    assert ready.region.action.isVisible() and ready.region.action.text() == "Restore region"
    press(ready.region.action)
    assert session.regions.active is item and item.embedding is not None and item.cells == 1
    np.testing.assert_array_equal(ready.link.find("layout", item.number).data, labels)
    assert not ready.region.note.isVisible() and not ready.region.action.isVisible()
    assert not session.generator.why_not()


@pytest.fixture
def listeners(viewer):
    """Return a function that counts the listeners of the viewer."""

    def count() -> int:
        groups = (
            viewer.layers.events,
            viewer.layers.selection.events,
            viewer.scene.camera.events,
            viewer.dims.events,
            viewer.scene.overlays,
            viewer.events,
            viewer.layers[0].events,
        )
        emitters = [e for g in groups for e in getattr(g, "emitters", {}).values()]
        return sum(len(emitter.callbacks) for emitter in emitters)

    return count


def test_eight_docks_leave_nothing_behind(viewer, qtbot, settle, listeners) -> None:
    def once() -> weakref.ref:
        client = ScriptedClient()
        studio = PixCellStudio(viewer, client)
        dock = viewer.window.add_dock_widget(studio, name="PixCell studio")
        settle(studio)
        assert studio.session.slides.current is not None
        viewer.window.remove_dock_widget(dock)
        qtbot.waitUntil(lambda: client.closed, timeout=10_000)
        studio.deleteLater()
        return weakref.ref(studio.session)

    picture = ArraySlide([tissue(800)], 0.5, "case 7")
    first = PixCellStudio(viewer, ScriptedClient())
    first.link.add_slide(picture)
    first.close_session()
    first.deleteLater()
    once()  # what is made once for good is made now
    qtbot.wait(100)
    gc.collect()
    threads, kept = threading.active_count(), listeners()
    widgets = len(QApplication.allWidgets())
    children = len(psutil.Process().children(recursive=True))
    keys = set(viewer.keymap)
    sessions = [once() for _ in range(7)]
    for _ in range(5):
        qtbot.wait(50)
        gc.collect()
    assert listeners() == kept
    assert set(viewer.keymap) == keys
    assert threading.active_count() <= threads
    assert len(psutil.Process().children(recursive=True)) == children
    assert len(QApplication.allWidgets()) - widgets < 20
    assert sum(ref() is not None for ref in sessions) <= 1
    assert np.isfinite(viewer.layers[0].scale).all()  # the slide itself stays


def test_a_bar_shows_that_work_has_begun_without_moving(qtbot) -> None:
    bar = Bar()
    qtbot.addWidget(bar)
    for done, total in ((0, 0), (0, 20)):
        bar.advance(done, total)
        assert 0 < bar.value() < bar.maximum() / 10  # Qt moves a bar whose range is empty
    bar.advance(3, 20)
    assert (bar.value(), bar.maximum()) == (3, 20)
