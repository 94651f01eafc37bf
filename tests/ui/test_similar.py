"""The search for similar tissue in the window."""

from __future__ import annotations

import numpy as np
import pytest
from two_tissues import ColourClient, two_tissues

from napari_pixcell.slides import ArraySlide
from napari_pixcell.ui.demo import click
from napari_pixcell.ui.layers.slide import role


@pytest.fixture
def client() -> ColourClient:
    return ColourClient()


@pytest.fixture
def panel(studio, settle):
    """The panel, with a region on pink tissue."""
    studio.link.add_slide(ArraySlide([two_tissues()], 0.5, "case 7"))
    settle(studio)
    studio.session.regions.add((300, 900))
    settle(studio)
    return studio.region.similar


@pytest.fixture
def found(panel, studio, qtbot, settle):
    click(panel.find_button)
    qtbot.waitUntil(lambda: studio.session.similar.job is None, timeout=20_000)
    settle(studio)
    return panel


def test_the_map_lies_exactly_over_the_slide_and_below_the_regions(found, studio) -> None:
    layer, slide = studio.link.find("similar"), studio.link.slide_layer
    assert layer.name == "Similar tissue · Region 1"
    outer = [layer.data_to_world((-0.5, -0.5)), layer.data_to_world((5.5, 7.5))]
    whole = [slide.data_to_world((-0.5, -0.5)), slide.data_to_world((1535.5, 2047.5))]
    np.testing.assert_allclose(outer, whole, atol=1e-9)
    assert [role(one) for one in studio.viewer.layers] == ["", "similar", "regions"]
    assert studio.viewer.layers.selection.active is not layer
    shot = studio.viewer.screenshot(canvas_only=True, flash=False)[..., :3]
    layer.visible = False
    plain = studio.viewer.screenshot(canvas_only=True, flash=False)[..., :3]
    glass = (plain > 235).all(axis=-1)
    purple = (abs(plain - np.array([110, 60, 140])) < 25).all(axis=-1)
    assert glass.any() and purple.any()
    changed = (shot != plain).any(axis=-1)
    assert changed[purple].mean() > 0.95  # darkened: it is not like the region
    assert not changed[glass].mean() > 0.05


def test_the_best_matches_can_be_visited_and_used_as_regions_or_styles(
    found, studio, settle
) -> None:
    session = studio.session
    best = session.similar.found.best
    assert [made.text() for made in found.thumbnails] == [place.percent for place, _ in best]
    assert found.state.text() == "Most similar to Region 1"
    place = best[-1][0]
    click(found.thumbnails[-1])
    y, x = studio.link.slide_layer.world_to_data(studio.viewer.scene.camera.center[-2:])
    region = place.region
    assert abs(x - region.x - region.width / 2) < 1 and abs(y - region.y - region.height / 2) < 1
    actions = {action.text(): action for action in found.menu(place).actions()}
    assert list(actions) == ["Go to match", "Add region here", "Use as style of Region 1"]
    actions["Use as style of Region 1"].trigger()
    settle(studio)
    assert (
        session.regions.active.name == "Region 1"
        and studio.style_.choice.currentText() == "Region 2"
    )
    assert session.styles.source_region().region == region


def test_the_map_can_be_hidden_deleted_and_shown_again(found, studio, settle) -> None:
    link, viewer = studio.link, studio.viewer
    click(found.map_box)
    settle(studio)
    assert not link.find("similar").visible
    link.find("similar").visible = True
    settle(studio)
    assert found.map_box.isChecked()
    viewer.layers.remove(link.find("similar"))
    settle(studio)
    assert not found.map_box.isChecked() and found.thumbnails
    click(found.map_box)
    settle(studio)
    assert link.find("similar").visible
    click(found.close_button)
    settle(studio)
    assert link.find("similar") is None and not found.isVisible()


def test_the_map_is_removed_with_its_slide(found, studio, settle) -> None:
    studio.viewer.layers.remove(studio.link.slide_layer)
    settle(studio)
    assert studio.link.find("similar") is None and not found.isVisible()


def test_a_search_shows_its_progress_and_can_be_cancelled(
    panel, studio, client, qtbot, settle
) -> None:
    client.hold_from = len(client.requests) + 2
    click(panel.find_button)
    qtbot.waitUntil(lambda: "4 of 32 positions" in panel.state.text(), timeout=20_000)
    assert panel.bar.isVisible() and panel.bar.value() == 4 and panel.bar.maximum() == 32
    assert not panel.find_button.isEnabled()
    assert "A search is under way" in panel.find_button.toolTip()
    click(panel.cancel_button)
    settle(studio)
    assert not panel.bar.isVisible() and panel.find_button.isEnabled()
    assert panel.state.text().endswith("4 of 32 positions compared")


def test_the_button_is_disabled_without_a_region(studio, settle) -> None:
    studio.link.add_slide(ArraySlide([two_tissues()], 0.5, "case 7"))
    settle(studio)
    button = studio.region.similar.find_button
    assert not button.isEnabled() and "Add a region first" in button.toolTip()
    assert not studio.region.similar.isVisible()
