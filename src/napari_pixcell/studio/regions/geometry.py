"""Sizes of regions in tiles and in cells of their painted area."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.slides.region import Region
from napari_pixcell.words import counted

AREA_PX = 8
# What can be painted into an area: name, and density of invented cells relative to the recipe.
AREA_KINDS = {1: ("some cells", 1.0), 2: ("many cells", 2.0), 3: ("few cells", 0.3)}


def area_shape(size: tuple[int, int]) -> tuple[int, int]:
    """Return the shape of the area of a region whose picture is (height, width) px."""
    return -(-size[0] // AREA_PX), -(-size[1] // AREA_PX)


def enlarged(area: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Return a painted area enlarged to (height, width) px."""
    fine = np.repeat(np.repeat(area, AREA_PX, axis=0), AREA_PX, axis=1)
    return fine[: size[0], : size[1]]


def tiles_text(count: int) -> str:
    """Return a number of tiles in words."""
    return counted(count, "tile")


def same_size(a: Region, b: Region) -> bool:
    """True if a box was moved, not resized. Napari keeps its corners as they were drawn."""
    return abs(a.width - b.width) < 0.5 and abs(a.height - b.height) < 0.5
