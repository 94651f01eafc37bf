"""World coordinates (µm) of regions and their images in napari.

A slide layer has scale mpp and translate 0, so the *centre* of its pixel (0, 0) is at world 0 and
its corner half a pixel before. Regions count level-0 pixels from that corner, as slides do.
"""

from __future__ import annotations

from collections.abc import Sequence

from napari_pixcell.slides.region import Region

YX = tuple[float, float]
UNITS = ("micrometer", "micrometer")
AXES = ("y", "x")


def placement(region: Region, mpp: float, shape: Sequence[int]) -> tuple[YX, YX]:
    """Return the scale and translate of a layer whose image covers a region exactly.

    Parameters
    ----------
    region : Region
        In level-0 pixels.
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
