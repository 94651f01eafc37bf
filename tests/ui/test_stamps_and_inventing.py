"""Stamped nuclei and invented layouts in the window."""

from __future__ import annotations

import numpy as np
import pytest
from mouse import drag

from napari_pixcell.cells.editing import label_at
from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.slides import Region
from napari_pixcell.ui.demo import click


@pytest.fixture
def region(ready, press):
    press(ready.region.add_button)
    return ready


def world(layer, *points: tuple[float, float]) -> list[tuple[float, float]]:
    return [tuple(layer.data_to_world(point)) for point in points]


def labels_of(studio) -> np.ndarray:
    return studio.link.tools.layer.data


def stamp(studio, press):
    press(studio.layout_.tools.buttons["stamp"])
    assert studio.session.invention.stamps is not None and studio.layout_.stamps.isVisible()
    return studio.link.tools.layer


def test_a_click_places_one_nucleus_and_a_drag_scatters_many(region, press) -> None:
    layer = stamp(region, press)
    drag(layer, *world(layer, (100, 100)))
    assert len(np.unique(layer.data)) == 2 and label_at(layer.data, (100, 100)) == 1
    drag(layer, *world(layer, (160, 30), (160, 230)))
    along = len(np.unique(layer.data)) - 2
    assert 9 <= along <= 11  # 100 µm, one every 10
    before = layer.data.copy()
    drag(layer, *world(layer, (160, 30), (160, 230)))  # where there are some already
    np.testing.assert_array_equal(layer.data[before > 0], before[before > 0])
    region.link.tools.history.undo()
    np.testing.assert_array_equal(layer.data, before)
    region.link.tools.history.undo()
    assert len(np.unique(layer.data)) == 2


def test_spacing_size_and_direction_can_be_set(region, press) -> None:
    layer, section = stamp(region, press), region.layout_.stamps
    section.spacing.setValue(20)
    section.size.setValue(2)
    drag(layer, *world(layer, (100, 30), (100, 230)))
    count = len(np.unique(layer.data)) - 1
    large = np.median(np.bincount(layer.data.ravel())[1:])
    assert 4 <= count <= 6
    section.size.setValue(0.5)
    drag(layer, *world(layer, (200, 30), (200, 230)))
    small = np.median(np.bincount(layer.data.ravel())[count + 1 :])
    assert large > 2.5 * small
    section.along.setChecked(True)
    assert region.link.tools.stamping.along


def test_stamps_can_come_from_any_layout(region, settle, press) -> None:
    session, labels = region.session, np.zeros((256, 256), np.int32)
    for i in range(8):
        labels[20 : 20 + 6, 10 + 30 * i : 32 + 30 * i] = i + 1  # long bars
    session.layouts.set(1, labels, "test", LayoutSource("painted"))
    settle(region)
    layer, section = stamp(region, press), region.layout_.stamps
    assert [section.source.itemText(i) for i in range(2)] == ["bundled", "Region 1"]
    section.source.setCurrentIndex(1)
    section.source.activated.emit(1)
    settle(region)
    assert session.invention.stamps_of == 1
    drag(layer, *world(layer, (150, 128)))
    rows, columns = np.nonzero(layer.data == 9)
    sides = np.linalg.svd(np.stack([rows - rows.mean(), columns - columns.mean()]))[1]
    assert sides[0] > 2.5 * sides[1]


def test_cells_are_invented_from_a_recipe_and_a_seed(region, settle, press) -> None:
    session, section = region.session, region.layout_.inventing
    section.button.setChecked(True)
    section.fields["density"].setValue(4000)
    press(section.invent_button)
    first = labels_of(region).copy()
    assert 55 <= session.regions.active.cells <= 70
    assert region.layout_.note.text().endswith("placed. (seed 0)")
    assert (
        session.regions.active.layout_source.recipe["density"] == 4000
        and section.fields["seed"].value() == 1
    )
    press(section.invent_button)
    assert not np.array_equal(labels_of(region), first)
    section.fields["seed"].setValue(0)
    press(section.invent_button)
    np.testing.assert_array_equal(labels_of(region), first)
    region.link.tools.history.undo()
    settle(region)
    assert not np.array_equal(labels_of(region), first)


