"""The tissue of a region, read for an encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.canvas.plan import cells_of
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides.content import content_key
from napari_pixcell.slides.region import Region

LARGEST_READ = 4096**2  # px per embedding request


def size_at(region: Region, mpp: float, family: Family) -> tuple[int, int]:
    """Return the size of the image of a region: (height, width) in px, at least one tile.

    The region is in level-0 pixels of ``mpp`` µm, the image has the family's pixel size.
    """
    height, width = region.shape_at(mpp, family.mpp)
    return max(height, family.tile), max(width, family.tile)


def slide_signature(slide: Any) -> str:
    """Return a fingerprint of a slide's file that contains no name; empty without a file."""
    try:
        return content_key(Path(slide.path)) if slide.path is not None else ""
    except OSError:
        return ""


class Tissue:
    """The pixels of a region, in whole grid cells of one embedding each.

    Parameters
    ----------
    region : Region
        In level-0 pixels. It is extended to the right and down to whole cells. Beyond the edge
        of the slide the tissue is mirrored: white pixels would be embedded as glass.
    family : Family
        Its pixel size is used.

    Attributes
    ----------
    size : (height, width)
        Size of the image of the region, in px.
    cells : (rows, columns)
        Shape of the grid of embeddings.
    side : int
        Side of a cell in px.
    """

    def __init__(self, slide: Any, region: Region, family: Family) -> None:
        self.slide, self.region, self.family = slide, region, family
        self.size = size_at(region, slide.mpp, family)
        self.cells = cells_of(self.size, family.tile, family.grid)
        self.side = family.tile // family.grid

    @property
    def large(self) -> bool:
        """True if it is too large to be read at once."""
        return self.cells[0] * self.cells[1] * self.side**2 > LARGEST_READ

    def bands(self) -> list[tuple[int, int]]:
        """Return bands (first, stop) of cell rows that can be read at once, each a tile or more."""
        rows, columns = self.cells
        each = max(self.family.grid, LARGEST_READ // (columns * self.side**2))
        starts = list(range(0, rows, each))
        if len(starts) > 1 and rows - starts[-1] < self.family.grid:
            starts.pop()
        return list(zip(starts, [*starts[1:], rows], strict=True))

    def read(self, first: int = 0, stop: int | None = None) -> NDArray[np.uint8]:
        """Read rows of cells: uint8 (rows × side, columns × side, 3).

        Raises
        ------
        PixCellError
            If none of them can be decoded.
        """
        rows, columns = (stop or self.cells[0]) - first, self.cells[1]
        wanted = rows * self.side, columns * self.side
        if wanted == self.region.shape_at(self.slide.mpp, self.family.mpp):
            return self._pixels(self.region)
        scale = self.family.mpp / self.slide.mpp
        x, y = self.region.x, self.region.y + first * self.side * scale
        there = [
            max(1, min(n, int((whole - start) / scale + 0.5)))
            for n, whole, start in zip(wanted, self.slide.shape, (y, x), strict=True)
        ]
        visible = Region(x, y, there[1] * scale, there[0] * scale)
        pixels = self._pixels(visible)
        beyond = [(0, n - has) for n, has in zip(wanted, pixels.shape, strict=False)]
        return np.pad(pixels, [*beyond, (0, 0)], mode="symmetric") if np.any(beyond) else pixels

    def _pixels(self, region: Region) -> NDArray[np.uint8]:
        """Read a region; white in place of tissue that cannot be decoded is no tissue."""
        pixels: NDArray[np.uint8] = self.slide.read(region, self.family.mpp)
        self.slide.check_readable(region, self.family.mpp)
        return pixels

    def cut(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Crop to the region itself: uint8 (height, width, 3)."""
        height, width = self.size
        return np.ascontiguousarray(pixels[:height, :width])
