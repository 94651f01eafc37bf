"""The styles of a region, and their blend."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.styles.blending import as_grid, blend, for_family
from napari_pixcell.engine.styles.style import Style, small_picture
from napari_pixcell.engine.tissue_colours import TissueColours
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.studio.regions.item import RegionItem


@dataclass(frozen=True, eq=False)
class Ingredient:
    """One of the styles that a region imitates."""

    name: str
    share: float  # 0 to 1; all shares add up to 1
    item: RegionItem | None = None  # the region, if its tissue is the style
    style: Style | None = None  # the style, if it is not a region's

    @property
    def embedding(self) -> PackedArray | NDArray[np.float32] | None:
        if self.item is not None:
            return self.item.embedding
        return self.style.embedding if self.style is not None else None

    @property
    def colours(self) -> TissueColours | None:
        known = self.item if self.item is not None else self.style
        return known.colours if known is not None else None

    @property
    def count(self) -> int:
        return math.prod(self.embedding.shape) if self.embedding is not None else 0

    @property
    def dimension(self) -> int:
        return self.embedding.shape[-1] if self.embedding is not None else 0

    def unpacked(self) -> NDArray[np.float32]:
        """Return its embeddings as a grid: float32, (rows, columns, dimension)."""
        embedding = self.embedding
        if embedding is None:
            raise PixCellError(f"{self.name} is not embedded yet. Wait for it, or embed it.")
        return as_grid(embedding.unpack() if isinstance(embedding, PackedArray) else embedding)

    def picture(self) -> NDArray[np.uint8] | None:
        if self.item is not None:
            return small_picture(self.item.pixels) if self.item.pixels is not None else None
        return self.style.thumbnail if self.style is not None else None


def blended(
    ingredients: list[Ingredient], cells: tuple[int, int], family: Family, over: bool = False
) -> PackedArray:
    """Blend styles for a request.

    Parameters
    ----------
    ingredients : list of Ingredient
        At least one with a share, all embedded by the family's encoder.
    cells : (rows, columns)
        Grid of the picture's embeddings.
    family : Family
    over : bool
        Spread a single style over the cells too, as a blend is. Otherwise it keeps its own grid,
        which is smaller and gives the same picture.
    """
    used = [one for one in ingredients if one.share]
    if len(used) == 1 and not over:
        return for_family(used[0].unpacked(), family)
    grids, shares = [one.unpacked() for one in used], [one.share for one in used]
    return for_family(blend(grids, shares, cells), family)
