"""Layouts matched to the style whose tissue has the most similar cells."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.layout import describe
from napari_pixcell.datasets.recipe.planning import NO_TISSUE
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.errors import PixCellError


class TissueMatching:
    """Finds the style whose tissue has the cells most similar to those of a layout.

    A factor of two in density counts as much as a factor of two in size.

    Parameters
    ----------
    dataset : Dataset
        Its styles are complete. Two numbers of each are held.

    Raises
    ------
    PixCellError
        If no style has tissue.
    """

    def __init__(self, dataset: Dataset) -> None:
        known = ((row["number"], row["look"]) for row in dataset.style_rows())
        points = [(number, *_point(look)) for number, look in known if "density" in look]
        if not points:
            raise PixCellError(NO_TISSUE)
        table = np.array(points)
        self._numbers, self._points = table[:, 0].astype(int), table[:, 1:]

    def most_similar(self, labels: NDArray[Any], mpp: float) -> int:
        """Return the number of the style for a layout at ``mpp`` µm/px."""
        own = _point(cells_of(labels, mpp))
        distances = np.linalg.norm(self._points - own, axis=1)
        return int(self._numbers[distances.argmin()])


def _point(cells: dict[str, float]) -> NDArray[np.float64]:
    return np.log(np.maximum([cells["density"], cells["area"]], 1.0))


def cells_of(labels: NDArray[Any], mpp: float) -> dict[str, float]:
    """Return cells per mm² and their median area in µm²."""
    cells = describe(labels, mpp)
    return {"density": cells.per_mm2, "area": cells.median_um2}
