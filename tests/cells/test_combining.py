"""Combining segmented with existing cells, and settings of the built-in method."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.color import rgb2hed
from skimage.filters import gaussian, threshold_otsu

from napari_pixcell.cells import segment_nuclei, segmentation
from napari_pixcell.cells.combining import combine, take_out, within_sizes, without_rejected
from napari_pixcell.cells.methods import LayoutSource, mixed
from napari_pixcell.cells.segmentation import measure_haematoxylin
from napari_pixcell.errors import PixCellError


def boxes(*places: tuple[int, int, int, int, int], shape=(40, 60), dtype=np.int32) -> np.ndarray:
    """Draw (label, top, left, height, width)."""
    labels = np.zeros(shape, dtype)
    for label, top, left, height, width in places:
        labels[top : top + height, left : left + width] = label
    return labels


def left_half(shape=(40, 60)) -> np.ndarray:
    part = np.zeros(shape, bool)
    part[:, : shape[1] // 2] = True
    return part


def label_set(labels: np.ndarray) -> set[int]:
    return set(np.unique(labels).tolist()) - {0}


def test_a_new_segmentation_replaces_all_cells() -> None:
    existing, found = boxes((7, 2, 2, 5, 5)), boxes((4, 20, 20, 5, 5), (9, 1, 1, 3, 3))
    labels, added, dropped = combine(existing, found)
    assert (added, dropped) == (2, 0) and labels.dtype == np.int32
    np.testing.assert_array_equal(labels, boxes((1, 20, 20, 5, 5), (2, 1, 1, 3, 3)))


def test_within_a_part_only_cells_centred_there_change() -> None:
    existing = boxes((5, 2, 2, 6, 6), (3, 10, 24, 6, 10), (8, 20, 28, 6, 10))
    found = boxes((1, 30, 10, 5, 5), (2, 30, 40, 5, 5), (6, 3, 26, 4, 6))
    labels, added, dropped = combine(existing, found, left_half())
    # 5 and 3 have their centres on the left, 8 on the right; so do 1 and 6, but not 2.
    np.testing.assert_array_equal(
        labels, boxes((8, 20, 28, 6, 10), (9, 30, 10, 5, 5), (10, 3, 26, 4, 6))
    )
    assert (added, dropped) == (2, 0)


def test_new_cells_on_existing_ones_are_dropped_or_cut() -> None:
    existing = boxes((300, 10, 10, 10, 10), dtype=np.uint16)
    found = boxes((1, 10, 18, 10, 10), (2, 17, 10, 10, 10), (3, 30, 30, 4, 4))
    labels, added, dropped = combine(existing, found, keep="existing")
    # Exactly a fifth of cell 1 lies on it, and three tenths of cell 2.
    expected = boxes((301, 10, 18, 10, 10), (302, 30, 30, 4, 4), (300, 10, 10, 10, 10))
    np.testing.assert_array_equal(labels, expected)
    assert (added, dropped) == (2, 1)


def test_cells_at_the_border_of_a_part_are_not_duplicated() -> None:
    existing, found = boxes((1, 10, 26, 8, 9)), boxes((1, 10, 24, 8, 10))
    labels, added, dropped = combine(existing, found, left_half())
    np.testing.assert_array_equal(labels, existing)
    assert (added, dropped) == (0, 1)


def test_existing_cells_are_kept_within_a_part_too() -> None:
    existing, found = boxes((4, 2, 2, 5, 5)), boxes((1, 20, 3, 5, 5), (2, 20, 50, 5, 5))
    labels, added, _ = combine(existing, found, left_half(), "existing")
    np.testing.assert_array_equal(labels, boxes((4, 2, 2, 5, 5), (5, 20, 3, 5, 5)))
    assert added == 1


def test_without_a_layout_all_segmented_cells_are_added() -> None:
    found = boxes((2, 2, 2, 5, 5))
    for existing in (None, boxes()):
        labels, added, dropped = combine(existing, found, keep="existing")
        np.testing.assert_array_equal(labels, found // 2)
        assert (added, dropped) == (1, 0)


def test_labels_of_any_size_are_kept() -> None:
    existing = boxes((2_000_000_000, 2, 2, 5, 5), (17, 20, 2, 5, 5), dtype=np.uint32)
    labels, *_ = combine(existing, boxes((1, 30, 40, 5, 5)), keep="existing")
    assert label_set(labels) == {17, 2_000_000_000, 2_000_000_001}
    labels, *_ = combine(existing, boxes((1, 30, 40, 5, 5)), left_half(), "existing")
    assert label_set(labels) == {17, 2_000_000_000}


def test_real_cells_segmented_again_are_not_duplicated(shared_data: Path) -> None:
    path = sorted((shared_data / "tnbc_naylor_subset" / "images").glob("*.png"))[0]
    labels = segment_nuclei(np.asarray(Image.open(path).convert("RGB").resize((256, 256), 4)))
    again, added, dropped = combine(labels, labels, keep="existing")
    np.testing.assert_array_equal(again, labels)
    assert added == 0 and dropped == labels.max()
    again, added, dropped = combine(labels, labels, left_half(labels.shape))
    assert label_set(again > 0) == {1} and 0 < added < labels.max() and not dropped
    np.testing.assert_array_equal(again > 0, labels > 0)
    stay = np.unique(again[again == labels])
    assert 0 < len(stay) - 1 == labels.max() - added


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            {"part": np.ones((10, 12), bool)},
            "The marked area is 12 × 10 px but the region is 60 × 40 px. Mark it again.",
        ),
        (
            {"part": np.zeros((40, 60), bool)},
            "No area is marked. Paint over part of the region, or segment the whole region.",
        ),
        (
            {"existing": np.ones((10, 12), np.int32)},
            "The layout is 12 × 10 px but the segmentation is 60 × 40 px. "
            "Segment the region again.",
        ),
        (
            {"keep": "some"},
            "“some” is not a way to combine cells. Choose one of: replace, existing.",
        ),
        (
            {"existing": boxes((-3, 2, 2, 5, 5)), "part": left_half()},
            "The layout has negative labels. Use one positive number per cell, and 0 for the "
            "background.",
        ),
        (
            {"existing": boxes((2**31 - 1, 2, 2, 5, 5), dtype=np.uint32), "keep": "existing"},
            "The layout's cells are numbered up to 2,147,483,647, which leaves no numbers for new "
            "ones. Save it as a label image and import that.",
        ),
    ],
)
def test_invalid_combinations_are_explained(arguments, sentence: str) -> None:
    values = {"existing": boxes((1, 2, 2, 5, 5)), "found": boxes((1, 20, 2, 5, 5))} | arguments
    with pytest.raises(PixCellError) as error:
        combine(**values)
    assert str(error.value) == sentence


def test_small_cells_are_left_out() -> None:
    labels = boxes((1, 2, 2, 4, 5), (2, 20, 2, 3, 3), (3, 20, 20, 5, 5))
    expected = boxes((1, 2, 2, 4, 5), (2, 20, 20, 5, 5))
    np.testing.assert_array_equal(within_sizes(labels, 0.5, 5.0), expected)
    assert within_sizes(labels, 0.5, 0) is labels
    np.testing.assert_array_equal(within_sizes(labels, 0.5, 0, 4.0), labels == 2)
    assert not within_sizes(labels, 0.5, 100).any()


def test_rejected_cells_do_not_return_if_they_grow_or_shrink() -> None:
    rejected = boxes((4, 10, 10, 6, 6), (9, 10, 40, 6, 6))
    labels = boxes(
        (1, 9, 9, 14, 14),  # the first, grown
        (2, 11, 41, 2, 2),  # the second, shrunk
        (3, 10, 30, 6, 13),  # its neighbour, which has half of it
        (5, 30, 2, 5, 5),
    )
    expected = boxes((1, 10, 30, 6, 13), (2, 30, 2, 5, 5))
    expected[11:13, 41:43] = 0
    labels[11:13, 41:43] = 2
    np.testing.assert_array_equal(without_rejected(labels, rejected), expected)


def test_cells_are_removed_by_label() -> None:
    labels = boxes((1, 2, 2, 4, 5), (2, 20, 2, 3, 3), (3, 20, 20, 5, 5))
    left, gone = take_out(labels, {2, 3, 99, 0})
    np.testing.assert_array_equal(left, boxes((1, 2, 2, 4, 5)))
    np.testing.assert_array_equal(gone, boxes((1, 20, 2, 3, 3), (2, 20, 20, 5, 5)))


def test_licences_of_both_sources_are_kept() -> None:
    builtin, painted = LayoutSource("builtin"), LayoutSource("painted")
    ours = LayoutSource("cellpose", "mine", "aa", "own terms")
    theirs = LayoutSource("cellpose", "cpsam_v2", "bb", "their terms")
    assert mixed(builtin, None) == builtin and mixed(ours, ours) == ours
    assert mixed(builtin, painted) == LayoutSource("builtin", edited=True)
    assert mixed(builtin, ours) == mixed(ours, builtin)
    assert mixed(builtin, ours).licence == "own terms" and mixed(builtin, ours).edited
    both = mixed(ours, theirs)
    assert both.model == "cpsam_v2 + mine" and both.licence == "their terms + own terms"


# -- the built-in method -------------------------------------------------------------------


@pytest.fixture(scope="module")
def tissue(shared_data: Path) -> np.ndarray:
    path = sorted((shared_data / "tnbc_naylor_subset" / "images").glob("*.png"))[0]
    return np.asarray(Image.open(path).convert("RGB").resize((256, 256), 4))


def test_storing_the_stain_changes_no_pixel(tissue: np.ndarray) -> None:
    stain = gaussian(rgb2hed(tissue)[..., 0], segmentation.SMOOTH_UM / 0.5)
    there = tissue.min(axis=-1) < segmentation.GLASS
    sigma = segmentation.NEIGHBOURHOOD_UM / 0.5
    local = gaussian(np.where(there, stain, 0), sigma)
    local /= np.maximum(gaussian(there.astype(float), sigma), 1e-6)
    part = segmentation.LOCAL_PART
    threshold = (1 - part) * threshold_otsu(stain[there]) + part * local
    expected = stain > np.maximum(threshold, segmentation.LEAST_HAEMATOXYLIN)
    np.testing.assert_array_equal(measure_haematoxylin(tissue, 0.5).excess > 0, expected)


def test_more_sensitivity_covers_more_tissue(tissue: np.ndarray) -> None:
    covered = [(segment_nuclei(tissue, 0.5, s) > 0).mean() for s in (-1, -0.5, 0, 0.5, 1)]
    assert sorted(covered) == covered and covered[0] < 0.6 * covered[2] < 0.4 * covered[4]


def test_no_nucleus_is_smaller_than_the_limit(tissue: np.ndarray) -> None:
    usual = np.bincount(segment_nuclei(tissue).ravel())[1:]
    areas = np.bincount(segment_nuclei(tissue, smallest_um2=30).ravel())[1:]
    assert areas.min() >= 120 and sorted(areas) == sorted(usual[usual >= 120])
