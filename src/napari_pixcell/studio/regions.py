"""Regions of a session, each with its style and its layout."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides.region import Region
from napari_pixcell.studio.segmenting import SegmentJob

NO_STYLE = 0

Shelved = tuple[NDArray[Any], str, LayoutSource | None]


@dataclass(eq=False)
class RegionItem:
    """A region of a session.

    Parameters
    ----------
    number : int
        Identifies it; never used twice in a session.
    name : str
        As shown.
    slide : str
        Key of its slide.
    region : Region
        Where it is.
    style_of : int
        Number of the region whose style is used; ``NO_STYLE`` for none.
    family : str
        Name of the family whose tile it is.
    """

    number: int
    name: str
    slide: str
    region: Region
    style_of: int
    family: str
    pixels: NDArray[np.uint8] | None = None
    embedding: PackedArray | None = None
    embedding_busy: bool = False
    embedding_stored: bool = False  # it was looked up, not computed
    layout: NDArray[Any] | None = None
    layout_job: SegmentJob | None = None
    layout_origin: str = ""
    layout_source: LayoutSource | None = None
    layout_text: str = ""
    cells: int = 0
    # Layouts for tiles of another size, by their side: they come back with their family.
    shelved: dict[int, Shelved] = field(default_factory=dict)

    @property
    def layout_busy(self) -> bool:
        """Whether its cells are being looked for."""
        return self.layout_job is not None


def snap(region: Region, shape: tuple[int, int], mpp: float, family: Family) -> Region:
    """Give the tile about the centre of ``region``, on whole pixels and inside the slide.

    Parameters
    ----------
    region : Region
        As drawn or dragged.
    shape : (height, width)
        Of the slide at level 0.
    mpp : float
        Pixel size of level 0 in µm.
    family : Family
        Whose tile it is.
    """
    centre = region.x + region.width / 2, region.y + region.height / 2
    tile = Region.tile(centre, family.tile, family.mpp, mpp)
    height, width = shape
    # Half a pixel of the model: 0.499 µm/px must not keep a 256 px image from being one tile.
    slack = 0.5 * family.mpp / mpp
    if tile.width > min(width, height) + slack:
        raise PixCellError(
            f"The slide is {width} × {height} px, smaller than one tile of "
            f"{family.tile * family.mpp:.0f} × {family.tile * family.mpp:.0f} µm; "
            "open a larger slide or check the pixel size."
        )
    return Region(
        float(max(0, min(round(tile.x), int(width - tile.width)))),
        float(max(0, min(round(tile.y), int(height - tile.height)))),
        tile.width,
        tile.height,
    )
