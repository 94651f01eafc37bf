"""Cells are drawn, deleted and merged by a real mouse with real modifier keys."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hand import Hand
from skimage.draw import disk

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.ui.dock import PixCellStudio

CENTRES = (60.0, 60.0), (60.0, 160.0), (160.0, 60.0)


@pytest.fixture
def tools(ready: PixCellStudio, hand: Hand, press_on: Callable[..., None], settle):
    """The tools, with a region of three cells in view."""
    press_on(ready, ready.region.add_button)
    labels = np.zeros((256, 256), np.int32)
    for label, centre in enumerate(CENTRES, start=1):
        labels[disk(centre, 14)] = label
    active = ready.session.regions.active
    ready.session.layouts.set(active.number, labels, "test", LayoutSource("painted"))
    settle(ready)
    ready.link.go_to(active.region)
    settle(ready)
    return ready.link.tools


def at(tools, *points: tuple[float, float]) -> list[tuple[float, ...]]:
    return [tuple(tools.layer.data_to_world(point)) for point in points]


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
    for point in at(tools, *CENTRES[:2]):
        hand.click(point, held="alt")
    settle(ready)
    assert len(cells(tools)) == 2


def test_digits_show_variants_and_change_no_layout(
    ready, client, hand, press_on, settle, tools
) -> None:
    gallery, ready.session.settings.count = ready.session.gallery, 3
    press_on(ready, ready.generate.generate_button)
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
