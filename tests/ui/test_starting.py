"""Starting from the tissue or a variant in the window."""

from __future__ import annotations

import napari
import numpy as np
import pytest
from mouse import drag
from scipy.ndimage import distance_transform_edt

from napari_pixcell.slides.samples import SAMPLE_SLIDE
from napari_pixcell.ui.commands import change_part
from napari_pixcell.ui.demo import click


def choose(panel, name: str) -> None:
    panel.start_from.setCurrentIndex(panel.start_from.findData(name))
    panel.start_from.activated.emit(panel.start_from.currentIndex())


def test_the_strength_of_the_change_is_shown_and_requested(ready, client, settle, press) -> None:
    press(ready.region.add_button)
    panel, footer, session = ready.generate.start, ready.footer, ready.session
    assert panel.body.isHidden() and panel.button.text() == "Start from"
    panel.button.click()
    assert not panel.body.isHidden() and not panel.strength.isEnabled()
    assert footer.guide_button.text() == "Find the cells"
    assert footer.generate_button.text() == "or without a layout"
    choose(panel, "tissue")
    settle(ready)
    panel.strength.setValue(0.3)
    settle(ready)
    assert panel.button.text() == "Start from tissue"
    assert panel.strength.value() == pytest.approx(0.3)
    assert panel.words.text().startswith("Most cells stay in position.")
    assert not footer.guide_button.isVisible()  # the tissue has cells in place
    assert "cell positions" not in footer.state.text() and not panel.feather.isVisible()
    press(footer.generate_button)
    request = client.waiting[0][0]
    assert request.strength == 0.3 and request.part is None
    np.testing.assert_array_equal(request.start.unpack(), session.regions.active.pixels)
    choose(panel, "shown")
    settle(ready)
    assert footer.generate_button.text() == "Show a variant to start from"
    choose(panel, "nothing")
    settle(ready)
    assert footer.generate_button.isEnabled() and not panel.words.text()
    client.play()
    settle(ready)
    assert footer.generate_button.text() == "Generate 4 variants"
    assert footer.state.text().endswith("Without a layout, cell positions are not preserved.")


def test_only_the_marked_area_changes(ready, client, settle, press) -> None:
    press(ready.region.add_button)
    panel, footer = ready.generate.start, ready.footer
    panel.button.click()
    settle(ready)
    change_part(ready.viewer)
    settle(ready)
    assert panel.only_part.isChecked() and panel.start_from.currentData() == "tissue"
    assert footer.generate_button.text() == "Mark an area first"
    layer = ready.link.find("area", ready.session.regions.active.number)
    drag(layer, *(tuple(layer.data_to_world(point)) for point in ((8, 8), (8, 20))))
    settle(ready)
    assert footer.generate_button.text() == "Generate 4 variants in the marked area"
    panel.feather.setValue(3)
    settle(ready)
    press(footer.generate_button)
    request = client.waiting[0][0]
    assert request.feather == 6
    np.testing.assert_array_equal(request.part.unpack() > 0, ready.session.regions.active.part)
    panel.only_part.click()
    settle(ready)
    assert footer.generate_button.text() == "Queue 4 variants"
    assert not panel.feather.isVisible()


@pytest.mark.usefixtures("one_worker")
def test_the_real_worker_changes_the_marked_area_only(viewer: napari.Viewer, qtbot) -> None:
    _, studio = viewer.window.add_plugin_dock_widget("napari-pixcell", "PixCell studio")
    session, panel = studio.session, studio.generate.start
    studio.actions.open(SAMPLE_SLIDE)
    qtbot.waitUntil(lambda: session.slides.ready, timeout=60_000)
    qtbot.wait(60)
    click(studio.region.add_button)
    qtbot.waitUntil(lambda: not session.busy, timeout=300_000)
    session.settings.count, session.settings.steps = 1, 2
    panel.mark()
    item = session.regions.active
    layer = studio.link.find("area", item.number)
    drag(layer, *(tuple(layer.data_to_world(point)) for point in ((8, 8), (8, 20))))
    qtbot.wait(60)
    click(studio.footer.generate_button)
    qtbot.waitUntil(lambda: not session.busy, timeout=300_000)
    assert not session.notices.problems
    (result,) = session.gallery.results
    changed = (result.image != item.pixels).any(axis=-1)
    assert changed[item.part].mean() > 0.9
    assert not changed[distance_transform_edt(~item.part) >= 16].any()
    studio.close_session()
