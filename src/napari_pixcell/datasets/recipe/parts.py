"""The sources of styles and layouts in a recipe: their keys, types and limits."""

from __future__ import annotations

from dataclasses import fields
from math import prod
from typing import Annotated, Any, Literal, NotRequired, Union

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from napari_pixcell.cells.inventing.recipe import LARGEST_SEED, LIMITS, Recipe, checked_shares
from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.datasets.recipe.validation import (
    Between,
    Hint,
    Line,
    OneOf,
    own_words,
    whole,
    without_null,
)
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.tissue_colours import TissueColours
from napari_pixcell.errors import PixCellError
from napari_pixcell.serialization import from_json
from napari_pixcell.slides.pixel_size import LARGEST, SMALLEST

MOST_TILES = 100_000  # of a slide
MOST_COPIES = 100_000  # invented layouts, or variations of one
MOST_PARTS = 100_000
MOST_MIXED = 1000  # styles of a blend
MOST_ARRAY_BYTES = 2**29
LARGEST_SLIDE = 2.0**31  # px along a side
LONGEST_PATH = 4096

Name = Annotated[str, Line()]
PathText = Annotated[str, Line(LONGEST_PATH)]
PixelSize = Annotated[float, Between(SMALLEST, LARGEST)]
Share = Annotated[float, Field(ge=0)]
Seed = Annotated[int, whole(0, LARGEST_SEED)]
Count = Annotated[int, whole(1, MOST_COPIES)]


def _checked_region(region: list[float]) -> list[float]:
    if min(region[2:]) <= 0 or max(map(abs, region)) > LARGEST_SLIDE:
        words = "Use a width and height above 0, on the slide."
        raise PydanticCustomError("hint", "{hint}", {"hint": words})
    return region


Box = Annotated[
    list[float],
    Field(min_length=4, max_length=4),
    Hint("Use four numbers: x, y, width and height in level-0 pixels."),
    AfterValidator(_checked_region),
]


def _checked_shares(shares: list[float]) -> list[float]:
    if not sum(shares):
        words = "Use at least one share above 0."
        raise PydanticCustomError("hint", "{hint}", {"hint": words})
    return shares


Shares = Annotated[
    list[Share],
    Field(min_length=1),
    Hint("Use numbers of 0 or more."),
    AfterValidator(_checked_shares),
]


def _object(name: str, keys: dict[str, Any]) -> Any:
    """Return the type of an object with these keys and no others."""
    return TypedDict(name, keys)  # type: ignore[operator]


def _list_of(name: str) -> Any:
    """Return the type of a list of a type that is defined further down."""
    return list[name]  # type: ignore[valid-type]


def _array(name: str, dtypes: tuple[str, ...], axes: tuple[int, int]) -> Any:
    """Return the type of an array by value, of some NumPy types and numbers of axes."""
    keys = {
        "dtype": Annotated[str, OneOf(dtypes)],
        "shape": Annotated[
            list[Annotated[int, Field(ge=1)]],
            Field(min_length=axes[0], max_length=axes[1]),
            Hint(f"Use {' or '.join(str(n) for n in sorted({*axes}))} whole numbers above 0."),
        ],
        "zlib": Annotated[str, Hint("Use the text that napari-pixcell wrote.")],
    }
    return Annotated[_object(name, keys), AfterValidator(own_words(_check_array))]


def _check_array(value: dict[str, Any]) -> None:
    if len(value["shape"]) == 3 and value["dtype"] == "uint8" and value["shape"][2] != 3:
        raise PixCellError("Its last axis is not red, green and blue. Use an RGB image.")
    if prod(value["shape"]) * np.dtype(value["dtype"]).itemsize > MOST_ARRAY_BYTES:
        raise PixCellError(
            f"An array of {' × '.join(map(str, value['shape']))} values is too large for a recipe. "
            "Name its file instead."
        )


def read_colours(value: Any) -> TissueColours:
    """Read the tissue colours of a style, or raise PixCellError if they are none."""
    return from_json(TissueColours, value, "The tissue colours of a style are damaged.")


def _check_copies(part: dict[str, Any]) -> None:
    copies, inner = 1, part
    while inner["from"] == "vary":
        copies, inner = copies * inner.get("count", 1), inner["layout"]
    if copies * inner.get("count", 1) > MOST_COPIES:
        raise PixCellError(
            f"It makes more than {MOST_COPIES:,} layouts out of one. Use smaller counts."
        )


_GRID = _array("Embedding", ("float32", "float16", "float64"), (2, 3))
_PIXELS = _array("Pixels", ("uint8",), (3, 3))
_INTEGERS = tuple(f"{kind}{bits}" for kind in ("uint", "int") for bits in (32, 16, 8, 64))
_LABELS = _array("Labels", (*_INTEGERS, "bool"), (2, 2))
_SHARES_OF_CLASSES = (
    list[Annotated[tuple[Name, Share], Field(strict=False)]] | dict[Name, Share]  # either form
)
_SHARES = Annotated[_SHARES_OF_CLASSES, Hint("Use a name and a share of 0 or more for each.")]
_INVENTED: Any = Annotated[
    _object(
        "Invented",
        {
            **{
                name: NotRequired[Annotated[float, Between(low, high)]]
                for name, _, low, high, _ in LIMITS
            },
            "seed": NotRequired[Seed],
            "classes": NotRequired[_SHARES],
        },
    ),
    AfterValidator(own_words(Recipe.from_dict)),
]


