"""A region of a slide as a family reads it. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.layout import Report
from napari_pixcell.cells.methods import METHODS, LayoutSource, SegmentMethod
from napari_pixcell.engine.events import Embedding, SegmentedLayout
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.record import NEUTRAL
from napari_pixcell.engine.request_values import (
    EmbedRequest,
    GenerateRequest,
    SegmentRequest,
    Source,
)
from napari_pixcell.engine.requests import (
    StartImage,
    segment_request,
    snap,
    source_of,
    stain_request,
)
from napari_pixcell.engine.styles.blending import as_grid
from napari_pixcell.engine.styles.cache import EmbeddingCache
from napari_pixcell.engine.styles.pictures import thumbnail_of
from napari_pixcell.engine.styles.region_embedding import embed_region, region_colours
from napari_pixcell.engine.styles.style import Style
from napari_pixcell.engine.tissue import Tissue, size_at, slide_signature
from napari_pixcell.engine.tissue_colours import TissueColours
from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.store import encoder_kind
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.slide import Slide, check_region


@dataclass(frozen=True, eq=False)
class ChosenRegion:
    """A region of a slide, to be read at a family's pixel size."""

    family: Family
    slide: Slide  # has a pixel size
    region: Region  # in level-0 pixels
    size: tuple[int, int]  # height and width of its image, in px at the family's pixel size
    source: Source  # the same, for records

    @classmethod
    def fitted(
        cls, family: Family, slide: Slide, asked: Region, name: str = NEUTRAL
    ) -> ChosenRegion:
        """Return a region snapped to whole pixels and to at least one tile.

        Parameters
        ----------
        asked : Region
            In level-0 pixels.
        name : str
            Name of the slide in files and records.

        Raises
        ------
        PixCellError
            If the slide has no pixel size, or the region does not fit it.
        """
        check_region(asked, slide, family.tile, family.mpp)
        mpp = slide.require_mpp()
        region = snap(asked, slide.shape, mpp, family)
        size = size_at(region, mpp, family)
        return cls(family, slide, region, size, source_of(name, region, mpp))

    @classmethod
    def whole(cls, family: Family, slide: Slide, name: str = NEUTRAL) -> ChosenRegion:
        """Return all of a slide, which has a pixel size."""
        height, width = slide.shape
        region, mpp = Region(0, 0, width, height), slide.require_mpp()
        source = source_of(name, region, mpp)
        return cls(family, slide, region, region.shape_at(mpp, family.mpp), source)

    @property
    def tissue(self) -> Tissue:
        """Its pixels, for an encoder."""
        return Tissue(self.slide, self.region, self.family)

    def embedding(
        self, ask: Callable[[EmbedRequest], Embedding], cache: bool = True
    ) -> tuple[NDArray[np.float32], bool]:
        """Return its embedding, and whether it comes from the cache; see :func:`embed_region`."""
        return embed_region(self.tissue, ask, EmbeddingCache() if cache else None)

    def segment(
        self, how: SegmentMethod, ask: Callable[[SegmentRequest], SegmentedLayout]
    ) -> SegmentedLayout:
        """Segment its nuclei.

        Parameters
        ----------
        ask : callable
            Runs a request on an engine. The built-in method needs none.

        Raises
        ------
        PixCellError
            If it is smaller than the smallest cell.
        """
        pixels = self.slide.read(self.region, self.family.mpp)
        how.check_area(pixels.shape[:2], self.family.mpp)
        if how.method != METHODS[0]:
            return ask(segment_request(pixels, self.family.mpp, how))
        from napari_pixcell.cells import segment_nuclei  # slow to import

        labels = segment_nuclei(
            pixels, self.family.mpp, how.sensitivity, how.smallest_um2, largest_um2=how.largest_um2
        )
        return SegmentedLayout(labels, LayoutSource(how.method))

    def read_cells(
        self,
        path: str | Path,
        *,
        cells_mpp: float | None = None,
        counted_from: str = "auto",
        image: str = "",
        split_touching: bool = False,
    ) -> tuple[NDArray[np.int32], dict[int, str], Report]:
        """Read the cells of a file that lie in it.

        Parameters
        ----------
        path : str or Path
            File of any supported format.
        cells_mpp : float, optional
            Pixel size of the cells in µm. By default the one that the file states.
        counted_from : str
            Corner that coordinates start at, see :func:`~napari_pixcell.cells.cells_for`.
        image : str
            Image in a file of several. By default the slide's.
        split_touching : bool
            Split touching cells of a black and white mask.

        Returns
        -------
        labels : array, int32, (height, width)
        classes : dict of int to str
            Class name of each label that has one.
        report : Report
            What was read, dropped and changed.

        Raises
        ------
        PixCellError
            If the file cannot be read, or has no cells in the region.
        """
        from napari_pixcell.cells import cells_for, read_cells  # slow to import

        slide = self.slide
        file = read_cells(path, image=image or slide.short_name, split_touching=split_touching)
        return cells_for(
            file.with_mpp(cells_mpp), self.region, self.size, slide.shape, slide.mpp, counted_from
        )

    def colours(self) -> TissueColours:
        """Return the colours of its tissue."""
        return region_colours(self.tissue)

    def style(self, name: str, embedding: NDArray[np.float32]) -> Style:
        """Return its embedding as a style, with a thumbnail and the colours of its tissue."""
        encoder = encoder_kind(self.family)
        assert encoder is not None  # it has just computed the embedding
        return Style(
            name,
            as_grid(embedding),
            encoder,
            self.family.name,
            thumbnail=thumbnail_of(self.slide, self.region),
            colours=self.colours(),
        )


def stain_of_region(
    chosen: ChosenRegion,
    pixels: NDArray[np.uint8],
    embedding: NDArray[np.float32],
    *,
    strength: float,
    invert: bool | None = None,
    **others: Any,
) -> GenerateRequest:
    """Build the request of one virtual stain of a region.

    Parameters
    ----------
    pixels : array, uint8, (height, width, 3)
        Its tissue, see :func:`~napari_pixcell.engine.requests.read_tissue`.
    strength : float
        How much of the tissue changes, 0 to 1. With 1 the stain starts from noise, unless
        ``invert`` is True.
    invert : bool, optional
        Whether it starts from the noise that the tissue inverts to, or adds noise to the tissue. By
        default it inverts wherever it starts from the tissue.
    others
        See :func:`~napari_pixcell.engine.requests.stain_request`.
    """
    start, source = None, chosen.source
    if strength < 1 or invert:
        source = replace(source, slide=slide_signature(chosen.slide))
        image = PackedArray.pack(pixels)
        start = StartImage(image=image, strength=strength, invert=invert is not False)
    return stain_request(
        chosen.family, size=chosen.size, embedding=embedding, source=source, start=start, **others
    )
