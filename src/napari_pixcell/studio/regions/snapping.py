"""From a drawn box to the region that is meant."""

from __future__ import annotations

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides.region import Region

# By how much a side may be longer than a tile and still be meant as one: part, and level-0 px.
NEARLY, NEARLY_PX = 0.01, 3.0


def snap(
    region: Region,
    shape: tuple[int, int],
    mpp: float,
    family: Family,
    moved: bool = False,
) -> Region:
    """Give the region that is meant by a box: at least a tile, on whole pixels of the slide.

    A side that is shorter than the family's tile, or nearly as long, becomes one tile about the
    same centre; a longer one stays as it is.

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
    moved : bool
        The box was moved, not drawn: what sticks out of the slide is moved inside as it is, not
        cut off.

    Raises
    ------
    PixCellError
        If the slide is smaller than a tile.
    """
    side = family.tile * family.mpp / mpp
    height, width = shape
    # Half a pixel of the model: 0.499 µm/px must not keep a 256 px image from being one tile.
    slack = 0.5 * family.mpp / mpp
    if side > min(width, height) + slack:
        raise PixCellError(
            f"The slide is {width} × {height} px, smaller than one tile of "
            f"{family.tile * family.mpp:.0f} × {family.tile * family.mpp:.0f} µm; "
            "open a larger slide or check the pixel size."
        )
    x, across = _snap_side(region.x, region.width, width, side, moved)
    y, down = _snap_side(region.y, region.height, height, side, moved)
    return Region(x, y, across, down)


def _snap_side(
    start: float, length: float, whole: int, side: float, moved: bool
) -> tuple[float, float]:
    """Give start and length along one axis of a slide of ``whole`` pixels."""
    centre = start + length / 2
    if not moved:  # what was drawn beyond the slide is not meant
        stop = min(start + length, float(whole))
        start = max(start, 0.0)
        if stop > start:
            length, centre = stop - start, (start + stop) / 2
    if length <= side + max(NEARLY_PX, NEARLY * side):
        length, start = side, float(round(centre - side / 2))
    else:
        length, start = float(min(round(length), whole)), float(round(start))
    return float(max(0, min(start, int(whole - length)))), length
