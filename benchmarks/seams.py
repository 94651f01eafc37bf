"""How much a picture steps at the lines between windows, against lines beside them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

# A transformer reads patches of 16 px: control lines lie on their borders too, so that a pattern
# of its own at those is in both.
PATCH = 16
BESIDE = 4  # control lines on each side of a window line


def seam_ratio(images: Iterable[NDArray[np.uint8]], lines: int = 256) -> float:
    """Compare steps across window lines with those across control lines beside them.

    Parameters
    ----------
    images : iterable of array, uint8, (height, width, 3)
        Each of several windows; taken together, for single lines differ by chance.
    lines : int
        Window lines lie at each multiple of this many px.

    Returns
    -------
    float
        Mean absolute step of optical density across window lines over that across control lines;
        1 without seams.
    """
    at = control = 0.0
    for image in images:
        density = -np.log((image.astype(np.float64) + 1) / 256).mean(axis=2)
        for plane in (density, density.T):
            steps = np.abs(np.diff(plane, axis=1)).mean(axis=0)  # steps[i] is that of line i + 1
            for line in range(lines, plane.shape[1] - PATCH * BESIDE, lines):
                at += steps[line - 1]
                away = PATCH * np.arange(1, BESIDE + 1)
                control += steps[line - 1 + np.concatenate([-away, away])].mean()
    return at / control
