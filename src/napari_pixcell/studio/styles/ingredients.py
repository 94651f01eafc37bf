"""The styles that a region looks like, and their blend."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.styles.blending import as_grid, blend, for_family
from napari_pixcell.engine.styles.style import Style, small_picture
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.studio.regions.item import RegionItem


@dataclass(frozen=True, eq=False)
class Ingredient:
    """A style that a region looks like.

    Parameters
    ----------
    name : str
        As shown.
    share : float
        0 to 1; all together are 1.
    item : RegionItem, optional
        Whose tissue it is.
    style : Style, optional
        Which one, where it is not a region's.
    """

    name: str
    share: float
    item: RegionItem | None = None
    style: Style | None = None

    @property
    def embedding(self) -> PackedArray | NDArray[np.float32] | None:
        """Its embeddings, if they are there."""
        if self.item is not None:
            return self.item.embedding
        return self.style.embedding if self.style is not None else None

    @property
    def count(self) -> int:
        """How many numbers its embeddings are."""
        return math.prod(self.embedding.shape) if self.embedding is not None else 0

    @property
    def dimension(self) -> int:
        """How many numbers one embedding is."""
        return self.embedding.shape[-1] if self.embedding is not None else 0

    def unpacked(self) -> NDArray[np.float32]:
        """Give its embeddings as a grid: float32, (rows, columns, dimension)."""
        found = self.embedding
        if found is None:
            raise PixCellError(f"{self.name} is not embedded yet; wait for it, or embed it.")
        return as_grid(found.unpack() if isinstance(found, PackedArray) else found)

    def picture(self) -> NDArray[np.uint8] | None:
        """Give a small picture of it, if there is one."""
        if self.item is not None:
            return small_picture(self.item.pixels) if self.item.pixels is not None else None
        return self.style.thumbnail if self.style is not None else None


def mixed(
    found: list[Ingredient], cells: tuple[int, int], family: Family, over: bool = False
) -> PackedArray:
    """Blend styles for a request.

    Parameters
    ----------
    found : list of Ingredient
        At least one with a share; all embedded by the family's encoder.
    cells : (rows, columns)
        Embeddings of the picture.
    family : Family
    over : bool
        Lay a single one over the cells too, as a blend is; else it keeps its own grid, which is
        smaller and comes to the same picture.
    """
    used = [one for one in found if one.share]
    if len(used) == 1 and not over:
        return for_family(used[0].unpacked(), family)
    grids, shares = [one.unpacked() for one in used], [one.share for one in used]
    return for_family(blend(grids, shares, cells), family)
