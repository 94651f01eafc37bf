"""Requests of a region of a slide, built the same way by the dock, the command line and datasets.

Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.class_map import ClassMap
from napari_pixcell.cells.ihc.deconvolution import looks_like
from napari_pixcell.cells.methods import LayoutSource, SegmentMethod
from napari_pixcell.engine.colour_match import ColourMatch
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.presets import EXACT, PUBLISHED, get_preset
from napari_pixcell.engine.request_values import GenerateRequest, SegmentRequest, Source
from napari_pixcell.engine.start_image import FEATHER
from napari_pixcell.engine.tissue import Tissue
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import STAIN_GUIDANCE, Family
from napari_pixcell.models.families import segmenter_file, stain_name
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.slide import Slide

STAIN_STRENGTH = 0.5  # how much of the tissue a virtual stain changes by default, 0 to 1
LARGEST_SEARCH = 8192**2  # px segmented at once; more takes too much memory
# A side this much longer than a tile still becomes one tile: as a fraction, and in level-0 px. A
# stain also takes one that is this fraction shorter.
NEARLY, NEARLY_PX = 0.01, 3.0
LOOKS_LIKE_IHC = (
    "This tissue looks like IHC already. Virtual stains are made for H&E and mean nothing here."
)


# -- requests ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class GenerationSettings:
    """How variants are generated, apart from style, layout and start image.

    Its fields are those of :class:`~napari_pixcell.engine.request_values.GenerateRequest`.
    """

    seed: int = 1234
    count: int = 4
    steps: int = 20
    guidance: float = 2.0
    layout_strength: float = 1.0
    layout_until: float = 1.0
    control_both: bool = False
    preset: str = EXACT.name

    @classmethod
    def for_family(
        cls,
        family: Family,
        *,
        layout: bool,
        steps: int | None = None,
        guidance: float | None = None,
        preset: str = EXACT.name,
        **others: Any,
    ) -> GenerationSettings:
        """Return settings with a family's defaults.

        By default, steps are the preset's share of the family's steps, and guidance is the
        family's, which depends on whether the variants will have a ``layout``.
        """
        if steps is None:
            steps = get_preset(preset).steps_of(family.steps)
        if guidance is None:
            guidance = family.layout_guidance if layout else family.guidance
        return cls(steps=steps, guidance=guidance, preset=preset, **others)


@dataclass(frozen=True, kw_only=True)
class StartImage:
    """The image that a generation starts from, and how much of it changes.

    Its fields are those of :class:`~napari_pixcell.engine.request_values.GenerateRequest`, which
    calls the image ``start``.
    """

    image: PackedArray
    strength: float = 1.0
    part: PackedArray | None = None
    feather: int = FEATHER
    invert: bool = False

    def fields(self) -> dict[str, Any]:
        """Return the fields of a :class:`GenerateRequest` that describe this start."""
        values = dict(vars(self))  # not asdict, which would copy the pixels
        return {"start": values.pop("image"), **values}


def generate_request(
    family: Family,
    settings: GenerationSettings,
    *,
    size: tuple[int, int],
    embedding: PackedArray | NDArray[np.float32] | None,
    layout: PackedArray | NDArray[Any] | None = None,
    classes: Mapping[int, str] | None = None,
    source: Source | None = None,
    start: StartImage | None = None,
    colour_match: ColourMatch | None = None,
) -> GenerateRequest:
    """Build the request of a generation.

    Parameters
    ----------
    size : (height, width)
        Size of the variants, in px at the family's pixel size.
    embedding : PackedArray or array, optional
        See :class:`~napari_pixcell.engine.request_values.GenerateRequest`, also for ``start``.
    layout : PackedArray or array, optional
        Likewise. The dock adds it later, once a thread has packed it.
    classes : mapping, optional
        Class name of each label of the layout that has one. Families without classes ignore them.
    source : Source, optional
        Origin of style and layout, for the record. See :func:`source_of`.
    colour_match : ColourMatch, optional
        See :func:`napari_pixcell.engine.colour_match.colour_match`.

    Raises
    ------
    PixCellError
        If a value is out of range, or the parts do not fit each other.
    """
    return GenerateRequest(
        family=family.name,
        embedding=_packed(embedding),
        layout=_packed(layout),
        size=None if size == tile_size(family) else size,
        source=source or Source(),
        cell_gap=family.cell_gap,
        mpp=family.mpp,
        colour_match=colour_match,
        classes=_class_map(family, layout, classes),
        **asdict(settings),
        **(start.fields() if start is not None else {}),
    )


def stain_request(
    family: Family,
    *,
    size: tuple[int, int],
    embedding: PackedArray | NDArray[np.float32],
    source: Source,
    seed: int,
    steps: int | None = None,
    layout: PackedArray | NDArray[Any] | bool = False,
    classes: Mapping[int, str] | None = None,
    start: StartImage | None = None,
    published: bool = False,
) -> GenerateRequest:
    """Build the request of one virtual stain of a region. Raises like :func:`generate_request`.

    Parameters
    ----------
    family : Family
        The stain, by whose encoder the H&E is embedded.
    layout : PackedArray, array or bool
        Cells to keep in position, an instance label image, (height, width). True if it is added
        later.
    start : StartImage, optional
        The H&E, where the stain starts from it.
    published : bool
        By the published method: from noise, with the guidance scale of the publication. The flow
        always takes the published number of Euler steps.
    others
        As in :func:`generate_request`.
    """
    settings = GenerationSettings.for_family(
        family,
        layout=layout is not False,
        steps=steps,
        guidance=STAIN_GUIDANCE if published else None,
        preset=PUBLISHED.name if published else EXACT.name,
        seed=seed,
        count=1,
    )
    return generate_request(
        family,
        settings,
        size=size,
        embedding=embedding,
        layout=None if isinstance(layout, bool) else layout,
        classes=(classes or {}) if layout is not False else None,
        source=source,
        start=start,
    )


def segment_request(pixels: NDArray[np.uint8], mpp: float, method: SegmentMethod) -> SegmentRequest:
    """Build the request that segments the nuclei of an image with Cellpose.

    Parameters
    ----------
    pixels : array, uint8, (height, width, 3)
    mpp : float
        Pixel size of the image, in µm.

    Raises
    ------
    PixCellError
        If the model file is missing, or a value is out of range.
    """
    segmenter_file(method.model)  # checked here, before anything heavy is loaded
    return SegmentRequest(PackedArray.pack(pixels), mpp, method)


def source_of(
    name: str,
    region: Region | None,
    mpp: float | None,
    *,
    layout: LayoutSource | None = None,
    style: Sequence[tuple[str, float]] = (),
) -> Source:
    """Return the source of a request, for its record.

    Parameters
    ----------
    name : str
        Name of the slide as the user wants it exported. Never a path.
    region : Region, optional
        In level-0 pixels, of ``mpp`` µm.
    style : sequence of (str, float)
        Names and shares of blended styles. Empty if the style is the region's own.
    """
    place = None
    if region is not None:
        place = region.x, region.y, region.width, region.height
    return Source(name, place, mpp, layout, tuple(style))


def _class_map(
    family: Family, layout: object, classes: Mapping[int, str] | None
) -> ClassMap | None:
    if not family.palette or (layout is None and classes is None):
        return None
    return ClassMap.of(family.palette, classes or {})


def _packed(values: PackedArray | NDArray[Any] | None) -> PackedArray | None:
    return PackedArray.pack(values) if isinstance(values, np.ndarray) else values


# -- sizes -------------------------------------------------------------------------------------


def tile_size(family: Family) -> tuple[int, int]:
    """Return (height, width) of a family's tile, in px."""
    return family.tile, family.tile


