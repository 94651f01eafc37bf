"""The marked area of a region, and the condition image of its layout."""

from __future__ import annotations

import numpy as np
import pytest
from mouse import drag

from napari_pixcell.cells import condition_image
from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.slides import Region
from napari_pixcell.ui.demo import click


@pytest.fixture
def drawn(ready, settle):
    """A studio with a region of 301 × 280 px and two touching cells."""
    ready.session.regions.draw(Region(100, 60, 301, 280))
    settle(ready)
    labels = np.zeros((280, 301), np.int32)
    labels[50:70, 50:70], labels[50:70, 70:90] = 1, 2
    ready.session.layouts.set(1, labels, "test", LayoutSource("painted"))
    settle(ready)
    return ready


def at(layer, *points: tuple[float, float]) -> list[tuple[float, float]]:
    return [tuple(layer.data_to_world(point)) for point in points]


def test_an_area_is_painted_in_coarse_pixels_exactly_over_its_region(drawn, settle) -> None:
    section, item = drawn.layout_.area, drawn.session.regions.active
    assert item.part is None and not section.clear_button.isEnabled()
    click(section.mark_button)
    settle(drawn)
    assert section.state.text() == "Paint over the area."
    layer = drawn.link.find("area", 1)
    assert drawn.viewer.layers.selection.active is layer and layer.mode == "paint"
    drag(layer, *at(layer, (20, 10), (20, 30)))
    settle(drawn)
    assert "are segmented and invented in the marked area" in section.state.text()
    part = item.part
    assert part.shape == (280, 301) and 0.1 < part.mean() < 0.3
    rows, columns = np.nonzero(part)
    # A coarse pixel covers 8 × 8 px of the image, so both corners coincide in world coordinates.
    cells = drawn.link.find("layout", 1)
    first = cells.data_to_world((rows.min() - 0.5, columns.min() - 0.5))
    coarse = np.argwhere(layer.data > 0)
    np.testing.assert_allclose(first, layer.data_to_world(coarse.min(axis=0) - 0.5), atol=1e-6)
    section.kind.setCurrentIndex(1)
    section.mark()
    assert layer.selected_label == 2
    click(section.clear_button)
    settle(drawn)
    assert item.part is None and drawn.link.find("area", 1) is None


def test_an_area_moves_with_its_region_and_is_discarded_on_resize(drawn, settle) -> None:
    session, link = drawn.session, drawn.link
    click(drawn.layout_.area.mark_button)
    layer = link.find("area", 1)
    drag(layer, *at(layer, (5, 5), (8, 8)))
    before = layer.translate.copy()
    session.regions.move(1, Region(140, 100, 301, 280))
    settle(drawn)
    np.testing.assert_allclose(layer.translate - before, (20, 20))
    session.regions.move(1, Region(140, 100, 400, 280))
    settle(drawn)
    assert session.regions.active.area is None and link.find("area", 1) is None
    click(drawn.layout_.area.mark_button)
    drawn.viewer.layers.remove(link.find("area", 1))
    settle(drawn)
    assert session.regions.active.area is None and not drawn.layout_.area.clear_button.isEnabled()


def test_the_condition_image_follows_edits_of_the_layout(drawn, qtbot, settle) -> None:
    box, link = drawn.layout_.condition, drawn.link
    box.setChecked(True)
    settle(drawn)
    layer, cells = link.find("condition"), link.find("layout", 1)
    np.testing.assert_array_equal(layer.data, condition_image(cells.data))
    assert not layer.data[60, 70].any()  # a gap between the two that touch
    np.testing.assert_allclose(layer.translate, cells.translate)
    drawn.layout_.tools.buttons["paint"].click()
    drag(cells, *at(cells, (200, 200), (200, 220)))
    qtbot.waitUntil(lambda: layer.data[200, 210].all(), timeout=5_000)
    drawn.session.layouts.set(1, None)
    settle(drawn)
    qtbot.waitUntil(lambda: link.find("condition") is None, timeout=5_000)
    link.tools.history.undo()
    qtbot.waitUntil(lambda: link.find("condition") is not None, timeout=5_000)
    drawn.viewer.layers.remove(link.find("condition"))
    settle(drawn)
    assert not box.isChecked()


def test_cells_too_large_for_nuclei_raise_a_warning(drawn, settle) -> None:
    labels = np.zeros((280, 301), np.int32)
    labels[10:200, 10:200] = 1
    drawn.session.layouts.set(1, labels, "test", LayoutSource("painted"))
    settle(drawn)
    assert "far larger than nuclei" in drawn.layout_.advice.text()
