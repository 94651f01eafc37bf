"""Cells are drawn, deleted and merged by a real mouse with real modifier keys."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hand import at

from napari_pixcell.ui.dock import PixCellStudio
from napari_pixcell.ui.layers.layout_tools import LayoutTools

CENTRES = (60.0, 60.0), (60.0, 160.0), (160.0, 60.0)
TOUCHING = (60.0, 60.0), (60.0, 89.0), (89.0, 60.0)


@pytest.fixture
def tools(ready: PixCellStudio, with_cells: Callable[..., LayoutTools]) -> LayoutTools:
    """The tools, with a region of three cells in view."""
    return with_cells(ready, *CENTRES)


def cells(tools) -> set[int]:
    return {int(label) for label in np.unique(tools.layer.data) if label}


def test_ctrl_click_deletes_and_alt_click_merges_whatever_the_tool(
    ready, hand, press_on, settle, tools
) -> None:
    for tool, label, rest in (("paint", 2, {1, 3}), ("stamp", 1, {3}), ("split", 3, set())):
        press_on(ready, ready.layout_.tools.buttons[tool])
        hand.click(*at(tools, CENTRES[label - 1]), held="ctrl")
        settle(ready)
        assert cells(tools) == rest
    press_on(ready, ready.layout_.tools.undo, times=3)
    press_on(ready, ready.layout_.tools.buttons["paint"])
    tools.layer.data[55:65, 60:160] = 1
    for point in at(tools, *CENTRES[:2]):
        hand.click(point, held="alt")
    settle(ready)
    assert len(cells(tools)) == 2


def test_each_tool_by_hand(ready, hand, press_on, settle, tools) -> None:
    panel, data = ready.layout_.tools, lambda: tools.layer.data

    def use(tool: str, *points: tuple[float, float]) -> None:
        if tools.tool != tool:
            press_on(ready, panel.buttons[tool])
        places = at(tools, *points)
        hand.drag(*places) if len(places) > 1 else hand.click(*places)
        settle(ready)

    use("paint", (200, 200), (200, 230))
    assert data()[200, 202] == 4
    turns = np.linspace(0, 2 * np.pi, 25)
    use("outline", *((200 + 20 * np.sin(turn), 60 - 20 * np.cos(turn)) for turn in turns))
    assert data()[200, 60] == 5
    use("erase", (60, 50), (60, 75), (60, 50))
    assert data()[60, 50] == 0 and 1 in cells(tools)
    use("split", (140, 60), (180, 60))
    assert cells(tools) == {1, 2, 3, 4, 5, 6}
    data()[58:63, 158:163] = 0
    use("fill", (66, 166))
    assert data()[60, 160] == 2
    use("stamp", (110, 110))
    assert cells(tools) == {1, 2, 3, 4, 5, 6, 7}
    press_on(ready, panel.buttons["stamp"])
    assert tools.tool == "select" and panel.buttons["select"].isChecked()


def test_cells_are_selected_merged_and_deleted_by_hand(
    ready, hand, press_on, settle, tools, paint_cells
) -> None:
    panel = ready.layout_.tools
    press_on(ready, panel.buttons["select"])
    paint_cells(ready, *TOUCHING)
    first, second, third = at(tools, *TOUCHING)
    hand.click(first)
    settle(ready)
    assert tools.selection.label == 1
    hand.click(second, held="shift")
    settle(ready)
    assert cells(tools) == {1, 3}
    press_on(ready, panel.merge)
    hand.click(third)
    settle(ready)
    assert cells(tools) == {1}
    hand.press("Delete")
    settle(ready)
    assert cells(tools) == set()
    hand.press("ctrl+z")
    settle(ready)
    hand.click(third)
    settle(ready)
    press_on(ready, panel.remove)
    assert cells(tools) == set()


def test_escape_by_hand_ends_a_tool(ready, hand, press_on, settle, tools) -> None:
    press_on(ready, ready.layout_.tools.buttons["paint"])
    hand.drag(*at(tools, (220, 220), (220, 230)))
    hand.press("Escape")
    settle(ready)
    assert tools.tool == "select" and cells(tools) == {1, 2, 3, 4}


def test_digits_show_variants_and_change_no_layout(
    ready, client, hand, press_on, settle, tools
) -> None:
    gallery, ready.session.settings.count = ready.session.gallery, 3
    press_on(ready, ready.footer.generate_button)
    client.play()
    settle(ready)
    ready.viewer.layers.selection.active = tools.layer
    before = tools.layer.data.copy()
    hand.click(*at(tools, (240.0, 240.0)))  # the canvas gets the keys
    for key, shown in (("2", [False, True, False]), ("3", [False, False, True])):
        hand.press(key)
        settle(ready)
        assert [result.shown for result in gallery.results] == shown
    hand.click(*at(tools, CENTRES[0]))
    hand.press("0")
    settle(ready)
    assert not any(result.shown for result in gallery.results)
    np.testing.assert_array_equal(tools.layer.data, before)
