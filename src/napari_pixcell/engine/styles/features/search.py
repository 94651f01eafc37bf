"""Similarity of the patches of a file of features to an embedding, block by block.

As in :mod:`~napari_pixcell.engine.styles.similarity`, the mean of the slide is subtracted before
cosines are taken. It is that of an even sample of its patches, so that the file is read once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.styles.features.file import FeatureFile
from napari_pixcell.engine.styles.similarity import LEAST_ALIKE, Match, SurveyGrid, overlap
from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.region import Region

SAMPLED = 4096  # rows of which the mean is taken
MOST_CELLS = 2**22  # of a map


@dataclass(frozen=True)
class RowMatch(Match):
    """A patch similar to an embedding, and its row in the file."""

    row: int


@dataclass(frozen=True, eq=False)
class FeatureHeat:
    """The similarity of each patch, as far as the file was read.

    Parameters
    ----------
    features : FeatureFile
    similarity : array, float32, (rows,)
        0 to 1; NaN for rows without numbers and for those not compared yet.
    done : int
        Rows that were read.
    skipped : int
        How many of them have no numbers.
    """

    features: FeatureFile
    similarity: NDArray[np.float32]
    done: int
    skipped: int

    @property
    def complete(self) -> bool:
        """Whether all rows were compared."""
        return self.done == len(self.features)

    def map(self, shape: tuple[int, int] | None = None) -> tuple[SurveyGrid, NDArray[np.float32]]:
        """Return the similarities as a map of the slide, for the layer of the search.

        Parameters
        ----------
        shape : (height, width), optional
            Of the slide at level 0. By default as the file states it, or as far as its patches go.

        Returns
        -------
        grid : SurveyGrid
            Cells of one patch, which cover the slide; larger ones if they were too many.
        heat : array, float32, (rows, columns)
            The highest similarity of the patches in each cell, NaN where there is none.
        """
        coords, side = self.features.coords, self.features.side
        if shape is None:
            across, down = coords.max(axis=0) + side
            shape = self.features.shape or (int(down), int(across))
        size = np.maximum(shape[::-1], 1.0)
        cell = max(side, float(np.sqrt(size.prod() / MOST_CELLS)))
        columns, rows = np.ceil(size / cell).astype(int)
        cells = ((coords + side / 2) // cell).astype(int)
        column, row = np.clip(cells, 0, (columns - 1, rows - 1)).T
        heat = np.full((rows, columns), -1, np.float32)
        known = np.isfinite(self.similarity)
        np.maximum.at(heat, (row[known], column[known]), self.similarity[known])
        tissue = np.zeros((rows, columns), bool)
        tissue[row, column] = True
        heat[heat < 0] = np.nan
        return SurveyGrid((round(rows * cell), round(columns * cell)), side, tissue), heat

    def best(self, count: int = 6, away_from: Region | None = None) -> list[RowMatch]:
        """Return the most similar patches, the best first.

        No two of them are neighbours, and none overlaps ``away_from``. Patches with hardly any
        similarity are left out.
        """
        side, coords = self.features.side, self.features.coords
        chosen: list[NDArray[np.float64]] = []
        matches: list[RowMatch] = []
        for row in np.argsort(-np.nan_to_num(self.similarity, nan=-1), kind="stable"):
            if len(matches) == count or not self.similarity[row] >= LEAST_ALIKE:
                break
            near = any(np.abs(coords[row] - place).max() < 2 * side for place in chosen)
            region = self.features.region(int(row))
            if not near and not (away_from is not None and overlap(region, away_from)):
                chosen.append(coords[row])
                matches.append(RowMatch(region, float(self.similarity[row]), int(row)))
        return matches


class FeatureSearch:
    """Compares embeddings with all patches of a file.

    Parameters
    ----------
    features : FeatureFile
    """

    def __init__(self, features: FeatureFile) -> None:
        self.features = features

    @cached_property
    def mean(self) -> NDArray[np.float64]:
        """The mean embedding of an even sample of the patches: (dimension,).

        Raises
        ------
        PixCellError
            If none of them has numbers.
        """
        count = len(self.features)
        sample = np.unique(np.linspace(0, count - 1, min(count, SAMPLED)).astype(np.int64))
        rows = self.features.rows(sample)
        rows = rows[np.isfinite(rows).all(axis=1)]
        if not len(rows):
            raise PixCellError(
                f"“{self.features.path.name}” holds no numbers. Choose the file of another slide."
            )
        mean: NDArray[np.float64] = rows.mean(axis=0, dtype=np.float64)
        return mean

    def steps(self, wanted: NDArray[np.float32]) -> Iterator[FeatureHeat]:
        """Compare block after block, and yield the similarities so far after each.

        Parameters
        ----------
        wanted : array, float32, (..., dimension)
            Of the same encoder. Their mean is used.

        Raises
        ------
        PixCellError
            If they have another dimension, or the file cannot be read.
        """
        dimension = self.features.origin.dimension
        if wanted.shape[-1] != dimension:
            raise PixCellError(
                f"“{self.features.path.name}” holds embeddings of {dimension:,} numbers, and this "
                f"style has {wanted.shape[-1]:,}. Choose a style of the same encoder."
            )
        target = wanted.reshape(-1, dimension).mean(axis=0, dtype=np.float64) - self.mean
        target = (target / max(float(np.linalg.norm(target)), 1e-9)).astype(np.float32)
        similarity = np.full(len(self.features), np.nan, np.float32)
        skipped, mean = 0, self.mean.astype(np.float32)
        for first, rows in self.features.blocks():
            with np.errstate(invalid="ignore", over="ignore"):  # of rows without numbers
                rows -= mean
                lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
                known = np.isfinite(lengths)
                cosine = (rows @ target)[known] / np.maximum(lengths[known], 1e-9)
            similarity[first : first + len(rows)][known] = np.clip(cosine, 0, 1)
            skipped += int(len(rows) - known.sum())
            yield FeatureHeat(self.features, similarity, first + len(rows), skipped)

    def heat(self, wanted: NDArray[np.float32]) -> FeatureHeat:
        """Compare all patches at once; see :meth:`steps`."""
        *_, last = self.steps(wanted)
        return last
