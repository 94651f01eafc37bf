"""Which places of a slide look like a region; imports no torch.

A slide is looked at in a coarse grid: one tile of one embedding in the middle of each cell that
holds tissue. How alike two embeddings are is the cosine of the angle between them. All tissue of a
slide shares most of what an encoder sees (stain, scanner, focus), so that raw cosines lie close
together near 1; the mean of the slide's embeddings is therefore taken off first, as Mu & Viswanath
do for words ("All-but-the-Top", ICLR 2018). 0 is then as unlike as the average place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.slide import Slide

MOST_PLACES = 400
OVERVIEW = 1024  # px along the longer side of the picture in which tissue is told from glass
BRIGHT = 0.75  # brightness below which nothing is glass: folds, pigment, pen
# Saturation that tells tissue from glass lies between these, wherever Otsu's method puts it: a
# slide that is all tissue has no glass, and one without tissue has none of it.
LEAST_SATURATION, MOST_SATURATION = 0.03, 0.06
LEAST_TISSUE = 0.5  # of a place
LEAST_ALIKE = 0.05  # of what is worth going to


@dataclass(frozen=True, eq=False)
class SurveyGrid:
    """Places spread evenly over a slide.

    Parameters
    ----------
    shape : (height, width)
        Of the slide in level-0 pixels; cells of equal size cover all of it.
    side : float
        Of a place, which is a tile of one embedding in the middle of its cell; level-0 pixels.
    tissue : array, bool, (rows, columns)
        Which places are not glass.
    """

    shape: tuple[int, int]
    side: float
    tissue: NDArray[np.bool_]

    @property
    def cells(self) -> list[tuple[int, int]]:
        """Row and column of each place with tissue."""
        return [(int(row), int(column)) for row, column in np.argwhere(self.tissue)]

    @property
    def cell(self) -> tuple[float, float]:
        """Height and width of a cell in level-0 pixels."""
        rows, columns = self.tissue.shape
        return self.shape[0] / rows, self.shape[1] / columns

    def place(self, row: int, column: int) -> Region:
        """Give the tile of a cell: where a region would lie that is added there."""
        (high, wide), (height, width) = self.cell, self.shape
        y = _start((row + 0.5) * high, self.side, height)
        return Region(_start((column + 0.5) * wide, self.side, width), y, self.side, self.side)

    def spread(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Put one value for each of :attr:`cells` into a map: float32 (rows, columns), NaN else."""
        spread = np.full(self.tissue.shape, np.nan, np.float32)
        spread[self.tissue] = values
        return spread


def _start(centre: float, side: float, whole: int) -> float:
    return float(max(0, min(round(centre - side / 2), int(whole - side))))


def lay_grid(
    slide: Slide, family: Family, most: int = MOST_PLACES, side: float | None = None
) -> SurveyGrid:
    """Choose the places of a slide that are looked at.

    Parameters
    ----------
    slide : Slide
        Its pixel size is known.
    family : Family
        Whose encoder looks; places are at least one of its tiles apart.
    most : int
        How many places with tissue there may be; they lie further apart where there are more.
    side : float, optional
        Of a place in level-0 pixels; by default that of one embedding.

    Raises
    ------
    PixCellError
        If the slide is smaller than a tile, cannot be read, or seems to hold no tissue.
    """
    mpp = slide.require_mpp()
    height, width = slide.shape
    if side is None:
        side = family.tile // family.grid * family.mpp / mpp
    if side > min(height, width) + family.mpp / mpp:
        raise PixCellError(
            f"The slide is {width} × {height} px, smaller than one tile; open a larger slide or "
            "check the pixel size."
        )
    overview = slide.read(Region(0, 0, width, height), max(height, width) * mpp / OVERVIEW)
    tissue = find_tissue(overview)
    expected = math.sqrt(height * width * tissue.mean() / most)
    spacing = max(side, 0.9 * expected)
    while True:
        cells = max(1, int((height + 1) / spacing)), max(1, int((width + 1) / spacing))
        grid = SurveyGrid(slide.shape, side, np.ones(cells, bool))
        there = np.array([_part(tissue, grid, *cell) >= LEAST_TISSUE for cell in grid.cells])
        count = int(there.sum())
        if count <= most:
            break
        spacing *= max(1.02, math.sqrt(count / most))
    if not count:
        raise PixCellError(
            "This slide seems to be empty glass: no tissue was found on it; open another slide."
        )
    return SurveyGrid(slide.shape, side, there.reshape(cells))