def size_of(request: GenerateRequest, family: Family) -> tuple[int, int]:
    """Return (height, width) of a request's variants, in px."""
    return request.size or tile_size(family)


def tiles_of(size: tuple[int, int], family: Family) -> int:
    """Return how many of a family's tiles cover an image of (height, width) px."""
    height, width = size
    return -(-height // family.tile) * -(-width // family.tile)


def snap(
    region: Region, shape: tuple[int, int], mpp: float, family: Family, moved: bool = False
) -> Region:
    """Return the region that a drawn box stands for, on whole pixels of the slide.

    A side that is shorter than the family's tile, or barely longer, becomes one tile about the
    same centre. A longer side keeps its length.

    Parameters
    ----------
    region : Region
        As drawn or dragged, in level-0 pixels.
    shape : (height, width)
        Shape of the slide at level 0.
    mpp : float
        Pixel size of level 0, in µm.
    moved : bool
        True if the box was moved rather than drawn. It is then shifted back onto the slide, not
        cropped.

    Raises
    ------
    PixCellError
        If the slide is smaller than a tile.
    """
    side = family.tile * family.mpp / mpp
    height, width = shape
    # Half a pixel of the model: at 0.499 µm/px an image of 256 px still holds one tile.
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
    """Return start and length along one axis of a slide of ``whole`` pixels."""
    centre = start + length / 2
    if not moved:  # the part of a drawn box that lies off the slide does not count
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
    """Return the drawn box, shifted as the region that a family made of it was shifted."""
    return Region(
        drawn.x + after.x - before.x, drawn.y + after.y - before.y, drawn.width, drawn.height
    )


def why_too_small(region: Region, mpp: float, family: Family, name: str) -> str:
    """Return why a region is too small for a stain; empty if it is large enough.

    The region is in level-0 pixels of ``mpp`` µm. ``name`` is the subject of the sentence, such as
    “Region 1”. One that is barely too small is extended when it is read.
    """
    height, width = region.shape_at(mpp, family.mpp)
    if min(height, width) >= (1 - NEARLY) * family.tile:
        return ""
    return (
        f"{name} is {width * family.mpp:.0f} × {height * family.mpp:.0f} µm, and "
        f"{stain_name(family)} needs {family.tile * family.mpp:.0f} µm or more"
    )


# -- tissue -----------------------------------------------------------------------------------


def read_tissue(slide: Slide, region: Region, family: Family) -> NDArray[np.uint8]:
    """Read a region at a family's pixel size, one band at a time: uint8, (height, width, 3)."""
    tissue = Tissue(slide, region, family)
    return tissue.cut(np.concatenate([tissue.read(*band) for band in tissue.bands()]))


def stain_warning(pixels: NDArray[np.uint8]) -> str:
    """Return a warning if tissue, uint8 (height, width, 3), looks like IHC; empty otherwise."""
    return LOOKS_LIKE_IHC if looks_like(pixels) == "IHC" else ""
