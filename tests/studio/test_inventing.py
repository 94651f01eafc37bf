"""Invented cells in a session: all over a region, in a part, and beside cells that stay."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from napari_pixcell.cells.inventing.invent import invent as make
from napari_pixcell.cells.inventing.recipe import Recipe
from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.slides import Region

FOUND = LayoutSource("cellpose", "cpsam_v2", "abc", "non-commercial")


@pytest.fixture
def item(session):
    found = session.regions.draw(Region(100, 100, 384, 300))
    session.wait(60)
    labels = np.zeros((300, 384), np.int32)
    labels[20:40, 20:40], labels[250:270, 340:360] = 4, 9
    session.layouts.set(
        found.number, labels, "segmented by Cellpose", FOUND, {4: "Tumor", 9: "Stroma"}
    )
    session.invention.change(density=4000.0)
    return found


def classes_of(item) -> dict[int, str]:
    there = set(np.unique(item.layout).tolist())
    return {label: name for label, name in item.classes.items() if label in there}


def invent(session) -> None:
    session.invention.invent()
    session.wait(60)
    assert not session.invention.busy


def test_inventing_cells_of_a_region_can_be_undone(session, item) -> None:
    before = item.layout
    invent(session)
    assert item.cells > 50 and item.classes == {} and item.layout_origin == "invented"
    assert item.layout_source == LayoutSource(
        "invented", recipe=replace(session.invention.recipe, seed=0).to_dict()
    )
    assert session.invention.recipe.seed == 1 and "(seed 0)" in session.notices.notes["layout"]
    session.layouts.undo(item.number)
    assert item.layout is before and item.classes == {4: "Tumor", 9: "Stroma"}


def test_a_painted_density_is_recorded_and_reproduces_the_cells(session, item) -> None:
    session.layouts.set(item.number, None)
    area = np.ones((38, 48), np.uint8)
    area[:, :20], area[:, 30:] = 2, 3
    item.area = area
    invent(session)
    source = LayoutSource.from_dict(json.loads(json.dumps(item.layout_source.to_dict())))
    density = PackedArray.from_dict(source.density_map).unpack()
    recipe = Recipe.from_dict(source.recipe)
    again = make(recipe, item.size, session.settings.model.mpp, density_map=density)
    np.testing.assert_array_equal(again.labels > 0, item.layout > 0)


def test_cells_beside_the_marked_area_keep_their_classes_and_licence(session, item) -> None:
    area = np.zeros((38, 48), np.uint8)
    area[:, :20] = 1
    item.area = area
    invent(session)
    assert (item.layout[250:270, 340:360] == 9).all() and not (item.layout == 4).any()
    assert item.classes[9] == "Stroma" and item.layout[:, 250:].max() == 9
    source = item.layout_source
    assert source.licence == "non-commercial" and source.edited
    assert source.recipe["density"] == 4000
    assert item.layout_origin == "segmented by Cellpose, then invented"


def test_existing_cells_can_be_kept(session, item) -> None:
    session.settings.keep_cells = True
    invent(session)
    for label, place in ((4, np.s_[20:40, 20:40]), (9, np.s_[250:270, 340:360])):
        assert (item.layout[place] == label).all()
    assert item.cells > 50 and item.classes == {4: "Tumor", 9: "Stroma"}


def test_varied_cells_keep_their_licence(session, item) -> None:
    session.invention.change(seed=2)
    session.invention.vary(jitter_um=1.0, drop=0.0, add=1.0)
    session.wait(60)
    assert item.layout_source.licence == "non-commercial" and item.layout_source.edited
    assert item.cells >= 3 and item.layout_origin == "segmented by Cellpose, varied"


def test_the_recipe_can_follow_a_layout(session, item) -> None:
    invent(session)
    session.invention.change(density=50.0, area_um2=200.0)
    session.invention.measure_like(item.number)
    session.wait(60)
    assert (
        3000 < session.invention.recipe.density < 5000
        and 25 < session.invention.recipe.area_um2 < 50
    )
    assert (
        session.notices.notes["layout"]
        == "The numbers are those of Region 1. Press “Invent cells”."
    )


def test_inventing_reports_progress_and_a_cancel_changes_nothing(session, item) -> None:
    before, seed, told = item.layout, session.invention.recipe.seed, []
    session.changed.connect(
        lambda: told.append(session.invention.task and session.invention.task.sentence())
    )
    session.regions.draw(Region(100, 100, 690, 690))
    session.wait(60)
    large = session.regions.active
    session.invention.change(density=25_000.0, area_um2=20.0, gap_um=0.0)
    session.invention.invent()
    session.invention.measure_like(item.number)  # waits for it
    session.wait(60, until=lambda: session.invention.task.done > 0)
    session.cancel()
    assert not session.invention.busy
    session.wait(60)
    assert large.layout is None and item.layout is before and session.invention.recipe.seed == seed
    assert session.invention.recipe.density == 25_000 and not session.notices.problems
    assert "Inventing…" in told
    session.invention.change(density=4000.0)
    invent(session)
    assert large.cells > 100


def test_a_variation_without_room_is_reported(session, item) -> None:
    labels = np.zeros((300, 384), np.int32)
    for i, (y, x) in enumerate((y, x) for y in range(2, 290, 20) for x in range(2, 370, 20)):
        labels[y : y + 18, x : x + 18] = i + 1
    session.layouts.set(item.number, labels, "test", FOUND)
    session.invention.vary(jitter_um=0.0, drop=0.0, add=1.0)
    session.wait(60)
    assert session.notices.notes["layout"].startswith(
        "0 cells dropped, 0 of 285 added; there is no room"
    )


def test_invented_cells_have_the_classes_of_the_recipe(session, item) -> None:
    area = np.zeros((38, 48), np.uint8)
    area[:, :20] = 1
    item.area = area
    session.invention.change(classes={"Lymphocyte": 1})
    invent(session)
    came = dict.fromkeys(range(10, 9 + item.cells), "Lymphocyte")
    assert classes_of(item) == {9: "Stroma"} | came
    invent(session)
    names = list(classes_of(item).values())
    assert names.count("Stroma") == 1 and names.count("Lymphocyte") == item.cells - 1
