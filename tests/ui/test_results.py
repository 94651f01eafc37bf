"""The results in a napari window: clicks, keys, the divider and the menu."""

from __future__ import annotations

import json

import napari
import numpy as np
import pytest
from napari.layers import Image
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog

from napari_pixcell.engine.events import Preview
from napari_pixcell.ui.demo import click
from napari_pixcell.ui.key_table import TABLE, key_list
from napari_pixcell.ui.layers.slide import role
from napari_pixcell.ui.results.panel import result_menu
from napari_pixcell.ui.results.strip import CELL, STAR

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
NONE, CTRL = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def made(ready, client, qtbot, settle):
    """The studio with four variants of Region 1, the first of them visible."""
    ready.session.regions.add((400, 400))
    settle(ready)
    ready.session.generator.generate()
    settle(ready)
    client.play()
    settle(ready)
    return ready


def press(studio, number: int, modifier=NONE, button=LEFT) -> None:
    """Click the thumbnail of a variant."""
    strip = studio.results.strip
    QTest.mouseClick(strip.viewport(), button, modifier, strip.centre_of(number))


def key(viewer: napari.Viewer, code: Qt.Key, act=QTest.keyClick) -> None:
    """Send a key to the canvas."""
    act(viewer.window._qt_viewer.canvas.native, code)


def shown(studio) -> list[int]:
    return [r.number for r in studio.session.gallery.results if r.shown]


def pictures(viewer: napari.Viewer) -> list[Image]:
    """Return the layers of starred variants and the shared layer."""
    return [layer for layer in viewer.layers if role(layer) in ("variant", "preview")]


def menu_of(studio, *numbers: int) -> dict:
    results = [studio.session.gallery.get(number) for number in numbers]
    menu = result_menu(studio.results, studio.session, results)
    return {action.text(): action for action in menu.actions() if action.text()}


