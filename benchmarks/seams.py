"""Visibility of seams: steps at the lines between windows, compared with lines nearby."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

# A transformer reads patches of 16 px. Control lines also lie on their borders, so that a pattern
# of the patches cancels out.
PATCH = 16
BESIDE = 4  # control lines on each side of a window line


def seam_ratio(images: Iterable[NDArray[np.uint8]], lines: int = 256) -> float:
    """Return the ratio of steps across window lines to those across control lines nearby.

    Parameters
    ----------
    images : iterable of array, uint8, (height, width, 3)
        Each of several windows. They are pooled, because single lines differ by chance.
    lines : int
        Distance of window lines, in px.

    Returns
    -------
    float
        Mean absolute step of optical density across window lines, divided by that across control
        lines. 1 means no seams.
    """
    at = control = 0.0
    for image in images:
        density = -np.log((image.astype(np.float64) + 1) / 256).mean(axis=2)
        for plane in (density, density.T):
            steps = np.abs(np.diff(plane, axis=1)).mean(axis=0)  # steps[i] belongs to line i + 1
            for line in range(lines, plane.shape[1] - PATCH * BESIDE, lines):
                at += steps[line - 1]
                away = PATCH * np.arange(1, BESIDE + 1)
                control += steps[line - 1 + np.concatenate([-away, away])].mean()
    return at / control
