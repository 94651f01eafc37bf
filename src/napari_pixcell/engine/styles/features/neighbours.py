"""Patches beside each other: the square of them that is one style of a family."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.styles.features.encoders import encoder_of_features
from napari_pixcell.engine.styles.features.file import FeatureFile
from napari_pixcell.engine.styles.style import Style
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family

SLACK = 0.02  # of a patch: coordinates are whole pixels, and patches may not be
SHOWN = 3  # missing patches that a message names
MISSING = -1


@dataclass(frozen=True, eq=False)
class FeatureStyle:
    """One style out of a file of features.

    Parameters
    ----------
    values : array, float32, (grid, grid, dimension)
        Row by row from the top left.
    rows : array, int64, (grid, grid)
        The rows of the file that they are.
    key : str
        Fingerprint of the file.
    """

    values: NDArray[np.float32]
    rows: NDArray[np.int64]
    key: str

    @property
    def name(self) -> str:
        """Name in records: fingerprint and first row, and never the file's own name."""
        return f"features {self.key[:12]}#{self.rows[0, 0]}"

    def saved(self, name: str, family: Family) -> Style:
        """Return it as a style of the library, which a family uses without its encoder."""
        encoder = encoder_of_features(family)
        return Style(name, self.values, encoder, family.name, ((self.name, 1.0),))


class PatchNeighbours:
    """Finds patches of a file by their positions.

    Parameters
    ----------
    features : FeatureFile
    """

    def __init__(self, features: FeatureFile) -> None:
        self.features = features

    @cached_property
    def _tree(self) -> Any:
        from scipy.spatial import cKDTree  # slow to import

        return cKDTree(self.features.coords)

    def row_at(self, x: float, y: float) -> int:
        """Return the row of the patch at a position in level-0 pixels.

        Of overlapping patches, it is the one whose centre is nearest.

        Raises
        ------
        PixCellError
            If there is none.
        """
        half = self.features.side / 2
        distance, row = self._tree.query((x - half, y - half), p=np.inf)
        if distance > half:
            left, top = self.features.coords[row]
            raise PixCellError(
                f"“{self.features.path.name}” has no patch at {x:g}, {y:g}. The nearest one is row "
                f"{row}, at {left:g}, {top:g}."
            )
        return int(row)

    def square(self, row: int, first: int, last: int) -> NDArray[np.int64]:
        """Return the rows around one, from ``first`` to ``last`` patches away down and across.

        Returns
        -------
        array, int64, (side, side)
            Row by row from the top left, -1 where there is no patch.
        """
        side, steps = self.features.side, np.arange(first, last + 1)
        down, across = np.meshgrid(steps, steps, indexing="ij")
        places = self.features.coords[row] + np.stack([across, down], -1) * side
        slack = max(1.0, SLACK * side)
        _, rows = self._tree.query(places, p=np.inf, distance_upper_bound=slack)
        return np.where(rows == len(self.features), MISSING, rows)

    def style(self, row: int, family: Family) -> FeatureStyle:
        """Return the style of a family around a row.

        Of the squares that hold the row and are complete, it is the one whose centre is nearest to
        it.

        Raises
        ------
        PixCellError
            If there is no such row, it has no numbers, or no square around it is complete.
        """
        features, grid = self.features, family.grid
        features.checked(row)
        rows = np.array([[row]]) if grid == 1 else self.square(row, 1 - grid, grid - 1)
        known, values = _values(features, rows)
        if not known[grid - 1, grid - 1]:
            raise PixCellError(
                f"Row {row:,} of “{features.path.name}” holds no numbers. Choose another row."
            )
        windows = np.lib.stride_tricks.sliding_window_view(known, (grid, grid))
        middle = (grid - 1) / 2
        order = sorted(
            np.ndindex(grid, grid),
            key=lambda at: (-windows[at].sum(), sum((n - middle) ** 2 for n in at), at),
        )
        top, left = order[0]
        chosen = slice(top, top + grid), slice(left, left + grid)
        if not known[chosen].all():
            raise PixCellError(self._incomplete(row, family, known[chosen], (top, left)))
        return FeatureStyle(values[chosen], rows[chosen], features.key)

    def at_corner(self, row: int, grid: int) -> FeatureStyle | None:
        """Return the style whose top left patch is a row; None if it is not complete."""
        self.features.checked(row)
        rows = np.array([[row]]) if grid == 1 else self.square(row, 0, grid - 1)
        known, values = _values(self.features, rows)
        return FeatureStyle(values, rows, self.features.key) if known.all() else None

    def _incomplete(
        self, row: int, family: Family, known: NDArray[np.bool_], start: tuple[int, int]
    ) -> str:
        features, count = self.features, known.size
        offset = np.array(start) + 1 - family.grid  # from the row to the top left, down and across
        corner = features.coords[row] + offset[::-1] * features.side
        missing = [corner + np.array(at)[::-1] * features.side for at in np.argwhere(~known)]
        shown = "; ".join(f"{x:.0f}, {y:.0f}" for x, y in missing[:SHOWN])
        more = " and elsewhere" if len(missing) > SHOWN else ""
        return (
            f"A style of {family.title} needs {family.grid} × {family.grid} neighbouring patches, "
            f"and around row {row:,} of “{features.path.name}” there are {count - len(missing)} of "
            f"{count}: none at {shown}{more}. Choose a row further inside the tissue."
        )

    def complete(self, grid: int) -> NDArray[np.int64]:
        """Return the first rows of complete squares that do not overlap, in reading order.

        Squares are taken greedily, row by row. With ``grid`` 1 they are all rows, as in the file.
        """
        if grid == 1:
            return np.arange(len(self.features))
        coords, side = self.features.coords, self.features.side
        slack = max(1.0, SLACK * side)
        order = np.lexsort((coords[:, 0], coords[:, 1]))
        rows, left = np.full((len(coords), grid * grid), MISSING), order
        for number, (down, across) in enumerate(np.ndindex(grid, grid)):
            places = coords[left] + np.array([across, down]) * side
            _, found = self._tree.query(places, p=np.inf, distance_upper_bound=slack)
            here = found < len(coords)
            left, found = left[here], found[here]  # only these can still be complete
            rows[left, number] = found
        used = np.zeros(len(coords), bool)
        chosen = []
        for first in left:
            if not used[rows[first]].any():
                used[rows[first]] = True
                chosen.append(int(first))
        return np.array(chosen, np.int64)


def _values(
    features: FeatureFile, rows: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Read rows where they are not missing: a mask of those with numbers, and their values."""
    values = np.full((*rows.shape, features.origin.dimension), np.nan, np.float32)
    there = rows != MISSING
    values[there] = features.rows(rows[there])
    return np.asarray(np.isfinite(values).all(axis=-1)), values
