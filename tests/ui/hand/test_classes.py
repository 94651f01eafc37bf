"""Classes of cells are picked, painted, changed and undone by a real mouse and keyboard."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hand import Hand
from own_classes import write_own_classes
from skimage.draw import disk

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.ui.dock import PixCellStudio

CENTRES = (60.0, 60.0), (60.0, 160.0)


@pytest.fixture
def tools(ready: PixCellStudio, hand: Hand, press_on: Callable[..., None], settle):
    """The tools, with a model that knows two classes and a region of two cells in view."""
    ready.session.settings.use_family(write_own_classes())
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


def test_a_class_is_picked_painted_changed_and_undone_by_hand(
    ready, hand, press_on, settle, tools
) -> None:
    panel, item = ready.layout_.tools, ready.session.regions.active
    press_on(ready, panel.buttons["paint"])
    press_on(ready, panel.classes.buttons["stroma"])
    hand.drag(*at(tools, (200, 100), (200, 130)))
    settle(ready)
    assert tools.layer.data[200, 110] == 3 and item.classes == {3: "stroma"}
    press_on(ready, panel.buttons["select"])
    hand.click(*at(tools, CENTRES[0]))
    settle(ready)
    assert tools.selection.label == 1
    press_on(ready, panel.classes.buttons["tumour"])
    assert item.classes == {1: "tumour", 3: "stroma"}
    hand.click(*at(tools, CENTRES[1]))  # the canvas gets the keys
    settle(ready)
    hand.press("q")
    settle(ready)
    assert tools.selection.label == 2 and item.classes[2] == "tumour"
    hand.press("q")
    settle(ready)
    assert item.classes[2] == "stroma"
    for left in ({1: "tumour", 2: "tumour"}, {1: "tumour"}, {}):
        hand.press("ctrl+z")
        settle(ready)
        assert item.classes == left | {3: "stroma"}
    hand.press("ctrl+z")
    settle(ready)
    assert tools.layer.data.max() == 2
    hand.press("ctrl+shift+z", "ctrl+shift+z")
    settle(ready)
    assert tools.layer.data.max() == 3 and item.classes[1] == "tumour"


def test_arrow_keys_move_through_the_classes(ready, hand, press_on, settle, tools) -> None:
    panel = ready.layout_.tools
    made = panel.classes.buttons
    press_on(ready, made["tumour"])
    panel.outlines.setFocus()
    hand.press("Tab")
    assert made["tumour"].hasFocus() and ready.session.classes.picked == "tumour"
    hand.press("Right")
    settle(ready)
    assert made["stroma"].hasFocus() and ready.session.classes.picked == "stroma"
    hand.press("Left")
    settle(ready)
    assert ready.session.classes.picked == "tumour"
