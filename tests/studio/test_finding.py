"""Searches done over with other thresholds, in a part, and beside cells that are there."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.slides import Region


@pytest.fixture
def item(session):
    found = session.regions.draw(Region(100, 100, 384, 300))
    session.wait(60)
    return found


def search(session, **settings):
    for name, value in settings.items():
        setattr(session.settings, name, value)
    session.segmentation.segment()
    session.wait(60)


def again(session, **settings) -> None:
    for name, value in settings.items():
        setattr(session.settings, name, value)
    session.segmentation.outline_again()
    session.wait(60)


def test_other_thresholds_replace_the_segmented_cells_in_one_undo_step(session, item) -> None:
    painted = np.zeros((300, 384), np.int32)
    painted[5:9, 5:9] = 3
    session.layouts.set(item.number, painted, "painted", LayoutSource("painted"))
    search(session)
    usual = item.layout.copy()
    again(session, sensitivity=0.8)
    assert np.count_nonzero(item.layout) > np.count_nonzero(usual)
    again(session, sensitivity=-0.8)
    fewer = item.layout.copy()
    assert 0 < np.count_nonzero(fewer) < np.count_nonzero(usual)
    again(session, sensitivity=0.0)
    np.testing.assert_array_equal(item.layout, usual)
    middle = float(np.median(np.bincount(usual.ravel())[1:])) / 4  # µm²
    again(session, smallest_um2=middle)
    assert item.cells > 0 and np.bincount(item.layout.ravel())[1:].min() / 4 >= middle
    session.layouts.undo(item.number)
    np.testing.assert_array_equal(item.layout, painted)


def test_other_thresholds_equal_a_new_segmentation(session, item) -> None:
    search(session)
    again(session, sensitivity=0.5)
    first = item.layout.copy()
    search(session)
    np.testing.assert_array_equal(item.layout, first)


def test_existing_cells_can_be_kept(session, item) -> None:
    there = np.zeros((300, 384), np.int32)
    there[100:200, 100:250] = 7
    session.layouts.set(item.number, there, "painted", LayoutSource("painted"), {7: "Gland"})
    search(session, keep_cells=True)
    np.testing.assert_array_equal(item.layout == 7, there == 7)
    assert item.cells > 5 and item.classes == {7: "Gland"} and item.layout_source.edited
    search(session, keep_cells=False)
    assert not (item.layout[100:200, 100:250] > 0).all() and item.classes == {}


def test_only_the_marked_area_is_segmented(session, item) -> None:
    there = np.zeros((300, 384), np.int32)
    there[20:30, 20:30], there[250:260, 350:360] = 1, 2
    session.layouts.set(item.number, there, "painted", LayoutSource("painted"))
    part = np.zeros((300, 384), bool)
    part[:, :150] = True
    session.segmentation.segment(part)
    session.wait(60)
    assert (item.layout[250:260, 350:360] == 2).all()
    others = item.layout.copy()
    others[item.layout == 2] = 0
    assert others[:, :150].any() and not others[:, 200:].any()
    assert not (item.layout == 1).any()


@pytest.mark.parametrize(
    ("part", "words"),
    [(np.zeros((300, 384), bool), "Paint over"), (np.ones((10, 10), bool), "Mark it again")],
)
def test_an_area_too_small_to_segment_is_reported(session, item, part, words) -> None:
    session.segmentation.segment(part)
    session.wait(60)
    assert words in session.notices.problems["layout"]
    assert item.layout is None


def test_rejected_cells_stay_away_and_painting_disables_the_sliders(session, item) -> None:
    search(session)
    label = int(item.layout.max())
    where = item.layout == label
    session.segmentation.reject_cells({label})
    assert not item.layout[where].any() and session.segmentation.last_search is not None
    again(session, sensitivity=0.4)
    assert np.count_nonzero(item.layout[where]) < 0.5 * np.count_nonzero(where)
    session.segmentation.reject_cells({10**6})
    item.layout[10:20, 10:20] = 9999
    session.layouts.edited(item.number)
    assert session.segmentation.last_search is None
    before = item.layout.copy()
    again(session, sensitivity=-0.4)
    np.testing.assert_array_equal(item.layout, before)


def test_a_slider_does_not_segment_a_moved_region(session, item) -> None:
    search(session)
    session.regions.move(item.number, Region(140, 100, 384, 300))
    session.wait(60)
    before = item.layout.copy()
    assert session.segmentation.last_search is None
    again(session, sensitivity=0.9)
    np.testing.assert_array_equal(item.layout, before)
