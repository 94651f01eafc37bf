"""Similarity of a slide's tissue to a region. Imports no torch.

A slide is sampled on a coarse grid: one tile of one embedding in the middle of each cell that holds
tissue. The similarity of two embeddings is their cosine. All tissue of a slide shares most of its
embedding (stain, scanner, focus), so raw cosines are all close to 1. The mean of the slide's
embeddings is therefore subtracted first, as Mu & Viswanath do for words ("All-but-the-Top", ICLR
2018). A similarity of 0 is that of the average tile.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.slide import Slide

MOST_TILES = 400
OVERVIEW = 1024  # px along the longer side of the overview in which tissue is detected
BRIGHT = 0.75  # darker pixels are never glass: folds, pigment, pen
# Bounds of Otsu's threshold of saturation, because a slide may be all tissue or all glass.
LEAST_SATURATION, MOST_SATURATION = 0.03, 0.06
LEAST_TISSUE = 0.5  # of a tile
LEAST_ALIKE = 0.05  # similarity of a useful match


@dataclass(frozen=True, eq=False)
class SurveyGrid:
    """Tiles sampled evenly over a slide.

    Parameters
    ----------
    shape : (height, width)
        Size of the slide in level-0 pixels. Cells of equal size cover all of it.
    side : float
        Side of a tile of one embedding, in the middle of its cell, in level-0 pixels.
    tissue : array, bool, (rows, columns)
        Mask of the tiles that are not glass.
    """

    shape: tuple[int, int]
    side: float
    tissue: NDArray[np.bool_]

    @property
    def cells(self) -> list[tuple[int, int]]:
        """Row and column of each tile with tissue."""
        return [(int(row), int(column)) for row, column in np.argwhere(self.tissue)]

    @property
    def cell(self) -> tuple[float, float]:
        """Height and width of a cell in level-0 pixels."""
        rows, columns = self.tissue.shape
        return self.shape[0] / rows, self.shape[1] / columns

    def tile(self, row: int, column: int) -> Region:
        """Return the tile of a cell."""
        (high, wide), (height, width) = self.cell, self.shape
        y = _start((row + 0.5) * high, self.side, height)
        return Region(_start((column + 0.5) * wide, self.side, width), y, self.side, self.side)

    def spread(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Return a map of one value per tissue tile: float32 (rows, columns), NaN on glass."""
        spread = np.full(self.tissue.shape, np.nan, np.float32)
        spread[self.tissue] = values
        return spread


def _start(centre: float, side: float, whole: int) -> float:
    return float(max(0, min(round(centre - side / 2), int(whole - side))))


def lay_grid(
    slide: Slide, family: Family, most: int = MOST_TILES, side: float | None = None
) -> SurveyGrid:
    """Choose the tiles at which a slide with a known pixel size is sampled.

    Parameters
    ----------
    family : Family
        Determines the tile, which is the least distance between samples.
    most : int
        Largest number of tiles with tissue. It determines their spacing.
    side : float, optional
        Side of a tile in level-0 pixels. By default that of one embedding.

    Raises
    ------
    PixCellError
        If the slide is smaller than a tile, cannot be read, or shows no tissue.
    """
    mpp = slide.require_mpp()
    height, width = slide.shape
    if side is None:
        side = family.tile // family.grid * family.mpp / mpp
    if side > min(height, width) + family.mpp / mpp:
        raise PixCellError(
            f"The slide is {width} × {height} px, smaller than one tile. Open a larger slide, or "
            "check the pixel size."
        )
    overview = slide.read(Region(0, 0, width, height), max(height, width) * mpp / OVERVIEW)
    tissue = find_tissue(overview)
    expected = math.sqrt(height * width * tissue.mean() / most)
    spacing = max(side, 0.9 * expected)
    while True:
        cells = max(1, int((height + 1) / spacing)), max(1, int((width + 1) / spacing))
        grid = SurveyGrid(slide.shape, side, np.ones(cells, bool))
        kept = np.array([_part(tissue, grid, *cell) >= LEAST_TISSUE for cell in grid.cells])
        count = int(kept.sum())
        if count <= most:
            break
        spacing *= max(1.02, math.sqrt(count / most))
    if not count:
        raise PixCellError("No tissue was found on this slide. Open another slide.")
    return SurveyGrid(slide.shape, side, kept.reshape(cells))


