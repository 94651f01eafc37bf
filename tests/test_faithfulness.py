"""Nuclei of an image, one by one, against the requested ones."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pixcell.cells.faithfulness import faithfulness

MPP = 0.5


def _labels(*boxes: tuple[int, int, int, int], numbers: tuple[int, ...] = ()) -> np.ndarray:
    image = np.zeros((64, 64), np.int32)
    for number, (y, x, height, width) in zip(numbers or range(1, 99), boxes, strict=False):
        image[y : y + height, x : x + width] = number
    return image


def test_each_nucleus_is_judged() -> None:
    wanted = _labels(
        (2, 2, 10, 10), (2, 20, 10, 10), (2, 40, 10, 10), (40, 2, 10, 10), numbers=(3, 7, 8, 900)
    )
    segmented = _labels((3, 3, 10, 10), (2, 20, 10, 4), (40, 40, 12, 12), (30, 60, 2, 2))
    wanted.setflags(write=False)  # as arrays that are shared with another process are
    found = faithfulness(wanted, segmented, MPP)
    assert found.placed.tolist() == [3]
    assert found.partial.tolist() == [7]
    assert found.missing.tolist() == [8, 900]
    assert found.extra.tolist() == [3]  # not the speck
    assert (found.wanted, found.wrong) == (4, 4)
    assert found.share_placed == pytest.approx(1 / 4)


def test_touching_nuclei_that_the_segmentation_merges_are_placed() -> None:
    wanted = _labels((10, 10, 10, 10), (10, 20, 10, 10))
    found = faithfulness(wanted, (wanted > 0).astype(np.uint8), MPP)
    assert found.placed.tolist() == [1, 2]
    assert not found.wrong


@pytest.mark.parametrize("wanted", [np.zeros((8, 8), np.uint16), _labels((1, 1, 9, 9))])
def test_nothing_requested_or_nothing_found(wanted: np.ndarray) -> None:
    found = faithfulness(wanted, np.zeros(wanted.shape, np.int32), MPP)
    assert found.missing.tolist() == np.unique(wanted)[1:].tolist()
    assert not len(found.extra)
    assert found.share_placed == (0.0 if wanted.any() else None)
