"""Image pyramids in memory."""

from __future__ import annotations

import numpy as np

from napari_pixcell.slides.resample import pyramid


def test_levels_are_means_of_two_by_two_pixels() -> None:
    image = np.random.default_rng(0).integers(0, 256, (2100, 4097, 3), np.uint8)
    levels = pyramid(image)
    assert levels[0] is image and [level.shape[:2] for level in levels] == [
        (2100, 4097),
        (1050, 2048),
        (525, 1024),
    ]
    assert all(level.dtype == np.uint8 for level in levels)
    mean = image[:2100, :4096].reshape(1050, 2, 2048, 2, 3).mean(axis=(1, 3))
    assert np.abs(levels[1] - mean).max() <= 0.5
