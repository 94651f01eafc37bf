"""Everything that determines a result, as one serialisable value.

The dock, the command line and the dataset writer build the same request and hand it to the same
engine. A request carries its arrays by value: what happens to layers or slides afterwards cannot
change what was asked for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

from napari_pixcell.cells.layout import check_layout
from napari_pixcell.cells.methods import LayoutSource, SegmentMethod
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.presets import EXACT, get_preset
from napari_pixcell.engine.start_image import FEATHER, MAX_FEATHER, check_invert, check_start
from napari_pixcell.engine.training.request import TrainRequest
from napari_pixcell.errors import PixCellError

MAX_SEED = 2**32 - 1
MAX_SIDE = 200_000


@dataclass(frozen=True)
class Source:
    """Where a request came from; it names no path and changes no pixel.

    Parameters
    ----------
    name : str
        A name for the slide that the user can change.
    region : tuple of 4 float, optional
        x, y, width, height in level-0 pixels.
    mpp : float, optional
        The slide's pixel size in µm.
    layout : LayoutSource, optional
        How the layout was made.
    style : tuple of (str, float)
        Names and shares of the styles, where it is not simply that of the region.
    """

    name: str = ""
    region: tuple[float, float, float, float] | None = None
    mpp: float | None = None
    layout: LayoutSource | None = None
    style: tuple[tuple[str, float], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON value."""
        region = list(self.region) if self.region else None
        layout = {"layout": self.layout.to_dict()} if self.layout is not None else {}
        style = {"style": [list(part) for part in self.style]} if self.style else {}
        return {"name": self.name, "region": region, "mpp": self.mpp, **layout, **style}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Source:
        """Read what :meth:`to_dict` gave."""
        region, layout = value.get("region"), value.get("layout")
        return cls(
            str(value.get("name", "")),
            tuple(float(n) for n in region) if region else None,  # type: ignore[arg-type]
            value.get("mpp"),
            LayoutSource.from_dict(layout) if layout else None,
            tuple((str(name), float(share)) for name, share in value.get("style") or ()),
        )


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
        """Give a JSON value."""
        return {"kind": "embed", "family": self.family, "pixels": self.pixels.to_dict()}


