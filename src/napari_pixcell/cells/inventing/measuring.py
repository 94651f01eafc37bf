"""Measure the shapes of cells, and the recipe of a layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.inventing.centres import clark_evans
from napari_pixcell.cells.inventing.recipe import Recipe
from napari_pixcell.errors import PixCellError

FEWEST = 5
QUARTILES_TO_DEVIATION = 1.349  # of a normal distribution
LEAST_DIRECTED = 1.2  # elongation below which a cell has no clear direction
LEAST_OVER_ROUND = 0.01
WIDE = 0.6  # spread of the areas' logarithm
PIXEL_MOMENT = 1 / 12  # second moment of a square pixel about its centre
THIN = 1e-3
Floats = NDArray[np.float64]


def measure(labels: NDArray[Any], mpp: float, seed: int = 0) -> Recipe:
    """Return the recipe that describes a layout.

    Sizes and shapes come from cells not cut by the border. Large cells are cut more often, so
    each cell is weighted by the inverse probability of lying inside (Miles and Lantuéjoul; Serra
    1982). Spreads are robust, from the quartiles. The recipe keeps the degree of clustering, not
    the positions of clusters.

    Parameters
    ----------
    labels : array, (height, width)
        Instance label image with at least ``FEWEST`` whole cells.
    mpp : float, µm per pixel

    Raises
    ------
    PixCellError
        If there are fewer whole cells.
    """
    shapes = cell_shapes(labels, mpp)
    whole = ~shapes.cut
    if np.count_nonzero(whole) < FEWEST:
        raise PixCellError(
            f"The layout has fewer than {FEWEST} whole cells, too few to measure. Choose one with "
            "more cells, or set the numbers by hand."
        )
    size = labels.shape[0] * mpp, labels.shape[1] * mpp
    area, elongation = shapes.area_um2[whole], shapes.elongation[whole]
    inside = np.clip(1 - shapes.height_um[whole] / size[0], 0.05, 1)
    weight = 1 / (inside * np.clip(1 - shapes.width_um[whole] / size[1], 0.05, 1))
    over_round = np.maximum(elongation - 1, LEAST_OVER_ROUND)
    alignment, direction = _order(shapes.angle[whole][elongation > LEAST_DIRECTED])
    index = clark_evans(np.stack([shapes.y_um, shapes.x_um], axis=1), size)
    return Recipe(
        density=min(30_000.0, len(shapes) / (size[0] * size[1]) * 1e6),
        area_um2=float(np.clip(quantile(area, weight, 0.5), 2, 2000)),
        area_spread=min(1.5, _area_spread(area, weight)),
        elongation=float(np.clip(quantile(elongation, weight, 0.5), 1, 6)),
        elongation_spread=min(2.0, _spread(np.log(over_round), weight)),
        alignment=alignment,
        direction=direction,
        clustering=float(np.clip(1.5 - index, 0, 1)),
        gap_um=0.0,
        seed=seed,
    )


def quantile(values: NDArray[np.float64], weights: NDArray[np.float64], part: float) -> float:
    """Return the weighted quantile, interpolated between the two nearest values."""
    order = np.argsort(values, kind="stable")
    weight = weights[order]
    return float(np.interp(part * weight.sum(), np.cumsum(weight) - weight / 2, values[order]))


def _spread(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return the standard deviation of a normal distribution with the same quartiles."""
    quartiles = quantile(values, weights, 0.75) - quantile(values, weights, 0.25)
    return quartiles / QUARTILES_TO_DEVIATION


def _area_spread(area: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return the robust spread, limited so that the mean area (and the coverage) is preserved.

    For a log-normal distribution both are equal. Broad sizes without a long tail raise the robust
    spread, and the invented cells would not fit.
    """
    robust = _spread(np.log(area), weights)
    over = float(np.average(area, weights=weights)) / quantile(area, weights, 0.5)
    return min(robust, max(WIDE, float(np.sqrt(2 * np.log(max(1.0, over))))))


def _order(angles: NDArray[np.float64]) -> tuple[float, float]:
    """Return the nematic order parameter, corrected for small samples, and its direction."""
    count = len(angles)
    if count < FEWEST:
        return 0.0, 0.0
    mean = np.exp(2j * angles).mean()
    order = np.sqrt(max(0.0, (count * abs(mean) ** 2 - 1) / (count - 1)))
    return float(order), float(np.rad2deg(np.angle(mean)) / 2 % 180)


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
    labels : instance label image, (height, width)
    mpp : float, µm per pixel
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
