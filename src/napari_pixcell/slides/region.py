"""Regions of a slide, in level-0 pixels and in the world coordinates (µm) of napari.

A slide layer has scale mpp and translate 0, so the *centre* of its pixel (0, 0) is at world 0 and
its corner half a pixel before. Regions count level-0 pixels from that corner, as slides do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from napari_pixcell.errors import PixCellError

YX = tuple[float, float]
UNITS = ("micrometer", "micrometer")
AXES = ("y", "x")


@dataclass(frozen=True)
class Region:
    """A rectangle on a slide.

    Parameters
    ----------
    x, y : float
        Left and top edge in level-0 pixels.
    width, height : float
        Size in level-0 pixels.
    """

    x: float
    y: float
    width: float
    height: float

    @classmethod
    def parse(cls, text: str) -> Region:
        """Read ``x,y,w,h`` as typed on a command line."""
        try:
            x, y, width, height = (float(part) for part in text.split(","))
        except ValueError:
            raise PixCellError(
                f"The region “{text}” is not four numbers. Write it as x,y,width,height in "
                "level-0 pixels, for example 600,800,512,512."
            ) from None
        return cls(x, y, width, height)

    @classmethod
    def tile(
        cls, centre: tuple[float, float], side_px: int, model_mpp: float, mpp: float
    ) -> Region:
        """Return the region of one model tile.

        Parameters
        ----------
        centre : (x, y)
            In level-0 pixels.
        side_px : int
            Side of the tile in the model's pixels.
        model_mpp, mpp : float
            Pixel size of the model and of the slide's level 0, in µm.
        """
        side = side_px * model_mpp / mpp
        return cls(centre[0] - side / 2, centre[1] - side / 2, side, side)

    def shape_at(self, mpp: float, target_mpp: float) -> tuple[int, int]:
        """Return the rows and columns of this region when read at ``target_mpp`` µm/px."""
        factor = mpp / target_mpp
        return max(1, round(self.height * factor)), max(1, round(self.width * factor))

    def as_list(self) -> list[float]:
        """Return x, y, width, height."""
        return [self.x, self.y, self.width, self.height]


def placement(region: Region, mpp: float, shape: Sequence[int]) -> tuple[YX, YX]:
    """Return the scale and translate of a layer whose image covers a region exactly.

    Parameters
    ----------
    region : Region, in level-0 pixels
    mpp : float
        µm per level-0 pixel.
    shape : (rows, columns, ...)
        Shape of the region's image.

    Returns
    -------
    scale : (y, x)
        µm per pixel of the image.
    translate : (y, x)
        Centre of the image's pixel (0, 0) in the world, in µm.
    """
    scale = region.height * mpp / shape[0], region.width * mpp / shape[1]
    translate = ((region.y - 0.5) * mpp + scale[0] / 2, (region.x - 0.5) * mpp + scale[1] / 2)
    return scale, translate


def region_to_world(region: Region, mpp: float) -> tuple[float, float, float, float]:
    """Return the edges of a region in the world: (top, left, bottom, right) in µm."""
    return (
        (region.y - 0.5) * mpp,
        (region.x - 0.5) * mpp,
        (region.y + region.height - 0.5) * mpp,
        (region.x + region.width - 0.5) * mpp,
    )


def world_to_region(top: float, left: float, bottom: float, right: float, mpp: float) -> Region:
    """Return the region whose edges lie at these world positions in µm."""
    return Region(left / mpp + 0.5, top / mpp + 0.5, (right - left) / mpp, (bottom - top) / mpp)
