"""Tiles of a family: cut out of regions of slides, and out of arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from napari_pixcell.datasets.recipe.parts import MOST_TILES
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.slide import Slide

MOST_STYLES = 1_000_000


@dataclass(frozen=True)
class SourceTiles:
    """The tiles that a source of styles is cut into. Each is a style.

    Parameters
    ----------
    count : int
        Their number.
    tissue : int
        How many of them have tissue.
    regions : tuple of Region
        In level-0 pixels, if they are read from a slide or picture.
    mpp : float
        Pixel size of the slide or picture, in µm.
    rows : tuple of int
        In a file of features, if they are read from one: the first row of each.
    skipped : int
        Styles of this file that have no numbers, and are left out.
    """

    count: int
    tissue: int
    regions: tuple[Region, ...] = ()
    mpp: float = 0.0
    rows: tuple[int, ...] = ()
    skipped: int = 0


def check_count(styles: int) -> None:
    """Raise PixCellError if a recipe has too many styles."""
    if styles > MOST_STYLES:
        raise PixCellError(
            f"The recipe has more than {MOST_STYLES:,} styles. Use “most”, or fewer slides."
        )


def tile_of(array: NDArray[Any], place: tuple[int, int], side: int) -> NDArray[Any]:
    """Return the tile at a row and column of an array, (height, width, …), as a view."""
    row, column = place
    return array[row * side : (row + 1) * side, column * side : (column + 1) * side]


def tile_name(name: str, tile: int, tiles: int) -> str:
    """Return the name of a tile of something that is cut into several."""
    return name if tiles == 1 else f"{name}, tile {tile + 1}"


def check_on_slide(region: Region, slide: Slide, family: Family) -> None:
    """Check that a region in level-0 pixels lies on its slide and has a sensible number of tiles.

    Raises
    ------
    PixCellError
        If it reaches beyond the slide by more than a pixel of the family.
    """
    (height, width), slack = slide.shape, max(1.0, family.mpp / slide.require_mpp())
    right, bottom = region.x + region.width, region.y + region.height
    if min(region.x, region.y) < -slack or right > width + slack or bottom > height + slack:
        raise PixCellError(
            f"The region {', '.join(f'{n:g}' for n in region.as_list())} reaches beyond "
            f"“{slide.short_name}”, which is {width} × {height} px. Move it onto the slide."
        )
    if region.width * region.height / (family.tile * slack) ** 2 > MOST_TILES:
        raise PixCellError(
            f"The region of “{slide.short_name}” has more than {MOST_TILES:,} tiles. Use a smaller "
            "one, or several slides."
        )


def tiles_in(region: Region, mpp: float, family: Family) -> list[Region]:
    """Cut a region into whole tiles of a family, row by row; a remainder is left out."""
    side = family.tile * family.mpp / mpp
    # Rounding may cost a pixel of the model: such a tile counts as whole.
    columns = int((region.width + family.mpp / mpp) / side)
    rows = int((region.height + family.mpp / mpp) / side)
    return [
        Region(region.x + column * side, region.y + row * side, side, side)
        for row in range(rows)
        for column in range(columns)
    ]
