"""How much a picture steps at the lines between windows, against lines within them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PATCH = 16


def seam_ratio(image: NDArray[np.uint8], lines: int = 256) -> float:
    """Compare steps across window lines with those across control lines.

    Parameters
    ----------
    image : array, uint8, (height, width, 3)
        Of several windows.
    lines : int
        Window lines lie at each multiple of this many px.

    Returns
    -------
    float
        Mean absolute step of optical density across window lines over that across control lines;
        1 without seams. Control lines are the other borders of the 16 px patches that a
        transformer reads, so that a pattern of its own at those is in both.
    """
    density = -np.log((image.astype(np.float64) + 1) / 256).mean(axis=2)
    at: list[float] = []
    control: list[float] = []
    for plane in (density, density.T):
        steps = np.abs(np.diff(plane, axis=1)).mean(axis=0)  # of line x + 1
        for x, step in enumerate(steps, start=1):
            if x % lines == 0:
                at.append(float(step))
            elif x % PATCH == 0:
                control.append(float(step))
    return float(np.mean(at) / np.mean(control))
