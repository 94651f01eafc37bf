"""Classes of cells are picked, painted, changed and undone by a real mouse and keyboard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hand import Hand, at, cross
from own_classes import PALETTE, write_own_classes
from qtpy.QtWidgets import QFileDialog
from scripted import ScriptedClient
from skimage.draw import disk

from napari_pixcell.cells import write_labels
from napari_pixcell.ui.dock import PixCellStudio
from napari_pixcell.ui.layers.layout_tools import LayoutTools
from napari_pixcell.ui.sections.layout import ON_REGION

CENTRES = (60.0, 60.0), (60.0, 160.0)


@pytest.fixture
def tools(ready: PixCellStudio, with_cells: Callable[..., LayoutTools]) -> LayoutTools:
    """The tools, with a model that knows two classes and a region of two cells in view."""
    ready.session.settings.use_family(write_own_classes())
    return with_cells(ready, *CENTRES)


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


def test_every_way_to_a_cell_keeps_its_class_and_colour(
    slide_file: Path, viewer, client, hand: Hand, press_on, settle, qtbot, monkeypatch
) -> None:
    def dock(client: ScriptedClient) -> PixCellStudio:
        made = PixCellStudio(viewer, client)
        viewer.window.add_dock_widget(made, name="PixCell studio")
        return made

    def colour(studio: PixCellStudio, label: int) -> str:
        red, green, blue, _ = np.round(studio.link.tools.layer.colormap.map(label) * 255)
        return f"#{int(red):02x}{int(green):02x}{int(blue):02x}"

    mask = np.zeros((256, 256), np.int32)
    mask[disk((40, 200), 14)], mask[disk((90, 200), 14)] = 1, 2
    file = slide_file.with_name("cells.tif")
    write_labels(file, mask, 0.5, {1: "stroma", 2: "tumour"})
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: (str(file), ON_REGION))
    studio = dock(client)
    studio.session.saver.pause = 0.0
    studio.actions.open(slide_file)
    qtbot.waitUntil(lambda: studio.session.slides.ready, timeout=60_000)
    settle(studio)
    studio.session.settings.use_family(write_own_classes())
    press_on(studio, studio.region.add_button)
    press_on(studio, studio.layout_.import_button)
    item = studio.session.regions.active
    assert item.classes == {1: "stroma", 2: "tumour"}
    studio.link.go_to(item.region)
    settle(studio)
    panel, tools = studio.layout_.tools, studio.link.tools
    press_on(studio, panel.buttons["paint"])
    hand.drag(*at(tools, (40, 40), (40, 70)))
    settle(studio)
    press_on(studio, panel.classes.buttons["stroma"])
    hand.drag(*at(tools, (90, 40), (90, 70)))
    settle(studio)
    hand.press("q")
    hand.drag(*at(tools, (140, 40), (140, 70)))
    settle(studio)
    assert item.classes == {1: "stroma", 2: "tumour", 3: "tumour", 4: "stroma"}
    assert tools.layer.data[140, 60] == 5 and colour(studio, 5) == "#ffffff"
    hand.press("ctrl+z")
    settle(studio)
    assert tools.layer.data[140, 60] == 0
    hand.press("q")
    press_on(studio, panel.buttons["stamp"])
    hand.click(*at(tools, (140, 200)))
    settle(studio)
    assert item.classes[int(tools.layer.data[140, 200])] == "tumour"
    press_on(studio, panel.classes.buttons["stroma"])
    studio.session.settings.keep_cells = True
    press_on(studio, studio.layout_.inventing.button)
    press_on(studio, studio.layout_.inventing.invent_button)
    classes, colours = dict(item.classes), dict(PALETTE)
    labels = [int(label) for label in np.unique(item.layout) if label]
    assert len(labels) > 10 and set(labels) <= set(classes)
    assert Counter(classes[label] for label in labels)["tumour"] == 3
    assert all(colour(studio, label) == colours[classes[label]] for label in labels)
    studio.session.saver.flush()
    hand.click(cross(studio))
    qtbot.waitUntil(lambda: client.closed, timeout=60_000)

    again = dock(ScriptedClient())
    settle(again)
    qtbot.waitUntil(again.footer.action.isVisible, timeout=60_000)
    hand.click(again.footer.action)
    qtbot.waitUntil(lambda: again.session.regions.active is not None, timeout=60_000)
    settle(again)
    restored = again.session.regions.active
    np.testing.assert_array_equal(restored.layout, item.layout)
    assert {label: restored.classes[label] for label in labels} == {n: classes[n] for n in labels}
    assert all(colour(again, label) == colours[classes[label]] for label in labels)
    assert again.session.classes.picked == "stroma"
