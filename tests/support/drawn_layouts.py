"""Label images for the tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tifffile import imread

SAMPLE_CELLS = Path(__file__).parents[2] / "sample_data" / "cells"
SAMPLE_CORNER = (800, 640)  # of the sample cells on the sample slide
SAMPLE_COUNT = 22


def sample() -> NDArray[np.int32]:
    """Give the cells that every file in ``sample_data/cells`` holds."""
    return imread(SAMPLE_CELLS / "labels.tif").astype(np.int32)


def hard() -> NDArray[np.int32]:
    """Give cells that have a hole, two parts, neighbours, the picture's edge, or a single pixel."""
    labels = np.zeros((24, 32), np.int32)
    labels[1:8, 1:9] = 1
    labels[3:5, 3:6] = 0  # a hole, and a cell inside it
    labels[3, 4] = 2
    labels[10:13, 1:4] = labels[13:16, 4:7] = 3  # two parts that meet at a corner
    labels[10:14, 10:15] = 4
    labels[10:14, 15:20] = 5
    labels[14:18, 10:20] = 6
    labels[20:24, 28:32] = 7
    labels[0, 31] = 8
    labels[20, 2] = 9
    return labels