def test_a_starred_variant_has_its_own_layer(made, viewer, qtbot) -> None:
    strip, gallery = made.results.strip, made.session.gallery
    (shared,) = pictures(viewer)
    place = strip.centre_of(2)
    QTest.mouseClick(strip.viewport(), LEFT, NONE, place)
    QTest.mouseDClick(strip.viewport(), LEFT, NONE, place)
    kept = made.link.find("variant", 2)
    assert kept.name == "Synthetic · Region 1 · seed 1235" and kept.visible
    assert kept.metadata["record"]["request"]["seed"] == 1235
    assert pictures(viewer) == [kept, shared] and not shared.visible
    qtbot.wait(60)
    assert made.results.count.text() == "4 variants, 1 ★"
    assert made.export.export_button.text() == "Export 1 starred image…"
    starred_only = made.export.starred_only
    made.tabs.bring(starred_only)
    click(starred_only, QPoint(8, starred_only.height() // 2))
    assert made.export.export_button.text() == "Export 4 images…"
    corner = strip.visualRect(strip.model_.index(strip.model_.row_of(2))).topLeft()
    QTest.mouseClick(strip.viewport(), LEFT, NONE, corner + STAR.center())
    assert pictures(viewer) == [shared] and not gallery.kept
    assert shared.visible and shared.data is gallery.results[1].image

    press(made, 1)
    gallery.star(gallery.results[:2])
    kept = made.link.find("variant", 1)
    kept.name = "my favourite"
    kept.visible = False
    assert shown(made) == []
    kept.visible = True
    assert shown(made) == [1] and gallery.looked is gallery.results[0]
    press(made, 2)
    assert not kept.visible and made.link.find("variant", 2).visible
    viewer.layers.remove(kept)
    qtbot.wait(60)
    assert [result.number for result in gallery.kept] == [2]
    press(made, 1)
    (shared,) = [layer for layer in pictures(viewer) if role(layer) == "preview"]
    assert shared.visible and shared.data is gallery.results[0].image


def test_previews_variants_on_disk_and_a_long_strip(
    made, client, qtbot, settle, monkeypatch
) -> None:
    made.session.generator.generate()
    settle(made)
    tell = client.waiting[0][1]
    tell(Preview(0, np.full((32, 32, 3), 7, np.uint8)))
    settle(made)
    shared = made.link.find("preview")
    assert shared.data.max() == 7 and shared.visible
    made.session.gallery.star(made.session.gallery.results[:1])
    assert shared.data.max() == 7 and shared.visible  # no other variant was selected
    made.session.gallery.star(made.session.gallery.results[:1], on=False)
    press(made, 3)
    tell(Preview(0, np.full((32, 32, 3), 9, np.uint8)))
    settle(made)
    assert shared.data is made.session.gallery.results[2].image
    client.play()
    settle(made)
    assert made.link.find("preview") is shared
    made.session.generator.generate()
    settle(made)
    for value, visible in ((7, True), (9, False)):
        client.waiting[0][1](Preview(0, np.full((32, 32, 3), value, np.uint8)))
        settle(made)
        assert shared.visible == visible
        shared.visible = False
    client.play()
    settle(made)
    assert shared.visible  # a finished variant, although its preview was hidden

    monkeypatch.setenv("PIXCELL_RESULTS_MB", "0.4")  # two images
    press(made, 4)
    settle(made)
    results = made.session.gallery.results
    assert sum(result.memory is not None for result in results) <= 3
    assert results[1].memory is None
    press(made, 2)
    settle(made)
    shared = made.link.find("preview")
    assert shared.visible and (shared.data == 1235 % 251).all()

    strip = made.results.strip
    for _ in range(3):
        made.session.settings.count = 9
        made.session.generator.generate()
        settle(made)
        client.play()
        settle(made)
    assert made.results.count.text() == "39 variants"
    assert CELL.height() <= strip.viewport().height() < 2 * CELL.height()  # one row
    assert strip.horizontalScrollBar().maximum() > 0
    assert strip.verticalScrollBar().maximum() == 0
    jobs = [cell.result.job for cell in strip.model_.cells]
    assert jobs == sorted(jobs, reverse=True)
    assert [cell.kind for cell in strip.model_.cells].count("title") == 6
    press(made, 1)  # scrolled to
    settle(made)
    assert shown(made) == [1]


def test_keys_show_and_star_variants_but_never_capture_typing(made, viewer) -> None:
    for layer in ("case 7", "Regions"):
        viewer.layers.selection.active = viewer.layers[layer]
        for code, number in ((Qt.Key.Key_3, 3), (Qt.Key.Key_1, 1), (Qt.Key.Key_2, 2)):
            key(viewer, code)
            assert shown(made) == [number]
        key(viewer, Qt.Key.Key_9)  # no such variant
        assert shown(made) == [2]
        key(viewer, Qt.Key.Key_0)
        assert shown(made) == []
    press(made, 1)
    viewer.layers.selection.active = viewer.layers["Regions"]
    key(viewer, Qt.Key.Key_S)
    assert [result.number for result in made.session.gallery.kept] == [1]
    viewer.layers.selection.active = made.link.find("variant", 1)
    key(viewer, Qt.Key.Key_S)
    assert not made.session.gallery.kept and made.link.find("variant", 1) is None

    field = made.export.name
    field.setFocus()
    field.clear()
    QTest.keyClicks(field, "GHS 12")
    assert field.text() == "GHS 12" and made.session.exporter.name == "GHS 12"
    assert shown(made) == [1] and not made.session.gallery.kept

    slide = viewer.layers["case 7"]
    viewer.layers.selection.active = slide
    assert slide.keymap and len(viewer.keymap) >= 14
    made.close_session()
    assert not slide.keymap and not viewer.keymap
    assert not any("pixcell" in repr(call) for call in viewer.mouse_drag_callbacks)


def test_tools_keep_napari_s_digits_and_h_shows_the_original_in_every_mode(
    made, viewer, settle
) -> None:
    regions = viewer.layers["Regions"]
    viewer.layers.selection.active = regions
    regions.mode = "add_rectangle"
    key(viewer, Qt.Key.Key_5)
    assert regions.mode == "select" and shown(made) == [1]
    made.session.layouts.new()
    settle(made)
    layout = viewer.layers["Layout · Region 1"]
    viewer.layers.selection.active = layout
    key(viewer, Qt.Key.Key_2)
    assert layout.mode == "pan_zoom" and shown(made) == [2]
    layout.mode = "erase"
    key(viewer, Qt.Key.Key_2)
    assert layout.mode == "paint"
    viewer.layers.selection.active = viewer.add_points(name="theirs")
    key(viewer, Qt.Key.Key_2)
    assert viewer.layers["theirs"].mode == "add"
    viewer.layers.remove("theirs")
    made.session.layouts.new()
    settle(made)
    made.session.gallery.show(made.session.gallery.results[1])
    made.session.gallery.star(made.session.gallery.results[1])
    kept = made.link.find("variant", 2)
    native, strip = viewer.window._qt_viewer.canvas.native, made.results.strip
    focus = {"Layout · Region 1": native, "case 7": native, "Regions": strip}
    for name, widget in focus.items():
        viewer.layers.selection.active = viewer.layers[name]
        QTest.keyPress(widget, Qt.Key.Key_H)
        assert not kept.visible and shown(made) == [2]
        QTest.keyRelease(widget, Qt.Key.Key_H)
        assert kept.visible


def test_the_key_list_is_complete() -> None:
    text = key_list()
    assert all(entry.shown in text and entry.words in text for entry in TABLE)
    assert "original tissue while held" in text and "napari's own tools" in text


def test_the_strip_works_with_keys_alone(made, qtbot) -> None:
    strip, gallery = made.results.strip, made.session.gallery
    strip.setCurrentIndex(strip.model_.index(strip.model_.row_of(1)))
    QTest.keyClick(strip, Qt.Key.Key_Right)
    QTest.keyClick(strip, Qt.Key.Key_Return)
    assert shown(made) == [2]
    QTest.keyClick(strip, Qt.Key.Key_S)
    assert [result.number for result in gallery.kept] == [2]
    index = strip.currentIndex()
    words = strip.model_.data(index, Qt.ItemDataRole.AccessibleTextRole)
    assert words == "Synthetic · Region 1 · seed 1235, shown, starred"
    QTest.keyClick(strip, Qt.Key.Key_Delete)
    qtbot.wait(60)
    assert len(gallery.results) == 3 and made.link.find("variant", 2) is None
    assert made.results.note.text() == "1 variant was discarded."
    click(made.results.action)
    assert gallery.kept and made.link.find("variant", 2).visible
    assert [cell.text for cell in strip.model_.cells[1:]] == [
        "tissue",
        *(f"seed {seed}" for seed in range(1234, 1238)),
    ]

    gallery.star(gallery.kept, on=False)
    gallery.show_none(1)
    press(made, 2)
    press(made, 4, CTRL)
    assert shown(made) == [2]
    assert [result.number for result in made.results.strip.chosen()] == [2, 4]
    actions = menu_of(made, 2, 4)
    assert list(actions) == ["Star 2 variants", "Discard 2 variants"]
    actions["Star 2 variants"].trigger()
    assert [result.number for result in made.session.gallery.kept] == [2, 4]
    menu_of(made, 2, 4)["Discard 2 variants"].trigger()
    assert [result.number for result in made.session.gallery.results] == [1, 3]


def test_a_right_click_opens_the_menu_of_a_variant(
    made, qtbot, settle, monkeypatch, tmp_path
) -> None:
    wanted = []
    made.results.strip.menu_wanted.disconnect()
    made.results.strip.menu_wanted.connect(wanted.append)
    strip, settings = made.results.strip, made.session.settings
    place = strip.centre_of(3)
    QTest.mouseClick(strip.viewport(), RIGHT, NONE, place)
    if not wanted:  # not all systems send this event after a right click
        from qtpy.QtGui import QContextMenuEvent

        reason = QContextMenuEvent.Reason.Mouse
        strip.contextMenuEvent(QContextMenuEvent(reason, place, strip.mapToGlobal(place)))
    assert len(wanted) == 1
    assert [result.number for result in strip.chosen()] == [3] and shown(made) == [1]
    settings.steps, settings.seed = 3, 99
    actions = menu_of(made, 3)
    actions["Use this seed"].trigger()
    assert (settings.seed, settings.steps) == (1236, 3)
    actions["Use these settings"].trigger()
    assert settings.steps == made.session.gallery.results[2].record.request.steps
    actions["Copy seed"].trigger()
    assert QGuiApplication.clipboard().text() == "1236"
    made.session.exporter.name = "case A"
    actions["Copy record"].trigger()
    record = json.loads(QGuiApplication.clipboard().text())
    assert record["request"]["seed"] == 1236 and record["request"]["source"]["name"] == "case_A"
    path = str(tmp_path / "mine.png")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (path, ""))
    actions["Save image…"].trigger()
    settle(made)
    assert made.results.note.text() == "Saved mine.png"
    assert "Use as style" in actions


def test_the_divider_can_be_dragged_in_the_dock_and_on_the_canvas(made, viewer, qtbot) -> None:
    section, result = made.results, made.session.gallery.results[0]
    qtbot.wait(60)
    click(section.swipe, QPoint(8, section.swipe.height() // 2))
    qtbot.wait(60)
    shared = made.link.find("preview")
    tissue = result.target.pixels
    assert section.messages.state.text() == "tissue | seed 1234" and section.divider.isEnabled()
    for value in (500, 250):
        section.divider.setValue(value)
        column = round(256 * value / 1000)
        np.testing.assert_array_equal(shared.data[:, : column - 1], tissue[:, : column - 1])
        assert (shared.data[:, column + 1 :] == result.image[0, 0]).all()
    assert (result.image == result.image[0, 0]).all()  # nothing was drawn into the variant
    menu_of(made, 3)["Swipe against visible variant"].trigger()
    qtbot.wait(60)
    assert section.messages.state.text() == "seed 1236 | seed 1234"
    assert (shared.data[:, 0] == made.session.gallery.results[2].image[0, 0]).all()
    click(section.swipe, QPoint(8, section.swipe.height() // 2))
    assert shared.data is result.image
    press(made, 1)
    click(section.swipe, QPoint(8, section.swipe.height() // 2))
    qtbot.wait(60)
    assert section.messages.state.text() == "Show a variant first."
    assert not section.divider.isEnabled()
    press(made, 1)
    swipe, camera = made.session.gallery.swipe, viewer.scene.camera
    viewer.layers.selection.active = viewer.layers["case 7"]
    swipe.switch(True)
    swipe.move(0.5)
    shared = made.link.find("preview")
    canvas = viewer.window._qt_viewer.canvas
    qtbot.wait(100)

    def at(part: float, down: float = 0.4) -> QPoint:
        height, width = shared.data.shape[:2]
        world = shared.data_to_world((down * height - 0.5, part * width - 0.5))
        x = (world[1] - camera.center[-1]) * camera.zoom + canvas.native.width() / 2
        y = (world[0] - camera.center[-2]) * camera.zoom + canvas.native.height() / 2
        return QPoint(round(x), round(y))

    def drag(start: QPoint, end: QPoint) -> None:
        QTest.mousePress(canvas.native, LEFT, NONE, start)
        QTest.mouseMove(canvas.native, (start + end) / 2)
        QTest.mouseMove(canvas.native, end)
        qtbot.wait(20)
        QTest.mouseRelease(canvas.native, LEFT, NONE, end)
        qtbot.wait(20)

    before = camera.center
    drag(at(0.5), at(0.8))
    assert swipe.at == pytest.approx(0.8, abs=0.02)
    assert camera.center == before and camera.mouse_pan
    drag(at(0.3), at(0.4))  # far from the line: the view moves
    assert swipe.at == pytest.approx(0.8, abs=0.02) and camera.center != before
