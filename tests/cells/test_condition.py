"""The condition image of a ControlNet: no cell vanishes, with gaps or without."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pixcell.cells import condition_image


def white(labels: np.ndarray, gap: bool) -> np.ndarray:
    return condition_image(labels, gap)[..., 0] > 0


def test_without_gaps_every_pixel_of_a_cell_is_white_as_published() -> None:
    labels = np.random.default_rng(0).integers(0, 4, (40, 50)).astype(np.uint16)
    np.testing.assert_array_equal(white(labels, False), labels > 0)


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("order", ["inside first", "outside first"])
def test_a_tiny_enclosed_cell_keeps_its_pixels_and_a_gap_around_it(size: int, order: str) -> None:
    inner, outer = (1, 2) if order == "inside first" else (2, 1)
    labels = np.full((9, 9), outer, np.uint16)
    labels[4 : 4 + size, 4 : 4 + size] = inner
    seen = white(labels, True)
    assert seen[labels == inner].all()
    ring = np.zeros_like(seen)
    ring[3 : 5 + size, 3 : 5 + size] = True
    assert not seen[ring & (labels == outer)].any()
    assert seen[~ring].all()


@pytest.mark.parametrize("gap", [True, False])
def test_no_cell_vanishes(gap: bool) -> None:
    random = np.random.default_rng(1)
    for trial in range(150):
        shape = random.integers(1, 14, 2)
        labels = random.integers(0, random.integers(2, 30), shape).astype(np.uint16)
        if trial % 2:
            labels = np.kron(labels, np.ones((2, 2), np.uint16))
        seen = white(labels, gap)
        assert not seen[labels == 0].any()
        assert set(labels[seen]) == set(labels[labels > 0])