def find_tissue(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell tissue from glass by its saturation, with Otsu's threshold.

    Parameters
    ----------
    picture : array, uint8, (height, width, 3)

    Returns
    -------
    array, bool, (height, width)
    """
    from skimage.color import rgb2hsv  # slow to import
    from skimage.filters import threshold_otsu

    hsv = rgb2hsv(picture)
    saturation = hsv[..., 1]
    threshold = np.clip(threshold_otsu(saturation), LEAST_SATURATION, MOST_SATURATION)
    found: NDArray[np.bool_] = (saturation > threshold) | (hsv[..., 2] < BRIGHT)
    return found


def _part(tissue: NDArray[np.bool_], grid: SurveyGrid, row: int, column: int) -> float:
    """Say how much of a place is tissue."""
    place = grid.place(row, column)
    down, across = tissue.shape[0] / grid.shape[0], tissue.shape[1] / grid.shape[1]
    top, left = int(place.y * down), int(place.x * across)
    bottom = max(top + 1, round((place.y + place.height) * down))
    right = max(left + 1, round((place.x + place.width) * across))
    return float(tissue[top:bottom, left:right].mean())


def alike(values: NDArray[Any], wanted: NDArray[Any]) -> NDArray[np.float32]:
    """Say how much each place of a slide looks like a region.

    Parameters
    ----------
    values : array, float, (places, dimension)
        Embeddings of places all over the slide.
    wanted : array, float, (..., dimension)
        Embeddings of the region; their mean counts.

    Returns
    -------
    array, float32, (places,)
        From 0, no more alike than the slide's average, to 1; what is less alike is 0 too.

    Raises
    ------
    PixCellError
        If the embeddings are not of the same encoder.
    """
    if values.shape[-1] != wanted.shape[-1]:
        raise PixCellError(
            "The region was embedded by another model than the slide; embed the region again."
        )
    centre = values.mean(axis=0, dtype=np.float64)
    rest = values - centre
    target = wanted.reshape(-1, wanted.shape[-1]).mean(axis=0, dtype=np.float64) - centre
    lengths = np.linalg.norm(rest, axis=1) * np.linalg.norm(target)
    cosine = np.divide(rest @ target, lengths, out=np.zeros(len(rest)), where=lengths > 1e-9)
    return np.clip(cosine, 0, 1).astype(np.float32)


@dataclass(frozen=True)
class Match:
    """A place that looks like a region.

    Parameters
    ----------
    region : Region
        In level-0 pixels.
    similarity : float
        0 to 1, see :func:`alike`.
    """

    region: Region
    similarity: float

    @property
    def percent(self) -> str:
        """How alike it is, in words."""
        return f"{100 * self.similarity:.0f} %"


def best_matches(
    grid: SurveyGrid, heat: NDArray[np.float32], region: Region, count: int = 6
) -> list[Match]:
    """Choose the places that look most like a region.

    No two of them are neighbours, and none overlaps the region.

    Parameters
    ----------
    grid : SurveyGrid
    heat : array, float32, (rows, columns)
        How alike each place is; NaN where that is not known.
    region : Region
        What they are compared with, in level-0 pixels.
    count : int
        How many at most; places that are hardly more alike than the average are not given.

    Returns
    -------
    list of Match
        The most alike first.
    """
    chosen: list[tuple[int, int]] = []
    places: list[Match] = []
    order = np.argsort(-np.nan_to_num(heat, nan=-1), axis=None, kind="stable")
    for row, column in zip(*np.unravel_index(order, heat.shape), strict=True):
        if len(places) == count or not heat[row, column] >= LEAST_ALIKE:
            break
        near = any(max(abs(row - r), abs(column - c)) < 2 for r, c in chosen)
        place = grid.place(int(row), int(column))
        if not near and not overlap(place, region):
            chosen.append((int(row), int(column)))
            places.append(Match(place, float(heat[row, column])))
    return places


def overlap(a: Region, b: Region) -> bool:
    """Whether two regions share some of the slide."""
    across = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    down = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    return across > 0 and down > 0
