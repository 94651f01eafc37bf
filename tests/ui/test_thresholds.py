"""Thresholds of a segmentation in the window."""

from __future__ import annotations

import numpy as np
import pytest
from mouse import drag

from napari_pixcell.cells.editing import label_at
from napari_pixcell.ui.demo import click


@pytest.fixture
def found(ready, press):
    press(ready.region.add_button)
    press(ready.layout_.segmentation.segment_button)
    ready.layout_.segmentation.adjust.button.setChecked(True)
    return ready


def move(studio, qtbot, settle, **values) -> None:
    sliders = studio.layout_.segmentation.thresholds
    for name, value in values.items():
        getattr(sliders, name).setValue(value)
    qtbot.wait(400)
    settle(studio)


def test_thresholds_change_the_cells_until_they_are_edited(found, qtbot, settle) -> None:
    sliders, item = found.layout_.segmentation.thresholds, found.session.regions.active
    assert sliders.isVisible() and sliders.sensitivity.isEnabled() and not sliders.more.isEnabled()
    layer = found.link.tools.layer
    usual = np.count_nonzero(layer.data)
    move(found, qtbot, settle, sensitivity=0.9)
    assert np.count_nonzero(layer.data) > usual and layer.data is item.layout
    click(found.layout_.tools.buttons["paint"])
    move(found, qtbot, settle, sensitivity=0.0, smallest=30)
    assert layer.mode == "paint" and found.layout_.tools.buttons["paint"].isChecked()
    assert item.cells > 0 and np.bincount(layer.data.ravel())[1:].min() >= 120
    assert not sliders.hint.text()
    drag(layer, *[tuple(layer.data_to_world(p)) for p in ((10, 10), (10, 30))])
    qtbot.waitUntil(lambda: bool(sliders.hint.text()), timeout=5_000)
    before = layer.data.copy()
    move(found, qtbot, settle, sensitivity=-0.9)
    np.testing.assert_array_equal(layer.data, before)


def test_cells_above_the_largest_area_are_left_out(found, qtbot, settle) -> None:
    layer = found.link.tools.layer
    largest = float(np.bincount(layer.data.ravel())[1:].max() / 4)
    move(found, qtbot, settle, largest=int(largest / 2))
    areas = np.bincount(layer.data.ravel())[1:] / 4
    assert 0 < areas.max() <= int(largest / 2)
    move(found, qtbot, settle, largest=0)
    assert np.bincount(layer.data.ravel())[1:].max() / 4 == largest


def test_a_deleted_cell_stays_deleted(found, qtbot, settle) -> None:
    layer = found.link.tools.layer
    label = int(layer.data.max())
    where = layer.data == label
    point = tuple(np.argwhere(where)[np.count_nonzero(where) // 2])
    drag(layer, tuple(layer.data_to_world(point)), modifiers=["Control"])
    settle(found)
    assert not layer.data[where].any()
    move(found, qtbot, settle, sensitivity=0.3)
    assert np.count_nonzero(layer.data[where]) < 0.5 * np.count_nonzero(where)


def test_deleting_a_cell_paints_nothing(found, settle) -> None:
    layer = found.link.tools.layer
    click(found.layout_.tools.buttons["paint"])
    label = int(layer.data.max())
    where = layer.data == label
    point = tuple(np.argwhere(where)[np.count_nonzero(where) // 2])
    places = [tuple(layer.data_to_world(p)) for p in (point, (point[0], point[1] + 1))]
    drag(layer, *places, modifiers=["Control"])
    settle(found)
    assert not layer.data[where].any() and layer.data.max() < label
    assert layer.mode == "paint"


def test_segmenting_a_marked_area_keeps_the_other_cells(found, press) -> None:
    session, finding = found.session, found.layout_.segmentation
    layer = found.link.tools.layer
    click(found.layout_.area.mark_button)
    found.link.find("area", 1).data[:, :16] = 1
    before = layer.data.copy()
    session.settings.sensitivity = 0.9  # not by the slider, which would outline all cells again
    press(finding.segment_button)
    right = np.setdiff1d(before[:, 140:], before[:, :140])
    assert all(np.array_equal(layer.data == n, before == n) for n in right[:5])
    assert np.count_nonzero(layer.data[:, :128]) > np.count_nonzero(before[:, :128])
    finding.keep.setChecked(True)
    assert session.settings.keep_cells
    kept = label_at(layer.data, tuple(np.argwhere(layer.data)[0]))
    press(finding.segment_button)
    assert (layer.data == kept).any()
