"""Pictures whose whole area is one style; imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.reading.limits import holds_cells
from napari_pixcell.engine.styles.style import small_picture
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.slide import Slide

MOST_TILES = 1024  # of a picture that is one style: 8,192 px a side at 256 px a tile
PREVIEW = 256  # px of the longer side that a thumbnail is made from


@dataclass(frozen=True, eq=False)
class StylePicture:
    """A picture with its pixel size, whose whole area is one style.

    ``note`` says what was assumed about it; empty if nothing was.
    """

    slide: Slide
    note: str = ""

    @property
    def region(self) -> Region:
        """The whole picture."""
        height, width = self.slide.shape
        return Region(0, 0, width, height)

    def thumbnail(self) -> NDArray[np.uint8]:
        """Return a thumbnail: uint8, (height, width, 3)."""
        return thumbnail_of(self.slide, self.region)


def thumbnail_of(slide: Slide, region: Region) -> NDArray[np.uint8]:
    """Return a thumbnail of a region: uint8, (height, width, 3)."""
    mpp = slide.require_mpp() * max(1.0, max(region.width, region.height) / PREVIEW)
    return small_picture(slide.read(region, mpp))


def open_picture(path: Path, family: Family, mpp: float | None = None) -> StylePicture:
    """Open a file whose whole area is to become a style.

    Parameters
    ----------
    path : Path
        Any slide or RGB image.
    family : Family
        Its pixel size is assumed where neither the file nor ``mpp`` states one.
    mpp : float, optional
        Pixel size in µm.

    Raises
    ------
    PixCellError
        If the file holds cells, or is smaller than a tile, or too large for one style.
    """
    from napari_pixcell.slides import open_slide

    if holds_cells(path):
        raise PixCellError(
            f"“{path.name}” is greyscale or holds cells; choose an RGB picture of tissue, or "
            "import the cells as a layout."
        )
    slide, note = open_slide(path, mpp), ""
    try:
        if slide.mpp is None:
            slide = slide.with_mpp(family.mpp)
            note = f"“{path.name}” states no pixel size; {family.mpp:g} µm/px is assumed."
        check_picture_size(f"“{path.name}”", slide, family)
    except PixCellError:
        slide.close()
        raise
    return StylePicture(slide, note)


def check_picture_size(name: str, slide: Slide, family: Family) -> None:
    """Raise PixCellError if a picture is smaller than a tile or larger than ``MOST_TILES`` tiles.

    ``name`` is the subject of the message.
    """
    height, width = slide.shape
    scale = slide.require_mpp() / family.mpp
    if min(height, width) * scale < family.tile - 0.5:
        side = math.ceil(family.tile / scale)
        raise PixCellError(
            f"{name} is {width} × {height} px, smaller than one tile of {family.title} "
            f"({side} × {side} px at {slide.mpp:.3g} µm/px); choose a larger picture."
        )
    tiles = height * width * scale**2 / (family.tile // family.grid) ** 2
    if tiles > MOST_TILES:
        raise PixCellError(
            f"{name} is {width:,} × {height:,} px, too large for one style; open it as a slide "
            "and draw a region on the tissue that you want."
        )