def find_tissue(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the mask of the tissue, bool (height, width), by Otsu's threshold of saturation."""
    from skimage import color, filters  # slow to import

    hsv = color.rgb2hsv(picture)
    saturation, otsu = hsv[..., 1], cast(Any, filters.threshold_otsu)
    threshold = np.clip(otsu(saturation), LEAST_SATURATION, MOST_SATURATION)
    found: NDArray[np.bool_] = (saturation > threshold) | (hsv[..., 2] < BRIGHT)
    return found


def _part(tissue: NDArray[np.bool_], grid: SurveyGrid, row: int, column: int) -> float:
    """Return the fraction of a tile that is tissue."""
    tile = grid.tile(row, column)
    down, across = tissue.shape[0] / grid.shape[0], tissue.shape[1] / grid.shape[1]
    top, left = int(tile.y * down), int(tile.x * across)
    bottom = max(top + 1, round((tile.y + tile.height) * down))
    right = max(left + 1, round((tile.x + tile.width) * across))
    return float(tissue[top:bottom, left:right].mean())


def alike(values: NDArray[Any], wanted: NDArray[Any]) -> NDArray[np.float32]:
    """Return the similarity of each tile of a slide to a region.

    Parameters
    ----------
    values : array, float, (tiles, dimension)
        Embeddings of tiles all over the slide.
    wanted : array, float, (..., dimension)
        Embeddings of the region, of which the mean is used.

    Returns
    -------
    array, float32, (tiles,)
        From 0, at most as similar as the average of the slide, to 1.

    Raises
    ------
    PixCellError
        If the embeddings come from different encoders.
    """
    if values.shape[-1] != wanted.shape[-1]:
        raise PixCellError(
            "Region and slide were embedded by different models. Embed the region again."
        )
    centre = values.mean(axis=0, dtype=np.float64)
    rest = values - centre
    target = wanted.reshape(-1, wanted.shape[-1]).mean(axis=0, dtype=np.float64) - centre
    lengths = np.linalg.norm(rest, axis=1) * np.linalg.norm(target)
    cosine = np.divide(rest @ target, lengths, out=np.zeros(len(rest)), where=lengths > 1e-9)
    return np.asarray(np.clip(cosine, 0, 1), np.float32)


@dataclass(frozen=True)
class Match:
    """A tile similar to a region, in level-0 pixels. Similarity is 0 to 1, see :func:`alike`."""

    region: Region
    similarity: float

    @property
    def percent(self) -> str:
        """Similarity in words."""
        return f"{100 * self.similarity:.0f} %"


def best_matches(
    grid: SurveyGrid, heat: NDArray[np.float32], region: Region, count: int = 6
) -> list[Match]:
    """Return the tiles that are most similar to a region in level-0 pixels, the best first.

    No two of them are neighbours, and none overlaps the region. Tiles with hardly any similarity
    are left out.

    Parameters
    ----------
    heat : array, float32, (rows, columns)
        Similarity of each tile, NaN where unknown.
    count : int
        Largest number of matches.
    """
    chosen: list[tuple[int, int]] = []
    matches: list[Match] = []
    order = np.argsort(-np.nan_to_num(heat, nan=-1), axis=None, kind="stable")
    for row, column in zip(*np.unravel_index(order, heat.shape), strict=True):
        if len(matches) == count or not heat[row, column] >= LEAST_ALIKE:
            break
        near = any(max(abs(row - r), abs(column - c)) < 2 for r, c in chosen)
        tile = grid.tile(int(row), int(column))
        if not near and not overlap(tile, region):
            chosen.append((int(row), int(column)))
            matches.append(Match(tile, float(heat[row, column])))
    return matches


def overlap(a: Region, b: Region) -> bool:
    """Whether two regions overlap."""
    across = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    down = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    return across > 0 and down > 0
