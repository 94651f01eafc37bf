"""Gaussian smoothing equals that of scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.filters import gaussian

from napari_pixcell.cells.smoothing import smoothed


@pytest.mark.parametrize("sigma", [1.2, 26.0])
@pytest.mark.parametrize(("dtype", "most"), [(np.float64, 1e-14), (np.float32, 1e-6)])
@pytest.mark.parametrize("shape", [(97, 64), (5, 3)], ids=["larger", "smaller than the filter"])
def test_the_result_is_that_of_scikit_image(sigma, dtype, most, shape) -> None:
    image = np.random.default_rng(0).normal(size=shape).astype(dtype)
    found = smoothed(image, sigma)
    assert found.dtype == dtype and found.shape == shape
    assert np.abs(found - gaussian(image.astype(np.float64), sigma)).max() < most


def test_a_view_is_smoothed_like_its_copy() -> None:
    image = np.random.default_rng(0).normal(size=(40, 60, 3))
    view = image[::2, ::-1, 1]
    assert np.array_equal(smoothed(view, 2.0), smoothed(view.copy(), 2.0))
