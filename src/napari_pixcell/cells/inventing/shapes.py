"""Area, centroid, elongation and orientation of all cells of a label image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

PIXEL_MOMENT = 1 / 12  # second moment of a square pixel about its centre
THIN = 1e-3

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CellShapes:
    """Measurements of the cells of a label image, one row per cell.

    Parameters
    ----------
    labels : array, int64, (cells,)
        Ascending.
    area_um2 : array, (cells,)
    y_um, x_um : array, (cells,)
        Centroids, from the centre of the first pixel.
    elongation : array, (cells,)
        Ratio of long to short axis of the ellipse with the same second moments; 1 is round.
    angle : array, (cells,)
        Angle of the long axis in radians, 0 to π, from x (right) towards y (down).
    height_um, width_um : array, (cells,)
        Extent of that ellipse along y and x.
    cut : array, bool, (cells,)
        Whether the cell touches the image border.
    """

    labels: NDArray[np.int64]
    area_um2: Floats
    y_um: Floats
    x_um: Floats
    elongation: Floats
    angle: Floats
    height_um: Floats
    width_um: Floats
    cut: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.labels)


def cell_shapes(labels: NDArray[Any], mpp: float) -> CellShapes:
    """Measure all cells of a label image from their moments up to the second order.

    Parameters
    ----------
    labels : array, (height, width)
        Instance label image; 0 is background.
    mpp : float
        Pixel size in µm.
    """
    y, x = np.nonzero(labels)
    numbers, row = np.unique(labels[y, x], return_inverse=True)
    count = len(numbers)
    area = np.bincount(row, minlength=count).astype(float)

    def mean(values: NDArray[Any]) -> Floats:
        return np.asarray(np.bincount(row, weights=values, minlength=count) / area)

    centre_y, centre_x = mean(y), mean(x)
    off_y, off_x = y - centre_y[row], x - centre_x[row]
    yy, xx = mean(off_y**2) + PIXEL_MOMENT, mean(off_x**2) + PIXEL_MOMENT
    yx = mean(off_y * off_x)
    middle, half = (yy + xx) / 2, np.hypot((yy - xx) / 2, yx)
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    return CellShapes(
        numbers.astype(np.int64),
        area * mpp**2,
        centre_y * mpp,
        centre_x * mpp,
        np.sqrt((middle + half) / np.maximum(middle - half, THIN)),
        np.mod(np.arctan2(2 * yx, xx - yy) / 2, np.pi),
        4 * np.sqrt(yy) * mpp,
        4 * np.sqrt(xx) * mpp,
        np.isin(numbers, edge),
    )
