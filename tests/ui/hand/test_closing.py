"""The dock is closed by its ✕ while something runs, and opened again."""

from __future__ import annotations

import pytest
from hand import Hand, cross
from scripted import preview

from napari_pixcell.engine.events import Finished, Preview
from napari_pixcell.ui.dock import PixCellStudio


@pytest.fixture
def generating(ready, hand: Hand, press_on, settle) -> PixCellStudio:
    """The studio while the worker generates variants of a region with cells."""
    press_on(ready, ready.region.add_button)
    press_on(ready, ready.layout_.segmentation.segment_button)
    press_on(ready, ready.footer.generate_button)
    return ready


def test_a_closed_dock_goes_on_and_leaves_no_half_made_picture(
    generating, client, viewer, hand: Hand, settle, qtbot
) -> None:
    client.play(1)
    settle(generating)
    request, on_event = client.waiting[0]
    on_event(Preview(1, preview(request)))
    settle(generating)
    session = generating.session
    assert viewer.layers["Synthetic preview"].visible
    hand.click(cross(generating))
    qtbot.waitUntil(lambda: "PixCell studio" not in viewer.window.dock_widgets, timeout=60_000)
    qtbot.waitUntil(lambda: not generating._pump.isActive(), timeout=60_000)
    assert not client.closed
    assert not viewer.layers["Synthetic preview"].visible
    client.play()
    qtbot.waitUntil(lambda: client.closed, timeout=60_000)
    assert len(session.gallery.results) >= 4


def test_a_dock_takes_over_the_session_that_went_on(
    generating, client, viewer, hand: Hand, settle, qtbot
) -> None:
    client.play(2)
    settle(generating)
    session = generating.session
    hand.click(cross(generating))
    qtbot.waitUntil(lambda: not generating._pump.isActive(), timeout=60_000)
    _, again = viewer.window.add_plugin_dock_widget("napari-pixcell", "PixCell studio")
    settle(again)
    assert again.session is session and not client.closed
    assert again.footer.note.text() == "Your work continued while the dock was closed."
    names = [layer.name for layer in viewer.layers]
    assert sorted(names) == sorted({*names}) and "Layout · Region 1" in names
    assert again.results.count.text() == "2 variants"
    client.waiting.pop(0)[1](Finished())
    settle(again)
    assert not session.busy
