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
from napari_pixcell.studio.cells.search import Search
from napari_pixcell.studio.cells.segmenter import SegmentJob
from napari_pixcell.studio.styles.choice import StyleChoice
from napari_pixcell.studio.styles.embedder import EmbedJob

NO_STYLE = 0
AREA_PX = 8
# What can be painted into an area: name, and density of invented cells against the one asked for.
AREA_KINDS = {1: ("some cells", 1.0), 2: ("many cells", 2.0), 3: ("few cells", 0.3)}
# By how much a side may be longer than a tile and still be meant as one: part, and level-0 px.
NEARLY, NEARLY_PX = 0.01, 3.0


@dataclass(frozen=True, eq=False)
class Cells:
    """A layout as a whole.

    Parameters
    ----------
    labels : array, (height, width)
        Instance label image; 0 is background.
    origin : str
        How it came about, in words.
    source : LayoutSource, optional
        The same, for records.
    classes : dict of int to str
        What kind of cell a label is, where that is known.
    """

    labels: NDArray[Any]
    origin: str = ""
    source: LayoutSource | None = None
    classes: dict[int, str] = field(default_factory=dict)


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
    style : StyleChoice
        The styles that its variants should look like.
    family : str
        Name of the family that it is fitted to.
    drawn : Region
        What the user drew; a family with a larger tile enlarges it.
    size : (height, width)
        Of a picture of it, in px at the family's pixel size.
    """

    number: int
    name: str
    slide: str
    region: Region
    style: StyleChoice
    family: str
    drawn: Region
    size: tuple[int, int]
    # The tissue at the family's pixel size, to compare with; None for very large regions.
    pixels: NDArray[np.uint8] | None = None
    embedding: PackedArray | None = None
    embedding_busy: bool = False
    embedding_job: EmbedJob | None = None
    embedding_stored: bool = False  # it was looked up, not computed
    layout: NDArray[Any] | None = None
    layout_job: SegmentJob | None = None
    search: Search | None = None  # the last one that found its cells
    layout_origin: str = ""
    layout_source: LayoutSource | None = None
    layout_text: str = ""
    classes: dict[int, str] = field(default_factory=dict)
    of_slide: bool = False  # the layout is its part of the cells of the whole slide
    cells: int = 0
    layout_advice: str = ""
    # A coarse picture of where cells are looked for or invented: AREA_PX px each, see AREA_KINDS.
    area: NDArray[np.uint8] | None = None
    # Layouts of another size, by that size: they come back with their family.
    shelved: dict[tuple[int, ...], Cells] = field(default_factory=dict)
    # Layouts that were replaced as a whole, to go back to; and those gone back from.
    earlier: list[Cells | None] = field(default_factory=list)
    later: list[Cells | None] = field(default_factory=list)

    @property
    def whole_layout(self) -> Cells | None:
        """Its layout with all that is known about it."""
        if self.layout is None:
            return None
        return Cells(self.layout, self.layout_origin, self.layout_source, self.classes)

    @property
    def layout_busy(self) -> bool:
        """Whether its cells are being looked for."""
        return self.layout_job is not None

    @property
    def part(self) -> NDArray[np.bool_] | None:
        """Where the area is painted: (height, width) px; None where it is not."""
        if self.area is None or not self.area.any():
            return None
        return enlarged(self.area > 0, self.size)


def area_shape(size: tuple[int, int]) -> tuple[int, int]:
    """Give the shape of the area of a region whose picture has (height, width) px."""
    return -(-size[0] // AREA_PX), -(-size[1] // AREA_PX)


def enlarged(area: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Enlarge what is painted of an area to (height, width) px."""
    fine = np.repeat(np.repeat(area, AREA_PX, axis=0), AREA_PX, axis=1)
    return fine[: size[0], : size[1]]


def tiles_text(count: int) -> str:
    """Say how many tiles there are."""
    return f"{count:,} tile" if count == 1 else f"{count:,} tiles"


def tiles_of(size: tuple[int, int], family: Family) -> int:
    """Count the family's tiles that cover a picture of (height, width) px."""
    height, width = size
    return -(-height // family.tile) * -(-width // family.tile)


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


def enlarged_as(drawn: Region, before: Region, after: Region) -> Region:
    """Move what the user drew as the region was moved that a family had made of it."""
    return Region(
        drawn.x + after.x - before.x, drawn.y + after.y - before.y, drawn.width, drawn.height
    )