@dataclass(frozen=True)
class SegmentRequest:
    """Find the cells of a region.

    Parameters
    ----------
    pixels : PackedArray
        uint8, (height, width, 3).
    mpp : float
        Their pixel size in µm.
    how : SegmentMethod
        By which method, model and thresholds.
    """

    pixels: PackedArray
    mpp: float
    how: SegmentMethod = field(default_factory=SegmentMethod)

    def __post_init__(self) -> None:
        """Refuse what is no picture."""
        shape = self.pixels.shape
        if self.pixels.dtype != "uint8" or len(shape) != 3 or shape[-1] != 3 or 0 in shape:
            raise PixCellError(
                f"Cells are looked for in an RGB image, and this is an array of {shape}, "
                f"{self.pixels.dtype}; give a region of a slide."
            )
        if not 0 < self.mpp < math.inf:
            raise PixCellError(f"The pixel size is {self.mpp}; give it in µm, such as 0.5.")
        self.how.check_area(shape, self.mpp)

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON value."""
        return {
            "kind": "segment",
            "pixels": self.pixels.to_dict(),
            "mpp": self.mpp,
            "how": self.how.to_dict(),
        }


@dataclass(frozen=True)
class GenerateRequest:
    """Make variants of one tile, or of a picture of any size.

    Parameters
    ----------
    family : str
        Name of the family.
    embedding : PackedArray, optional
        The style: float32, (tokens, dimension) of one tile, or (rows, columns, dimension) of a
        larger region; without it the result is unconditional.
    layout : PackedArray, optional
        Cells as an instance label image, unsigned integers, as large as the picture; 0 is
        background.
    size : (height, width), optional
        Of the picture in px at the family's pixel size; one tile where it is not given.
    seed : int
        Of the first variant; variant *i* has ``seed + i``.
    count : int
        How many variants.
    steps : int
        Denoising steps.
    guidance : float
        Guidance scale; 1 or less switches guidance off.
    layout_strength : float
        How strongly the layout acts, 0 to 2.
    layout_until : float
        Part of the steps in which the layout acts, 0 to 1.
    control_both : bool
        Let the layout act on the unconditional half of the guidance batch as well.
    preset : str
        What is left out to be faster, see :mod:`napari_pixcell.engine.presets`.
    source : Source
        Where the style came from.
    start : PackedArray, optional
        A picture to start from, uint8 (height, width, 3), as large as the picture to make.
    strength : float
        How much of it changes: 0 keeps its very pixels, 1 forgets it.
    part : PackedArray, optional
        Where the start changes, uint8 or bool (height, width), not 0 there; all over without it.
    feather : int
        Pixels around the part in which the new picture fades into the start. What is as far away
        or farther keeps the very pixels of the start.
    invert : bool
        Follow the start back to its noise under the style before the family's flow moves that,
        instead of mixing noise into it: the result then does not depend on the seed.
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

    def __post_init__(self) -> None:
        """Refuse what no engine could run."""
        limits = (
            ("number of variants", self.count, 1, 1000),
            ("seed", self.seed, 0, MAX_SEED),
            ("number of steps", self.steps, 1, 1000),
            ("guidance", self.guidance, 0, 50),
            ("layout strength", self.layout_strength, 0, 2),
            ("part of the steps in which the layout acts", self.layout_until, 0, 1),
            ("strength, of which 0 keeps the start and 1 forgets it,", self.strength, 0, 1),
            ("feather in px", self.feather, 0, MAX_FEATHER),
        )
        for name, value, low, high in limits:
            if not low <= value <= high:
                raise PixCellError(f"The {name} is {value}; choose one from {low} to {high}.")
        get_preset(self.preset)
        if self.size is not None and not all(0 < side <= MAX_SIDE for side in self.size):
            raise PixCellError(
                f"The picture would be {self.size[1]} × {self.size[0]} px; choose sides from 1 to "
                f"{MAX_SIDE} px."
            )
        if self.layout is not None:
            check_layout(self.layout.unpack(), self.size)
        check_start(self.start, self.strength, self.part, self.size)
        check_invert(self.invert, self.start, self.part)

    @property
    def first_step(self) -> int:
        """Index of the first step that is taken: 0 without a start, ``steps`` if it is kept."""
        if self.start is None or self.strength == 0:
            return 0 if self.start is None else self.steps
        return self.steps - max(1, int(self.strength * self.steps + 0.5))

    def variants(self) -> list[GenerateRequest]:
        """Split into one request for each variant: what its record holds."""
        seeds = [(self.seed + i) % (MAX_SEED + 1) for i in range(self.count)]
        return [replace(self, seed=seed, count=1) for seed in seeds]

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON value."""
        return {
            "kind": "generate",
            "family": self.family,
            "embedding": self.embedding.to_dict() if self.embedding else None,
            "layout": self.layout.to_dict() if self.layout else None,
            "size": list(self.size) if self.size else None,
            "seed": self.seed,
            "count": self.count,
            "steps": self.steps,
            "guidance": self.guidance,
            "layout_strength": self.layout_strength,
            "layout_until": self.layout_until,
            "control_both": self.control_both,
            "preset": self.preset,
            "source": self.source.to_dict(),
            **self._start_to_dict(),
        }

    def _start_to_dict(self) -> dict[str, Any]:
        """Give what only requests with a start have."""
        if self.start is None:
            return {}
        value: dict[str, Any] = {"start": self.start.to_dict(), "strength": self.strength}
        if self.part is not None:
            value |= {"part": self.part.to_dict(), "feather": self.feather}
        if self.invert:
            value["invert"] = True
        return value


Request = EmbedRequest | SegmentRequest | GenerateRequest | TrainRequest


def request_from_dict(value: dict[str, Any]) -> Request:
    """Read a request back from its JSON value."""
    fields = dict(value)
    kind = fields.pop("kind", None)
    try:
        if kind == "embed":
            return EmbedRequest(fields["family"], PackedArray.from_dict(fields["pixels"]))
        if kind == "segment":
            pixels, how = PackedArray.from_dict(fields["pixels"]), SegmentMethod(**fields["how"])
            return SegmentRequest(pixels, float(fields["mpp"]), how)
        if kind == "teach":
            return TrainRequest(**fields)
        if kind == "generate":
            for name in ("embedding", "layout", "start", "part"):
                if fields.get(name) is not None:
                    fields[name] = PackedArray.from_dict(fields[name])
            if fields.get("size") is not None:
                fields["size"] = tuple(int(n) for n in fields["size"])
            fields["source"] = Source.from_dict(fields.get("source") or {})
            return GenerateRequest(**fields)
    except (KeyError, TypeError, ValueError) as error:
        raise PixCellError(
            "This record does not hold a request that this version of napari-pixcell "
            "understands; update napari-pixcell, or use another record."
        ) from error
    raise PixCellError(
        f"A request of the kind “{kind}” is unknown to this version of napari-pixcell; "
        "update napari-pixcell."
    )
