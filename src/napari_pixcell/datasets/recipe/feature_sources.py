"""Styles out of files of features that a recipe names: which rows, and their embeddings."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_pixcell.datasets.recipe.parts import MOST_TILES
from napari_pixcell.datasets.recipe.tiles import SourceTiles
from napari_pixcell.engine.styles.features.file import FeatureFile, open_features
from napari_pixcell.engine.styles.features.neighbours import FeatureStyle, PatchNeighbours
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family

DEFAULT_SEED = 0


class FeatureSources:
    """Files of features as sources of styles. The one that was read last stays open.

    Parameters
    ----------
    family : Family
        Defines the encoder, and how many neighbouring patches are a style.
    """

    def __init__(self, family: Family) -> None:
        self._family = family
        self._open: tuple[str, FeatureFile, PatchNeighbours] | None = None

    def tiles(self, path: str, most: int | None, seed: int | None) -> SourceTiles:
        """Return the styles of a file: those that are drawn, in the order of the file.

        Parameters
        ----------
        path : str
        most : int, optional
            Largest number of styles.
        seed : int, optional
            Of the draw.

        Raises
        ------
        PixCellError
            If it cannot be used, or has no style.
        """
        near, grid = self._near(path), self._family.grid
        corners = near.complete(grid)
        generator = np.random.default_rng(DEFAULT_SEED if seed is None else seed)
        rows, skipped = list[int](), 0
        for row in corners[generator.permutation(len(corners))]:
            if len(rows) == (MOST_TILES if most is None else most):
                break
            if near.at_corner(int(row), grid) is None:
                skipped += 1
            else:
                rows.append(int(row))
        if not rows:
            name = Path(path).name
            if skipped:
                raise PixCellError(f"“{name}” holds no numbers. Choose the file of another slide.")
            raise PixCellError(
                f"“{name}” has no {grid} × {grid} neighbouring patches, which a style of "
                f"{self._family.title} needs. Choose the file of another slide."
            )
        return SourceTiles(len(rows), 0, rows=tuple(sorted(rows)), skipped=skipped)

    def style(self, path: str, row: int) -> FeatureStyle:
        """Return the style whose first row is known from :meth:`tiles`."""
        found = self._near(path).at_corner(row, self._family.grid)
        if found is None:
            raise PixCellError(
                f"“{Path(path).name}” changed since its rows were listed. Restore it from a copy."
            )
        return found

    def close(self) -> None:
        """Close the file that was read last."""
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def _near(self, path: str) -> PatchNeighbours:
        if self._open is None or self._open[0] != path:
            self.close()
            features = open_features(Path(path), self._family)
            self._open = path, features, PatchNeighbours(features)
        return self._open[2]
