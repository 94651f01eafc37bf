"""Everything that determines a result, as one serialisable value.

The dock, the command line and the dataset writer build the same request and hand it to the same
engine. A request carries its arrays by value, so later changes to layers or slides cannot
affect it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

from napari_pixcell.cells.class_map import ClassMap
from napari_pixcell.cells.layout import check_layout
from napari_pixcell.cells.methods import LayoutSource, SegmentMethod
from napari_pixcell.engine.colour_match import ColourMatch
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.presets import EXACT, Preset, get_preset
from napari_pixcell.engine.repair import Repair
from napari_pixcell.engine.start_image import FEATHER, MAX_FEATHER, check_invert, check_start
from napari_pixcell.engine.training.control.request import TrainControlRequest
from napari_pixcell.engine.training.request import TrainRequest
from napari_pixcell.errors import PixCellError, check_range
from napari_pixcell.serialization import OMIT_DEFAULT, from_json, ignore_unknown_in, to_json

MAX_SEED = 2**32 - 1
MAX_SIDE = 200_000
LARGEST_PASS = 64  # images in a pass
MOST_TOGETHER = 2000  # images of a batch
FROM_NOISE = (
    "The published method starts from noise. Choose another method, or do not start from an image"
)
NOT_UNDERSTOOD = (
    "This record does not hold a request that this version of napari-pixcell understands. "
    "Update napari-pixcell, or use another record."
)
START_FIELDS = ("start", "strength", "part", "feather", "invert")


@dataclass(frozen=True)
class Source:
    """Where a request came from. It names no path and changes no pixel.

    Parameters
    ----------
    name : str
        Name of the slide, which the user can change.
    region : tuple of 4 float, optional
        x, y, width, height in level-0 pixels.
    mpp : float, optional
        Pixel size of the slide in µm.
    layout : LayoutSource, optional
        How the layout was made.
    style : tuple of (str, float)
        Names and shares of the styles, if the style is not simply that of the region.
    slide : str
        Fingerprint of the slide's file that a start image was read from, see
        :func:`~napari_pixcell.engine.tissue.slide_signature`.
    """

    name: str = ""
    region: tuple[float, float, float, float] | None = None
    mpp: float | None = None
    layout: LayoutSource | None = field(default=None, metadata=OMIT_DEFAULT)
    style: tuple[tuple[str, float], ...] = field(default=(), metadata=OMIT_DEFAULT)
    slide: str = field(default="", metadata=OMIT_DEFAULT)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON value."""
        return to_json(self)


@dataclass(frozen=True)
class EmbedRequest:
    """Embed tiles of tissue.

    Parameters
    ----------
    family : str
        Name of the family whose encoder is used.
    pixels : PackedArray
        uint8, (tile, tile, 3) at the family's pixel size.
    """

    family: str
    pixels: PackedArray

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON value."""
        return {"kind": "embed", **to_json(self)}


@dataclass(frozen=True)
class SegmentRequest:
    """Segment the cells of a region.

    Parameters
    ----------
    pixels : PackedArray
        uint8, (height, width, 3).
    mpp : float
        Their pixel size in µm.
    how : SegmentMethod
        Method, model and thresholds.

    Raises
    ------
    PixCellError
        If the pixels are no RGB image, or the pixel size is not positive.
    """

    pixels: PackedArray
    mpp: float
    how: SegmentMethod = field(default_factory=SegmentMethod)

    def __post_init__(self) -> None:
        shape = self.pixels.shape
        if self.pixels.dtype != "uint8" or len(shape) != 3 or shape[-1] != 3 or 0 in shape:
            raise PixCellError(
                f"Cells can be segmented in an RGB image, but this is an array of {shape}, "
                f"{self.pixels.dtype}. Use a region of a slide."
            )
        if not 0 < self.mpp < math.inf:
            raise PixCellError(f"The pixel size is {self.mpp}. Enter it in µm, such as 0.5.")
        self.how.check_area(shape, self.mpp)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON value."""
        return {"kind": "segment", **to_json(self)}


