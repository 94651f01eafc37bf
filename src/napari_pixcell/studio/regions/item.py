"""A region of a session, with its style and its layout."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.tissue_colours import TissueColours
from napari_pixcell.slides.region import Region
from napari_pixcell.studio.cells.layout import Cells
from napari_pixcell.studio.cells.search import Search
from napari_pixcell.studio.cells.segmenter import SegmentTask
from napari_pixcell.studio.regions.geometry import enlarged
from napari_pixcell.studio.styles.choice import StyleChoice
from napari_pixcell.studio.styles.embedder import EmbedTask

NO_STYLE = 0


@dataclass(eq=False)
class RegionItem:
    """A region of a session."""

    number: int  # never used twice in a session
    name: str
    slide: str
    region: Region
    style: StyleChoice  # the styles that its variants imitate
    family: str  # name of the family that it is fitted to
    drawn: Region  # the box that the user drew; a family with a larger tile enlarges it
    size: tuple[int, int]  # (height, width): size of its pictures, in px at the family's pixel size
    # The tissue at the family's pixel size, for comparison; None for very large regions.
    pixels: NDArray[np.uint8] | None = None
    embedding: PackedArray | None = None
    colours: TissueColours | None = None  # of its tissue, known before its embedding
    embedding_busy: bool = False
    embedding_job: EmbedTask | None = None
    embedding_stored: bool = False  # it came from the cache
    layout: NDArray[Any] | None = None
    layout_job: SegmentTask | None = None
    search: Search | None = None  # the latest segmentation that made its layout
    layout_origin: str = ""
    layout_source: LayoutSource | None = None
    layout_text: str = ""
    classes: dict[int, str] = field(default_factory=dict)
    of_slide: bool = False  # the layout is its part of the cells of the whole slide
    cells: int = 0
    layout_advice: str = ""
    # A coarse picture of where cells are segmented or invented: AREA_PX px each, see AREA_KINDS.
    area: NDArray[np.uint8] | None = None
    # Layouts of another size, by that size: they return with their family.
    shelved: dict[tuple[int, ...], Cells] = field(default_factory=dict)
    # Layouts that were replaced as a whole, for undo and redo.
    earlier: list[Cells | None] = field(default_factory=list)
    later: list[Cells | None] = field(default_factory=list)

    @property
    def whole_layout(self) -> Cells | None:
        if self.layout is None:
            return None
        return Cells(self.layout, self.layout_origin, self.layout_source, self.classes)

    @property
    def layout_busy(self) -> bool:
        return self.layout_job is not None

    @property
    def part(self) -> NDArray[np.bool_] | None:
        """The painted area as a mask, (height, width); None if nothing is painted."""
        if self.area is None or not self.area.any():
            return None
        return enlarged(self.area > 0, self.size)
