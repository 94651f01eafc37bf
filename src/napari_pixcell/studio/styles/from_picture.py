"""Pictures that become styles: files and variants, opened as slides."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.styles.style import small_picture
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.families import get_family
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.slide import ArraySlide, Slide
from napari_pixcell.studio.cells.file_kinds import holds_cells
from napari_pixcell.studio.results.results import Result

MOST_TILES = 1024  # of a picture that is a style as a whole: 8,192 px a side at 256 px a tile
PREVIEW = 256  # px of the picture that a thumbnail is made from


@dataclass(frozen=True, eq=False)
class Opened:
    """A picture that becomes a style: the whole of ``slide``."""

    slide: Slide
    note: str = ""

    @property
    def region(self) -> Region:
        height, width = self.slide.shape
        return Region(0, 0, width, height)

    def thumbnail(self) -> NDArray[np.uint8]:
        return thumbnail_of(self.slide, self.region)


def thumbnail_of(slide: Slide, region: Region) -> NDArray[np.uint8]:
    """Return a thumbnail of a region: uint8, (height, width, 3)."""
    mpp = slide.require_mpp() * max(1.0, max(region.width, region.height) / PREVIEW)
    return small_picture(slide.read(region, mpp))


def open_picture(path: Path, family: Family, mpp: float | None = None) -> Opened:
    """Open a picture of tissue; without a stated pixel size, the family's is assumed.

    Raises
    ------
    PixCellError
        If it is not a picture of tissue, smaller than a tile, or too large for one style.
    """
    from napari_pixcell.slides import open_slide

    if holds_cells(path):
        raise PixCellError(
            f"“{path.name}” has no colours or holds cells. Choose an RGB picture of tissue, or "
            "import cells in the Layout section."
        )
    slide, note = open_slide(path, mpp), ""
    try:
        if slide.mpp is None:
            slide = slide.with_mpp(family.mpp)
            note = f"“{path.name}” states no pixel size. {family.mpp:g} µm/px was assumed."
        _check_size(f"“{path.name}”", slide, family)
    except PixCellError:
        slide.close()
        raise
    return Opened(slide, note)


def open_variant(result: Result, family: Family) -> Opened:
    """Open a variant as the picture of a style."""
    mpp = get_family(result.record.request.family).mpp
    slide = ArraySlide([result.image], mpp, result.name)
    _check_size("This variant", slide, family)
    return Opened(slide)


def _check_size(what: str, slide: Slide, family: Family) -> None:
    height, width = slide.shape
    scale = slide.require_mpp() / family.mpp
    side = math.ceil(family.tile / scale)
    if min(height, width) * scale < family.tile - 0.5:
        raise PixCellError(
            f"{what} is {width} × {height} px, smaller than one tile of {family.title} "
            f"({side} × {side} px at {slide.mpp:.3g} µm/px). Choose a larger picture."
        )
    tiles = height * width * scale**2 / (family.tile // family.grid) ** 2
    if tiles > MOST_TILES:
        raise PixCellError(
            f"{what} is {width:,} × {height:,} px, too large for one style. Open it as a slide and "
            "draw a region on the tissue you want."
        )