@dataclass(frozen=True)
class GenerateRequest:
    """Generate variants of one tile, or of an image of any size.

    Parameters
    ----------
    family : str
        Name of the family.
    embedding : PackedArray, optional
        The style: float32, (tokens, dimension) of one tile, or (rows, columns, dimension) of a
        larger region. Without it the result is unconditional.
    layout : PackedArray, optional
        Cells as an instance label image, unsigned integers, of the size of the image. 0 is
        background.
    size : (height, width), optional
        Size of the image in px at the family's pixel size. One tile by default.
    seed : int
        Seed of the first variant. Variant *i* has ``seed + i``.
    count : int
        Number of variants.
    steps : int
        Denoising steps.
    guidance : float
        Guidance scale. 1 or less switches guidance off.
    layout_strength : float
        How strongly the layout acts, 0 to 2.
    layout_until : float
        Fraction of the steps in which the layout acts, 0 to 1.
    control_both : bool
        Apply the layout to the unconditional half of the guidance batch as well.
    preset : str
        What is skipped for speed, or the published method, see
        :mod:`napari_pixcell.engine.presets`.
    source : Source
        Where the style came from.
    start : PackedArray, optional
        Image to start from, uint8 (height, width, 3), of the size of the result.
    strength : float
        How much of it changes: 0 keeps its exact pixels, 1 ignores it.
    part : PackedArray, optional
        Area to regenerate, uint8 or bool (height, width), nonzero inside. By default everything.
    feather : int
        Pixels around that area in which the new image fades into the start. Pixels at this
        distance or beyond stay exactly as they are.
    invert : bool
        Invert the start to its noise under the style, before the family's flow moves that style,
        instead of adding noise. The result then does not depend on the seed.
    cell_gap : bool
        Keep touching cells apart in the layout's image. As in every request of version 0.1.0,
        which did not state it.
    mpp : float
        Pixel size of the image in µm. Likewise.
    colour_match : ColourMatch, optional
        Tissue colours that the image is matched to. By default its colours stay as generated.
    repair : Repair, optional
        How nuclei that do not follow the layout are generated again. Only with a layout, in images
        of one tile.
    classes : ClassMap, optional
        Classes of the layout's cells, for a family whose ControlNet follows class maps.

    Raises
    ------
    PixCellError
        If the engine could not run it.
    """

    family: str
    embedding: PackedArray | None = None
    layout: PackedArray | None = None
    size: tuple[int, int] | None = None
    seed: int = 1234
    count: int = 4
    steps: int = 20
    guidance: float = 1.5
    layout_strength: float = 1.0
    layout_until: float = 1.0
    control_both: bool = False
    preset: str = EXACT.name
    source: Source = field(default_factory=Source)
    start: PackedArray | None = None
    strength: float = 1.0
    part: PackedArray | None = None
    feather: int = FEATHER
    invert: bool = False
    cell_gap: bool = field(default=True, metadata=OMIT_DEFAULT)
    mpp: float = field(default=0.5, metadata=OMIT_DEFAULT)
    colour_match: ColourMatch | None = field(default=None, metadata=OMIT_DEFAULT)
    repair: Repair | None = field(default=None, metadata=OMIT_DEFAULT)
    classes: ClassMap | None = field(default=None, metadata=OMIT_DEFAULT)

    def __post_init__(self) -> None:
        limits = (
            ("number of variants", self.count, 1, 1000),
            ("seed", self.seed, 0, MAX_SEED),
            ("number of steps", self.steps, 1, 1000),
            ("guidance", self.guidance, 0, 50),
            ("layout strength", self.layout_strength, 0, 2),
            ("fraction of the steps in which the layout acts", self.layout_until, 0, 1),
            ("strength (0 keeps the start, 1 ignores it)", self.strength, 0, 1),
            ("feather in px", self.feather, 0, MAX_FEATHER),
        )
        for name, value, low, high in limits:
            if not low <= value <= high:
                raise PixCellError(f"The {name} is {value}; choose one from {low} to {high}.")
        check_published(get_preset(self.preset), self.start)
        if not 0 < self.mpp < math.inf:
            raise PixCellError(f"The pixel size is {self.mpp}. Enter it in µm, such as 0.5.")
        if self.size is not None and not all(0 < side <= MAX_SIDE for side in self.size):
            raise PixCellError(
                f"The image would be {self.size[1]} × {self.size[0]} px. Choose sides from 1 to "
                f"{MAX_SIDE} px."
            )
        if self.layout is not None:
            check_layout(self.layout.view(), self.size)
        check_start(self.start, self.strength, self.part, self.size)
        check_invert(self.invert, self.start, self.part)

    @property
    def published(self) -> bool:
        """Whether it is generated by the published method."""
        return get_preset(self.preset).published

    @property
    def first_step(self) -> int:
        """Index of the first step to run: 0 without a start, ``steps`` if the start is kept."""
        if self.start is None or self.strength == 0:
            return 0 if self.start is None else self.steps
        return self.steps - max(1, int(self.strength * self.steps + 0.5))

    @property
    def shown_match(self) -> ColourMatch | None:
        """The colour match as it is applied: nuclei with classes keep their own lightness."""
        match = self.colour_match
        return match and replace(match, drawn=match.drawn or self.classes is not None)

    def variants(self) -> list[GenerateRequest]:
        """Split into one request per variant, as its record holds it."""
        seeds = [(self.seed + i) % (MAX_SEED + 1) for i in range(self.count)]
        return [replace(self, seed=seed, count=1) for seed in seeds]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON value, without the settings of a start that it does not have."""
        unused: set[str] = set() if self.start is not None else set(START_FIELDS)
        if self.part is None:
            unused |= {"part", "feather"}
        if not self.invert:
            unused.add("invert")
        value = {"kind": "generate", **to_json(self)}
        return {name: part for name, part in value.items() if name not in unused}


@dataclass(frozen=True)
class BatchRequest:
    """Generate the variants of several requests, many in one pass of the networks.

    Images of one tile that start from noise are computed together if their settings agree: steps,
    guidance, preset, and how a layout acts. Styles, layouts, seeds and colours may differ. All
    others follow one by one. The pixels of an image depend on the size of its pass and on its
    place in it, by rounding alone, and not on the images beside it.

    Parameters
    ----------
    requests : tuple of GenerateRequest
        Of one family. The variants of a request follow one another.
    at_once : int
        Images in a pass, 1 to 64. A last pass of fewer is padded with copies. If memory is full,
        passes are smaller.

    Raises
    ------
    PixCellError
        If there is no request, too many, or more than one family.
    """

    requests: tuple[GenerateRequest, ...]
    at_once: int = 8

    def __post_init__(self) -> None:
        check_range("number of images in a pass", self.at_once, 1, LARGEST_PASS)
        count = sum(request.count for request in self.requests)
        if not 1 <= count <= MOST_TOGETHER:
            raise PixCellError(
                f"The batch has {count:,} images. Ask for 1 to {MOST_TOGETHER:,} at once."
            )
        families = sorted({request.family for request in self.requests})
        if len(families) > 1:
            raise PixCellError(
                f"The batch mixes the models {' and '.join(families)}. Use one batch for each."
            )

    @property
    def family(self) -> str:
        """Name of the family."""
        return self.requests[0].family

    def variants(self) -> list[GenerateRequest]:
        """Split into one request per variant, in order."""
        return [variant for request in self.requests for variant in request.variants()]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON value."""
        requests = [request.to_dict() for request in self.requests]
        return {"kind": "batch", "requests": requests, "at_once": self.at_once}


