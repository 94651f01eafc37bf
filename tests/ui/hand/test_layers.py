"""Two slides, and layers that are deleted by hand."""

from __future__ import annotations

import numpy as np
from hand import Hand
from pictures import tissue
from qtpy.QtCore import QPoint
from qtpy.QtGui import QOpenGLContext
from qtpy.QtOpenGLWidgets import QOpenGLWidget

from napari_pixcell.slides import ArraySlide
from napari_pixcell.ui.layers.slide import role


def in_list(hand: Hand, name: str) -> QPoint:
    """Return the place of a layer in napari's list."""
    view = hand.viewer.window._qt_viewer.layers
    model = view.model()
    for row in range(model.rowCount()):
        index = model.index(row, 0)
        if model.data(index) == name:
            view.scrollTo(index)
            return view.viewport().mapToGlobal(view.visualRect(index).center())
    raise AssertionError(name)


def visible(hand: Hand) -> set[str]:
    return {layer.name for layer in hand.viewer.layers if layer.visible}


def test_a_second_slide_is_shown_alone_and_the_first_comes_back(
    ready, client, hand, press_on, settle
) -> None:
    viewer = ready.viewer
    press_on(ready, ready.region.add_button)
    press_on(ready, ready.layout_.segmentation.segment_button)
    press_on(ready, ready.footer.generate_button)
    client.play()
    settle(ready)
    ready.session.gallery.star(ready.session.gallery.results[0])
    settle(ready)
    before, camera = visible(hand), (viewer.scene.camera.center, viewer.scene.camera.zoom)
    ready.link.add_slide(ArraySlide([tissue(600)], 0.25, "case 8"))
    settle(ready)
    assert visible(hand) <= {"case 8", "Regions"}
    names = [layer.name for layer in viewer.layers]
    assert names.index("case 7") < names.index("case 8") < names.index("Regions")
    np.testing.assert_allclose(viewer.scene.camera.center[-2:], 600 * 0.25 / 2, atol=1)
    press_on(ready, ready.region.add_button)
    assert [item.name for item in ready.session.regions.current] == ["Region 2"]
    assert "Regions" in visible(hand)
    hand.click(in_list(hand, "case 7"))
    settle(ready)
    assert visible(hand) == before
    assert (viewer.scene.camera.center, viewer.scene.camera.zoom) == camera
    assert [item.name for item in ready.session.regions.current] == ["Region 1"]


def test_regions_deleted_with_their_layer_all_come_back(ready, hand, press_on, settle) -> None:
    for x in (200, 400, 600):
        ready.session.regions.add((x, 400))
    settle(ready)
    hand.click(in_list(hand, "Regions"))
    hand.press("Delete")
    settle(ready)
    if ready.session.regions.current:  # the key deletes boxes; the bin deletes the layer
        ready.viewer.layers.remove("Regions")
    settle(ready)
    assert not ready.session.regions.current
    press_on(ready, ready.region.action)
    assert len(ready.session.regions.current) == 3
    assert len(ready.link.find("regions").data) == 3


def test_layers_are_freed_in_the_context_of_the_canvas(ready, viewer, settle) -> None:
    ready.session.regions.add((400, 400))
    settle(ready)
    canvas = viewer.window._qt_window.centralWidget().findChild(QOpenGLWidget)
    found = []

    def removed(event) -> None:
        if role(event.value) == "regions":
            found.append(QOpenGLContext.currentContext() is canvas.context())

    viewer.layers.events.removed.connect(removed)
    canvas.doneCurrent()
    viewer.layers.remove("Regions")
    viewer.layers.events.removed.disconnect(removed)
    assert found == [True]


def test_a_variant_that_appears_while_one_paints_is_never_painted_on(
    ready, client, hand, press_on, settle
) -> None:
    session, tools = ready.session, ready.link.tools
    press_on(ready, ready.region.add_button)
    press_on(ready, ready.layout_.segmentation.segment_button)
    press_on(ready, ready.layout_.tools.buttons["paint"])
    ready.link.go_to(session.regions.active.region)
    session.settings.count = 2
    session.generator.generate()
    settle(ready)
    client.play()
    settle(ready)
    assert tools.tool == "select"
    before = tools.layer.data.copy()
    stroke = [tuple(tools.layer.data_to_world(point)) for point in ((120, 120), (140, 150))]
    hand.drag(*stroke)
    settle(ready)
    np.testing.assert_array_equal(tools.layer.data, before)
    ready.link.go_to(session.regions.active.region)  # the drag moved the view
    hand.press("2")
    settle(ready)
    assert [result.shown for result in session.gallery.results] == [False, True]
    press_on(ready, ready.layout_.tools.buttons["paint"])
    assert not any(result.shown for result in session.gallery.results)
    hand.drag(*stroke)
    settle(ready)
    assert (tools.layer.data != before).any()


def test_h_shows_the_original_without_outlines_while_it_is_held(
    ready, client, hand, press_on, settle
) -> None:
    press_on(ready, ready.region.add_button)
    press_on(ready, ready.layout_.segmentation.segment_button)
    press_on(ready, ready.footer.generate_button)
    client.play()
    settle(ready)
    before = visible(hand)
    assert {"Layout · Region 1", "Synthetic preview"} <= before
    region = ready.session.regions.active.region
    hand.move(ready.link.slide_layer.data_to_world((region.y + 20, region.x + 20)))
    hand.viewer.window._qt_viewer.canvas.native.setFocus()
    with hand.holding("h"):
        settle(ready)
        assert before - visible(hand) == {"Layout · Region 1", "Synthetic preview"}
    settle(ready)
    assert visible(hand) == before
