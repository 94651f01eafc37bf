"""Pictures for tests: tissue as the built-in segmentation likes it."""

from __future__ import annotations

import numpy as np


def tissue(height: int, width: int | None = None) -> np.ndarray:
    """White with rows of dark purple nuclei, uint8 (height, width or height, 3)."""
    image = np.full((height, width or height, 3), (240, 225, 235), np.uint8)
    y, x = np.mgrid[:height, : width or height] % 60 - 30
    image[y**2 + x**2 < 81] = (90, 50, 130)
    return image
