"""Tools draw, split, merge and delete cells with the mouse on napari's own label layer."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from mouse import drag, send
from napari.utils._proxies import PublicOnlyProxy
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from scipy import ndimage
from skimage.draw import disk

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.ui.demo import click
from napari_pixcell.ui.layers.drawn_over import DrawnOver
from napari_pixcell.ui.layers.slide import role
from napari_pixcell.ui.viewers import itself


@pytest.fixture
def tools(ready, settle):
    """The tools, with a region of four cells."""
    click(ready.region.add_button)
    settle(ready)
    labels = np.zeros((256, 256), np.int32)
    for label, centre in enumerate(((50, 50), (50, 150), (150, 50), (150, 72)), start=1):
        labels[disk(centre, 10)] = label
    ready.session.layouts.set(
        ready.session.regions.active.number, labels, "test", LayoutSource("painted")
    )
    settle(ready)
    return ready.link.tools


def world(tools, *points: tuple[float, float]) -> list[tuple[float, float]]:
    return [tuple(tools.layer.data_to_world(point)) for point in points]


def cells(tools) -> set[int]:
    return {int(n) for n in np.unique(tools.layer.data) if n}


def choose(tools, dock, name: str) -> None:
    if tools.tool != name:
        click(dock.layout_.tools.buttons[name])
    assert tools.tool == name


def test_each_stroke_paints_a_new_cell_and_preserves_the_others(ready, tools) -> None:
    before = tools.layer.data.copy()
    choose(tools, ready, "paint")
    assert ready.viewer.layers.selection.active is tools.layer
    drag(tools.layer, *world(tools, (100, 100), (100, 140)))
    drag(tools.layer, *world(tools, (200, 200), (210, 200)))
    drag(tools.layer, *world(tools, (50, 30), (50, 70)))  # across cell 1
    assert cells(tools) == {1, 2, 3, 4, 5, 6, 7}
    np.testing.assert_array_equal(tools.layer.data[before > 0], before[before > 0])
    drag(tools.layer, *world(tools, (100, 120), (120, 120)), modifiers=["Shift"])
    assert cells(tools) == {1, 2, 3, 4, 5, 6, 7} and tools.layer.data[118, 120] == 5
    drag(tools.layer, *world(tools, (230, 30), (230, 40)))
    assert tools.layer.data[230, 35] == 8


def test_an_outline_becomes_a_cell(ready, tools) -> None:
    choose(tools, ready, "outline")
    overlay = tools.layer._overlays["polygon"]
    overlay.points = [[100, 100], [100, 140], [140, 140], [140, 100]]
    overlay.add_polygon_to_labels(tools.layer)
    assert (tools.layer.data[105:135, 105:135] == 5).all()
    assert tools.layer.selected_label == 6


def test_a_line_drawn_around_a_cell_becomes_a_cell(ready, tools, settle) -> None:
    choose(tools, ready, "outline")
    before = tools.layer.data.copy()
    drag(tools.layer, *world(tools, (100, 100), (100, 140), (140, 140), (140, 100)))
    assert (tools.layer.data[105:135, 105:135] == 5).all()
    drag(tools.layer, *world(tools, (40, 40), (40, 80), (60, 80), (60, 40)))  # across cell 1
    np.testing.assert_array_equal(tools.layer.data[before > 0], before[before > 0])
    assert tools.layer.data[50, 75] == 6
    tools.history.undo()
    tools.history.undo()
    np.testing.assert_array_equal(tools.layer.data, before)
    drag(tools.layer, *world(tools, (45, 45), (45, 55), (55, 55)))  # within cell 1
    np.testing.assert_array_equal(tools.layer.data, before)
    settle(ready)
    assert ready.layout_.note.text().startswith("No cell was outlined: drag around free tissue")


def test_escape_discards_a_line_that_is_being_drawn(ready, tools, qtbot) -> None:
    choose(tools, ready, "outline")
    places = world(tools, (100, 100), (100, 140), (140, 140))
    for kind, place in zip(("mouse_press", "mouse_move", "mouse_move"), places, strict=True):
        send(tools.layer, kind, place)
    press(ready, qtbot, Qt.Key.Key_Escape)
    send(tools.layer, "mouse_move", places[0])
    send(tools.layer, "mouse_release", places[0])
    assert cells(tools) == {1, 2, 3, 4} and tools.tool == "outline"
    press(ready, qtbot, Qt.Key.Key_Escape)
    assert tools.tool == "select"


def test_a_second_click_on_a_tool_means_select(ready, tools) -> None:
    buttons = ready.layout_.tools.buttons
    for name in ("paint", "outline", "stamp", "erase", "split", "fill"):
        choose(tools, ready, name)
        assert buttons[name].isChecked() and not buttons["select"].isChecked()
        click(buttons[name])
        assert tools.tool == "select" and buttons["select"].isChecked()
        assert tools.layer.mouse_pan and str(tools.layer.mode) == "pan_zoom"


def test_cells_are_selected_by_a_click_and_merged_by_shift_or_a_button(
    ready, tools, settle
) -> None:
    panel, helped = ready.layout_.tools, ready.layout_.tools.help
    choose(tools, ready, "select")
    assert not panel.merge.isEnabled() and helped.text().startswith("Click a cell to select it.")
    drag(tools.layer, *world(tools, (150, 50)), modifiers=["Shift"])
    assert tools.selection.label == 3 and panel.merge.isEnabled()
    assert helped.text().startswith("Cell 3: 76 µm². Shift-click another")
    drag(tools.layer, *world(tools, (150, 72)), modifiers=["Shift"])
    assert cells(tools) == {1, 2, 3}
    click(panel.merge)
    assert tools.selection.merging and helped.text().startswith("Click the cell to merge")
    drag(tools.layer, *world(tools, (50, 50)))  # too far away
    assert cells(tools) == {1, 2, 3} and tools.selection.label == 1
    settle(ready)
    assert ready.layout_.note.text().startswith("These cells are too far apart to merge.")
    tools.layer.data[60:141, 48:53] = 1
    click(panel.merge)
    drag(tools.layer, *world(tools, (150, 50)))
    assert cells(tools) == {1, 2} and not tools.selection.merging and not panel.merge.isChecked()
    click(panel.merge)
    drag(tools.layer, *world(tools, (220, 220)))  # no cell there
    assert cells(tools) == {1, 2} and not tools.selection.merging and not tools.selection.label
    drag(tools.layer, *world(tools, (50, 150), (80, 150)))  # moves the view
    assert not tools.selection.label


def test_the_selected_cell_glows(ready, tools) -> None:
    def seen() -> np.ndarray:
        return ready.viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)

    choose(tools, ready, "select")
    before = seen()
    drag(tools.layer, *world(tools, (50, 150)))
    glowing = seen()
    yellow = (glowing[..., :2].min(axis=-1) > 200) & (glowing[..., 2] < 60)
    was = (before[..., :2].min(axis=-1) > 200) & (before[..., 2] < 60)
    assert np.count_nonzero(yellow) > np.count_nonzero(was) + 50
    drag(tools.layer, *world(tools, (220, 220)))
    assert np.abs(seen() - before).max() <= 2


def test_nothing_changes_unseen_under_a_variant(ready, client, tools, settle) -> None:
    choose(tools, ready, "paint")
    drag(tools.layer, *world(tools, (50, 150)), modifiers=["Alt"])
    ready.session.settings.count = 1
    settle(ready)
    click(ready.footer.generate_button)
    settle(ready)
    client.play()
    settle(ready)
    variant = ready.session.gallery.results[0]
    assert variant.shown
    ready.viewer.layers.selection.active = tools.layer
    before = tools.layer.data.copy()
    for held in ("Control", "Alt"):
        drag(tools.layer, *world(tools, (50, 50)), modifiers=[held])
        np.testing.assert_array_equal(tools.layer.data, before)
        assert not variant.shown
        ready.session.gallery.show(variant)
    ready.session.gallery.show(variant)
    tools.selection.delete()
    np.testing.assert_array_equal(tools.layer.data, before)
    assert not variant.shown
    tools.selection.delete()
    assert cells(tools) == {1, 3, 4}
    ready.session.gallery.show(variant)
    tools.history.undo()  # at once, as it can be seen then and redone
    assert cells(tools) == {1, 2, 3, 4} and not variant.shown


@pytest.fixture
def covered(ready, client, tools, settle):
    """The tools, with the brush active when a variant of the region was shown."""
    choose(tools, ready, "paint")
    ready.session.settings.count = 1
    ready.session.generator.generate()
    settle(ready)
    client.play()
    settle(ready)
    assert ready.session.gallery.results[0].shown
    return tools


def test_a_variant_that_is_shown_switches_the_tool_off(ready, covered) -> None:
    layer, variant = covered.layer, ready.session.gallery.results[0]
    assert covered.tool == "select" and layer.mode == "pan_zoom"
    assert ready.layout_.tools.buttons["select"].isChecked()
    before = layer.data.copy()
    drag(layer, *world(covered, (200, 200), (210, 200)))
    np.testing.assert_array_equal(layer.data, before)
    assert variant.shown  # the mouse moved the view
    ready.session.gallery.show_none(ready.session.regions.active.number)
    assert covered.tool == "select"  # nothing is switched on by itself
    for name in ("erase", "split", "outline"):
        covered.choose(name)
        ready.session.gallery.show(variant)
        assert covered.tool == "select", name


def test_choosing_a_tool_hides_the_variants(ready, covered, settle) -> None:
    variant = ready.session.gallery.results[0]
    choose(covered, ready, "paint")
    assert not variant.shown and not ready.link.find("preview").visible
    ready.session.gallery.show(variant)
    covered.layer.mode = "erase"  # in napari's own controls
    assert covered.tool == "erase" and not variant.shown
    ready.session.gallery.star(variant)
    starred = ready.link.find("variant", variant.number)
    starred.visible = True  # in napari's list of layers
    assert covered.tool == "select"
    choose(covered, ready, "stamp")
    assert not starred.visible


def test_digits_show_variants_after_one_has_switched_the_tool_off(ready, covered) -> None:
    native = ready.viewer.window._qt_viewer.canvas.native
    ready.viewer.layers.selection.active = covered.layer
    shown = ready.session.gallery.results[0]
    before = covered.layer.data.copy()
    for code, visible in ((Qt.Key.Key_0, False), (Qt.Key.Key_1, True)):
        QTest.keyClick(native, code)
        assert shown.shown == visible
    QTest.keyClick(native, Qt.Key.Key_S)
    assert shown.starred
    drag(covered.layer, *world(covered, (200, 200), (210, 200)))
    np.testing.assert_array_equal(covered.layer.data, before)


def test_a_preview_switches_the_tool_off_until_one_is_chosen_again(
    ready, client, tools, settle
) -> None:
    choose(tools, ready, "paint")
    ready.session.generator.generate()
    settle(ready)
    preview = np.full((256, 256, 3), 90, np.uint8)
    target = ready.session.queue.current.target
    ready.session.queue.preview.emit(target, preview)
    assert ready.link.find("preview").visible and tools.tool == "select"
    choose(tools, ready, "paint")
    assert not ready.link.find("preview").visible
    ready.session.queue.preview.emit(target, preview)  # the next step
    assert not ready.link.find("preview").visible and tools.tool == "paint"


def test_tools_of_other_regions_and_of_live_pictures_stay(ready, client, covered, settle) -> None:
    first, variant = ready.session.regions.active, ready.session.gallery.results[0]
    ready.session.regions.add((600, 600))
    settle(ready)
    covered.choose("paint")
    ready.session.gallery.show(variant)
    assert covered.tool == "paint"
    ready.session.regions.activate(first.number)
    covered.choose("paint")
    ready.session.generator.live.on = True
    ready.session.gallery.show(variant)
    assert covered.tool == "paint"


def test_ctrl_click_deletes_in_any_tool_and_paints_nothing(ready, tools) -> None:
    for name in ("paint", "split", "erase"):
        choose(tools, ready, name)
        drag(tools.layer, *world(tools, (200, 200)), modifiers=["Control"])
    assert cells(tools) == {1, 2, 3, 4}
    drag(tools.layer, *world(tools, (50, 50), (50, 100), (50, 150)), modifiers=["Control"])
    assert cells(tools) == {3, 4}
    tools.history.undo()
    assert cells(tools) == {2, 3, 4}
    tools.history.undo()
    assert cells(tools) == {1, 2, 3, 4}


def test_alt_click_merges_a_cell_with_the_selected_one(ready, tools) -> None:
    choose(tools, ready, "paint")
    drag(tools.layer, *world(tools, (150, 50)), modifiers=["Alt"])
    assert cells(tools) == {1, 2, 3, 4} and tools.selection.label == 3
    drag(tools.layer, *world(tools, (150, 72)), modifiers=["Alt"])
    assert cells(tools) == {1, 2, 3}
    assert ndimage.label(tools.layer.data == 3)[1] == 1


def test_a_line_is_visible_while_drawn_and_splits_cells_on_release(ready, tools) -> None:
    choose(tools, ready, "split")
    before = tools.layer.data.copy()
    start, end = world(tools, (30, 150), (70, 150))
    send(tools.layer, "mouse_press", start)
    send(tools.layer, "mouse_move", end)
    assert not tools.layer.data[45:55, 150].any()
    send(tools.layer, "mouse_release", end)
    assert cells(tools) == {1, 2, 3, 4, 5}
    np.testing.assert_array_equal(tools.layer.data > 0, before > 0)
    tools.history.undo()
    np.testing.assert_array_equal(tools.layer.data, before)
    drag(tools.layer, *world(tools, (200, 200), (220, 220)))
    np.testing.assert_array_equal(tools.layer.data, before)
    assert not ready.viewer.layers.selection.active.mouse_pan


def test_a_selected_cell_can_be_grown_shrunk_and_deleted(ready, tools, settle) -> None:
    buttons = ready.layout_.tools
    choose(tools, ready, "fill")
    assert not buttons.larger.isEnabled()
    click(buttons.buttons["fill"])
    assert tools.tool == "select" and buttons.buttons["select"].isChecked()
    drag(tools.layer, *world(tools, (50, 150)))
    settle(ready)
    size = (tools.layer.data == 2).sum()
    click(buttons.larger)
    assert (tools.layer.data == 2).sum() > size
    click(buttons.smaller)
    click(buttons.smaller)
    assert (tools.layer.data == 2).sum() < size
    click(buttons.remove)
    assert 2 not in cells(tools)
    settle(ready)
    assert not buttons.remove.isEnabled()


def test_fill_closes_holes(ready, tools) -> None:
    tools.layer.data[45:55, 45:55] = 0
    choose(tools, ready, "fill")
    drag(tools.layer, *world(tools, (50, 50)))
    assert (tools.layer.data[45:55, 45:55] == 1).all()


def test_undo_covers_strokes_and_imports(ready, tools, settle) -> None:
    session, buttons = ready.session, ready.layout_.tools
    choose(tools, ready, "paint")
    drag(tools.layer, *world(tools, (200, 200), (210, 200)))
    painted = tools.layer.data.copy()
    other = np.zeros((256, 256), np.int32)
    other[5:20, 5:20] = 9
    session.layouts.set(
        session.regions.active.number, other.copy(), "imported", LayoutSource("imported")
    )
    settle(ready)
    choose(tools, ready, "paint")
    drag(tools.layer, *world(tools, (100, 100), (110, 100)))
    assert cells(tools) == {9, 10}
    settle(ready)
    for expected in (other, painted):
        click(buttons.undo)
        settle(ready)
        np.testing.assert_array_equal(tools.layer.data, expected)
    assert session.regions.active.layout_origin == "test" and session.regions.active.cells == 5
    click(buttons.redo)
    settle(ready)
    np.testing.assert_array_equal(tools.layer.data, other)
    click(buttons.undo)
    settle(ready)
    click(ready.layout_.none_button)
    settle(ready)
    assert tools.layer is None and buttons.undo.isEnabled()
    click(buttons.undo)
    settle(ready)
    np.testing.assert_array_equal(tools.layer.data, painted)


def test_keys_toggle_outlines_and_visibility(ready, tools) -> None:
    layer = tools.layer
    assert layer.contour == 2
    keys = {str(key): act for key, act in layer.keymap.items()}
    keys["X"](layer)
    assert layer.contour == 0
    keys["X"](layer)
    assert layer.contour == 2
    keys["Z"](layer)
    assert not layer.visible
    keys["Z"](layer)
    assert layer.visible


def press(studio, qtbot, key) -> None:
    canvas = studio.viewer.window._qt_viewer.canvas.native
    qtbot.keyClick(canvas, key)


def test_keys_choose_tools_only_while_the_layout_is_selected(ready, tools, qtbot, settle) -> None:
    keys = {"T": "stamp", "K": "split", "C": "fill", "O": "outline", "P": "paint"}
    layer = tools.layer
    for chosen in (ready.link.slide_layer, layer):
        ready.viewer.layers.selection.active = chosen
        for key, tool in keys.items():
            press(ready, qtbot, getattr(Qt.Key, f"Key_{key}"))
            assert tools.tool == (tool if chosen is layer else "select")
            settle(ready)
            made = ready.layout_.tools.buttons[tool]
            assert made.isChecked() == (chosen is layer) and made.toolTip().endswith(f"({key})")


def test_escape_first_discards_an_outline_then_cancels_the_job(
    ready, tools, qtbot, settle, monkeypatch
) -> None:
    stopped = []
    segmentation = type(ready.session.segmentation)
    monkeypatch.setattr(segmentation, "cancel", lambda _: stopped.append(1))
    ready.session.layouts.set(ready.session.regions.active.number, None)
    choose(tools, ready, "outline")
    overlay = tools.layer._overlays["polygon"]
    overlay.points = [[100, 100], [100, 140]]
    press(ready, qtbot, Qt.Key.Key_Escape)
    assert overlay.points == [] and not stopped
    press(ready, qtbot, Qt.Key.Key_Escape)
    assert stopped
    click(ready.layout_.area.mark_button)
    assert role(ready.viewer.layers.selection.active) == "area"
    press(ready, qtbot, Qt.Key.Key_Escape)
    assert len(stopped) == 2
    ready.viewer.layers.selection.active = regions = ready.link.find("regions")
    regions.mode = "select"
    press(ready, qtbot, Qt.Key.Key_Escape)
    assert len(stopped) == 3


def test_painting_without_a_layout_creates_one(ready, settle) -> None:
    click(ready.region.add_button)
    settle(ready)
    assert not ready.layout_.tools.buttons["erase"].isEnabled()
    click(ready.layout_.tools.buttons["paint"])
    layer = ready.link.tools.layer
    assert layer.mode == "paint" and layer.selected_label == 1
    drag(layer, *[tuple(layer.data_to_world(p)) for p in ((100, 100), (100, 105))])
    settle(ready)
    ready.session.wait(1)
    assert layer.data[100, 102] == 1


def test_a_glow_over_a_cell_warns_nobody_of_private_parts(ready, tools) -> None:
    proxy = PublicOnlyProxy(ready.viewer)  # as napari hands it to a dock widget of a plugin
    drawn = DrawnOver(itself(proxy))  # as the dock does
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn.glow(tools.layer, 40, 40, np.ones((20, 20), bool))
    assert drawn._glow is not None
    drawn.end_glow()