def check_published(preset: Preset, start: object) -> None:
    """Raise PixCellError if the published method is to start from an image."""
    if preset.published and start is not None:
        raise PixCellError(f"{FROM_NOISE}.")


for _origin in (LayoutSource, Source):  # later versions may say more of it
    ignore_unknown_in(_origin)

Request = (
    EmbedRequest
    | SegmentRequest
    | GenerateRequest
    | BatchRequest
    | TrainRequest
    | TrainControlRequest
)
KINDS: dict[object, type[Request]] = {
    "embed": EmbedRequest,
    "segment": SegmentRequest,
    "generate": GenerateRequest,
    "train": TrainRequest,
    "train control": TrainControlRequest,
    "teach": TrainRequest,  # its name in the first versions
}


def request_from_dict(value: dict[str, Any]) -> Request:
    """Read a request from its JSON value.

    Raises
    ------
    PixCellError
        If this version does not understand it.
    """
    rest = dict(value)
    kind = rest.pop("kind", None)
    if kind == "batch":
        return _batch_from_dict(rest)
    if kind not in KINDS:
        raise PixCellError(
            f"A request of the kind “{kind}” is unknown to this version of napari-pixcell. "
            "Update napari-pixcell."
        )
    if kind == "generate":
        rest["source"] = rest.get("source") or {}
    return from_json(KINDS[kind], rest, NOT_UNDERSTOOD)


def _batch_from_dict(value: dict[str, Any]) -> BatchRequest:
    parts, at_once = value.get("requests"), value.get("at_once")
    if not isinstance(parts, list) or type(at_once) is not int:
        raise PixCellError(NOT_UNDERSTOOD)
    requests = []
    for part in parts:
        # A batch within a batch could be nested without end.
        known = isinstance(part, dict) and part.get("kind") == "generate"
        request = request_from_dict(part) if known else None
        if not isinstance(request, GenerateRequest):
            raise PixCellError(NOT_UNDERSTOOD)
        requests.append(request)
    return BatchRequest(tuple(requests), at_once)
