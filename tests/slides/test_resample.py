"""Resampling: quick where whole blocks are averaged, and equal to the general way."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pixcell.slides.resample import _weighted, block_means, resample

IMAGE = np.random.default_rng(7).integers(0, 256, (331, 403, 3), np.uint8)


def off(box: tuple[float, float, float, float], shape: tuple[int, int]) -> int:
    """Return the largest difference from the general way, in grey levels."""
    quick, general = resample(IMAGE, box, shape), _weighted(IMAGE, box, shape)
    assert quick.shape == general.shape == (*shape, 3) and quick.dtype == np.uint8
    return int(np.abs(quick.astype(int) - general).max())


@pytest.mark.parametrize("high", [1, 2, 3, 4, 6, 16, 17, 40])
@pytest.mark.parametrize("wide", [1, 2, 5, 8])
def test_whole_blocks_are_averaged_as_in_the_general_way(high: int, wide: int) -> None:
    rows, columns = 320 // high, 400 // wide
    box = (5, 3, 5 + rows * high, 3 + columns * wide)
    exact = not high * wide & (high * wide - 1)  # float32 holds these means exactly
    assert off(box, (rows, columns)) <= (0 if exact else 1)


def test_half_a_grey_level_is_rounded_to_the_even_one() -> None:
    values = np.array([[0, 1], [1, 2], [2, 3], [254, 255]], np.uint8)
    pairs = np.repeat(values[..., None], 3, axis=2)
    np.testing.assert_array_equal(block_means(pairs, 1, 2)[:, 0, 0], [0, 2, 2, 254])
    white = np.full((600, 600, 3), 255, np.uint8)  # the sums of which need more than 16 bits
    np.testing.assert_array_equal(block_means(white, 300, 300), np.full((2, 2, 3), 255))


def test_a_rounding_error_of_the_box_changes_nothing() -> None:
    box = (2 + 3e-7, 3 - 2e-7, 322 - 1e-7, 403 - 1e-6)
    np.testing.assert_array_equal(
        resample(IMAGE, box, (160, 200)), resample(IMAGE, (2, 3, 322, 403), (160, 200))
    )


@pytest.mark.parametrize(
    "box",
    [(0.3, 0.4, 256.3, 320.4), (3, 0.4, 259, 320.4), (-0.5, 0, 255.5, 320), (75, 83.4, 331, 403.4)],
)
def test_pixels_of_the_right_size_are_interpolated_as_in_the_general_way(box) -> None:
    assert off(box, (256, 320)) <= 1


@pytest.mark.parametrize(
    "box", [(0.5, 0.5, 257.1, 321.9), (10.4, 20.6, 265.2, 339.1), (-0.5, 83.4, 255.1, 403.2)]
)
def test_pixels_of_nearly_the_right_size_lie_where_the_general_way_puts_them(box) -> None:
    yy, xx = np.mgrid[:331, :403]
    waves = 128 + 60 * np.sin(yy / 9) + 60 * np.cos(xx / 11)  # at most 8 grey levels per pixel
    smooth = np.repeat(waves.round().astype(np.uint8)[..., None], 3, axis=2)
    quick, general = (way(smooth, box, (256, 320)).astype(int) for way in (resample, _weighted))
    assert np.abs(quick - general).max() <= 1
    assert np.abs(quick - general).mean() < 0.2


def test_pixels_are_copied_if_none_is_more_than_a_quarter_off() -> None:
    stored = IMAGE[3:259, 7:327]
    np.testing.assert_array_equal(resample(IMAGE, (3.1, 6.9, 259, 327.1), (256, 320)), stored)
    assert (resample(IMAGE, (3.3, 7, 259.2, 327), (256, 320)) != stored).any()
    assert (resample(IMAGE, (3.1, 7, 259.1, 327), (256, 320)) != stored).any()  # of the right size
