"""Cells are deleted, merged, split, filled, grown and shrunk; their neighbours stay."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.draw import disk, ellipse

from napari_pixcell.cells.editing import Patch, delete, fill_holes, grow, label_at, merge, split


@pytest.fixture
def labels() -> np.ndarray:
    """Three cells: a long one, and two with a gap of two pixels."""
    image = np.zeros((300, 400), np.int32)
    image[ellipse(60, 100, 15, 60)] = 1
    image[disk((200, 100), 20)] = 2
    image[disk((200, 142), 20)] = 3
    return image


def after(labels: np.ndarray, patch: Patch | None) -> np.ndarray:
    assert patch is not None
    changed = labels.copy()
    indices, values = patch.changes()
    changed[indices] = values
    applied = labels.copy()
    patch.apply(applied)
    np.testing.assert_array_equal(changed, applied)
    patch.undo(applied)
    np.testing.assert_array_equal(applied, labels)
    return changed


def test_only_the_deleted_cell_is_removed(labels) -> None:
    changed = after(labels, delete(labels, (60, 45.4)))
    assert set(np.unique(changed)) == {0, 2, 3}
    np.testing.assert_array_equal(changed[150:], labels[150:])
    assert delete(labels, (10, 10)) is None and delete(labels, (-5, 900)) is None


def test_merged_cells_have_no_gap(labels) -> None:
    changed = after(labels, merge(labels, (200, 100), (200, 142)))
    assert set(np.unique(changed)) == {0, 1, 2}
    assert ndimage.label(changed == 2)[1] == 1 and changed[200, 121] == 2
    grown = (changed == 2).sum() - (labels >= 2).sum()
    assert 0 < grown < 60  # the gap, not the hollow between two discs
    assert merge(labels, (200, 100), (200, 105)) is None
    assert merge(labels, (200, 100), (5, 5)) is None


def test_cells_that_are_far_apart_are_not_merged() -> None:
    labels = np.zeros((64, 64), np.int32)
    labels[10:20, 10:20], labels[10:20, 40:50] = 1, 2
    assert merge(labels, (15, 15), (15, 45)) is None


@pytest.mark.parametrize(
    "line", [[(30, 100), (90, 100)], [(30, 60), (60, 90), (61, 95), (95, 150)]]
)
def test_a_line_splits_a_cell_without_losing_area(labels, line) -> None:
    changed = after(labels, split(labels, line, 9))
    parts = [(changed == n).sum() for n in (1, 9)]
    assert sum(parts) == (labels == 1).sum() and parts[0] >= parts[1] > 100
    assert all(ndimage.label(changed == n)[1] == 1 for n in (1, 9))
    np.testing.assert_array_equal(changed[150:], labels[150:])


def test_a_line_through_several_cells_cuts_each(labels) -> None:
    changed = after(labels, split(labels, [(200, 60), (200, 180)], 4))
    assert set(np.unique(changed)) == {0, 1, 2, 3, 4, 5}
    assert all((changed > 0)[labels == n].all() for n in (2, 3))


def test_a_line_that_ends_in_a_cell_cuts_nothing(labels) -> None:
    assert split(labels, [(30, 100), (60, 100)], 9) is None
    assert split(labels, [(5, 5), (6, 300)], 9) is None
    assert split(labels, [(-40, -40), (-10, 900)], 9) is None


def test_holes_are_filled_from_inside_and_outside(labels) -> None:
    whole = labels.copy()
    labels[disk((200, 100), 6)] = 0
    np.testing.assert_array_equal(after(labels, fill_holes(labels, (200, 85))), whole)
    np.testing.assert_array_equal(after(labels, fill_holes(labels, (201, 99))), whole)
    assert fill_holes(whole, (200, 85)) is None
    assert fill_holes(whole, (250, 300)) is None  # open background
    labels[disk((200, 100), 3)] = 7  # a cell in the hole: not one cell's rim
    assert fill_holes(labels, (200, 105)) is None


def test_a_cell_grows_over_background_only(labels) -> None:
    changed = after(labels, grow(labels, (200, 100), 4))
    assert (changed == 2).sum() > (labels == 2).sum()
    np.testing.assert_array_equal(changed == 3, labels == 3)
    radius = np.sqrt((changed[:, :100] == 2).sum() * 2 / np.pi)
    assert radius == pytest.approx(24, abs=0.7)


def test_a_cell_shrinks_but_never_to_nothing(labels) -> None:
    changed = after(labels, grow(labels, (200, 100), -5))
    assert np.sqrt((changed == 2).sum() / np.pi) == pytest.approx(15, abs=0.7)
    assert grow(labels, (200, 100), -40) is None
    assert grow(labels, (5, 5), 3) is None and grow(labels, (200, 100), 0) is None


def test_border_and_large_cells_are_edited_as_a_whole() -> None:
    labels = np.zeros((900, 1000), np.int32)
    labels[:700, :800] = 5
    labels[750:, 900:] = 6
    assert not (after(labels, delete(labels, (20, 20))) == 5).any()
    assert not (after(labels, delete(labels, (890, 990))) == 6).any()
    assert label_at(labels, (899.4, 999.4)) == 6 and label_at(labels, (899.6, 999)) == 0
    at_border = after(labels, grow(labels, (890, 990), -3))
    assert at_border[899, 999] == 0  # the picture's edge is an edge of the cell too