def _check_made(value: dict[str, Any]) -> None:
    if not isinstance(value.get("method"), str):
        raise PixCellError("Its “method” is not text. Use what napari-pixcell wrote.")
    LayoutSource.from_dict(value)


_MADE = Annotated[dict[str, Any], AfterValidator(own_words(_check_made))]
_THREE = Annotated[list[float], Field(min_length=3, max_length=3), Hint("Use three numbers.")]
_COLOURS: Any = Annotated[
    _object(
        "Colours",
        {
            "mean": _THREE,
            "std": _THREE,
            "share": NotRequired[float],
            "classes": NotRequired[Annotated[tuple[_THREE, _THREE], Field(strict=False)]],
        },
    ),
    AfterValidator(own_words(read_colours)),
]
_CLASSES: Any = Annotated[_SHARES, AfterValidator(own_words(checked_shares))]
_CLASS_NAMES = Annotated[
    dict[Annotated[str, Field(pattern="^[0-9]{1,10}$")], Name],
    Hint('Use the name of a class for each label, such as {"1": "tumour"}.'),
]
_SOURCE = _object("Source", {"region": NotRequired[Box], "mpp": NotRequired[PixelSize]})
_NAMED = {"name": NotRequired[Name]}
_GROUPED = {**_NAMED, "group": NotRequired[Name]}
_TISSUE = {**_GROUPED, "mpp": NotRequired[PixelSize]}
_CELLS = {
    "path": PathText,
    "image": NotRequired[Name],
    "mpp": NotRequired[PixelSize],
    "slide": NotRequired[PathText],
    "slide_mpp": NotRequired[PixelSize],
    "region": NotRequired[Box],
    "classes": NotRequired[_CLASSES],
    **_NAMED,
}


def _kinds(noun: str, kinds: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the type of each kind of style or layout: an object that names its kind."""
    return {
        kind: _object(f"{kind.capitalize()}{noun}", {"from": Literal[kind], **keys})
        for kind, keys in kinds.items()
    }


STYLES = _kinds(
    "Style",
    {
        "region": {"slide": PathText, "region": Box, **_TISSUE},
        "slide": {"slide": PathText, "most": NotRequired[Annotated[int, whole(1, MOST_TILES)]]}
        | _TISSUE,
        "picture": {"path": PathText, **_TISSUE},
        "folder": {"path": PathText, **_TISSUE},
        "features": {
            "file": PathText,
            "most": NotRequired[Annotated[int, whole(1, MOST_TILES)]],
            "seed": NotRequired[Seed],
            **_GROUPED,
        },
        "library": {"name": Name},
        "blend": {
            "styles": Annotated[_list_of("Style"), Field(min_length=1, max_length=MOST_MIXED)],
            "shares": NotRequired[Shares],
            **_NAMED,
        },
        "embedding": {
            "embedding": _GRID,
            "pixels": NotRequired[_PIXELS],
            "source": NotRequired[_SOURCE],
            "colours": NotRequired[_COLOURS],
            **_GROUPED,
        },
        "nothing": _NAMED,
    },
)
LAYOUTS = _kinds(
    "Layout",
    {
        "file": _CELLS,
        "folder": _CELLS,
        "labels": {
            "labels": _LABELS,
            "classes": NotRequired[_CLASS_NAMES],
            "made": NotRequired[_MADE],
            **_NAMED,
        },
        "style": {"classes": NotRequired[_CLASSES]},
        "invent": {"recipe": _INVENTED, "count": NotRequired[Count], **_NAMED},
        "vary": {
            "layout": "Layout",
            "count": NotRequired[Count],
            "seed": NotRequired[Seed],
            "jitter_um": NotRequired[Annotated[float, Between(0, 50)]],
            "drop": NotRequired[Annotated[float, Between(0, 1)]],
            "add": NotRequired[Annotated[float, Between(0, 5)]],
        },
    },
)
_BY_KIND = Field(discriminator="from"), BeforeValidator(without_null)
Style: Any = Annotated[Union[tuple(STYLES.values())], *_BY_KIND]  # noqa: UP007
Layout: Any = Annotated[
    Union[tuple(LAYOUTS.values())],  # noqa: UP007
    *_BY_KIND,
    AfterValidator(own_words(_check_copies)),
]


def _several(one: Any) -> Any:
    return Annotated[tuple[one, ...], Field(max_length=MOST_PARTS, strict=False)]


Styles, Layouts = _several(Style), _several(Layout)


def known_keys(location: tuple[str, ...]) -> list[str]:
    """Return the keys of an object within a style or layout.

    ``location`` are the keys and indices on the way to it, and the kinds of styles and layouts.
    """
    kinds = {"styles": STYLES, "layouts": LAYOUTS}[location[0]]
    if location[-2].isdigit() or location[-2] == "layout":
        return list(kinds[location[-1]].__annotations__)
    known = {
        "source": ("region", "mpp"),
        "colours": [one.name for one in fields(TissueColours)],
        "recipe": [one.name for one in fields(Recipe)],
    }
    return list(known.get(location[-1], ("dtype", "shape", "zlib")))


def unpacked(part: dict[str, Any], key: str) -> NDArray[Any]:
    """Return an array of a style or layout, which must not be changed.

    Raises
    ------
    PixCellError
        If it is damaged.
    """
    try:
        return PackedArray.from_dict(part[key]).view()
    except PixCellError as error:
        raise PixCellError(
            f"The array “{key}” in the recipe is damaged. Write it again, or name a file instead."
        ) from error