def test_cells_are_invented_in_the_marked_area_only(region, settle, press) -> None:
    session, labels = region.session, np.zeros((256, 256), np.int32)
    labels[20:30, 20:30], labels[200:210, 200:210] = 5, 6
    session.layouts.set(1, labels, "test", LayoutSource("painted"))
    settle(region)
    click(region.layout_.area.mark_button)
    area = region.link.find("area", 1)
    area.data[:16] = 1  # the upper half
    region.layout_.inventing.fields["density"].setValue(6000)
    press(region.layout_.inventing.invent_button)
    found = labels_of(region)
    np.testing.assert_array_equal(found[200:210, 200:210], 6)
    assert len(np.unique(found[:128])) > 20
    assert set(np.unique(found[150:])) == {0, 6}


def test_a_recipe_is_measured_and_a_layout_varied(region, settle, press) -> None:
    session, section = region.session, region.layout_.inventing
    density, area = section.fields["density"], section.fields["area_um2"]
    density.setValue(5000)
    area.setValue(50)
    press(section.invent_button)
    density.setValue(100)
    section.like.setCurrentIndex(1)
    section.like.activated.emit(1)
    settle(region)
    assert 4300 <= density.value() <= 5700 and 40 <= area.value() <= 60
    before = labels_of(region).copy()
    press(section.vary_button)
    varied = labels_of(region)
    assert not np.array_equal(varied, before)
    assert abs(len(np.unique(varied)) - len(np.unique(before))) <= 10
    section.jitter.setValue(0)
    section.drop.setValue(50)
    section.more.setValue(0)
    press(section.vary_button)
    half = labels_of(region)
    assert set(np.unique(half)) < set(np.unique(varied))
    np.testing.assert_array_equal(half[half > 0], varied[half > 0])
    left_out = round(0.5 * (len(np.unique(varied)) - 1))
    assert f"{left_out} cells dropped, 0 added." in region.layout_.note.text()
    assert session.regions.active.layout_origin == "invented, varied"
    assert session.regions.active.layout_source.edited


def test_impossible_values_are_reported(region, settle) -> None:
    region.session.invention.change(density=99_999.0)
    settle(region)
    assert "Choose one from 0 to 30,000" in region.layout_.problem.text()
    labels = np.zeros((256, 256), np.int32)
    labels[:9, :9] = 1  # cut by the border: no shape to stamp with
    region.session.layouts.set(1, labels, "test", LayoutSource("painted"))
    settle(region)
    region.session.invention.measure_like(1)
    settle(region)
    assert "Choose one with more cells" in region.layout_.problem.text()
    region.session.invention.use_stamps(1)
    settle(region)
    assert "or the bundled stamps" in region.layout_.problem.text()
    assert region.session.invention.stamps is None and region.session.invention.stamps_of == 0


def test_inventing_shows_progress_and_escape_cancels_it(region, qtbot, settle) -> None:
    session, section = region.session, region.layout_.inventing
    section.button.setChecked(True)
    session.regions.draw(Region(0, 0, 800, 800))
    settle(region)
    session.invention.change(density=25_000.0, area_um2=20.0)
    assert not section.bar.isVisible() and not section.cancel_button.isVisible()
    click(section.invent_button)
    state = region.layout_.state
    qtbot.waitUntil(lambda: state.text().endswith(" of 4,000 cells"), timeout=20_000)
    assert state.text().startswith("Inventing… ")
    assert section.bar.maximum() == 4000 and section.cancel_button.isVisible()
    {str(key): act for key, act in region.viewer.keymap.items()}["Escape"](region.viewer)
    qtbot.wait(60)
    assert not section.bar.isVisible() and section.invent_button.isEnabled()
    settle(region)
    assert session.regions.active.layout is None and not session.notices.problems
