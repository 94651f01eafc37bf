"""A dataset recipe: styles, layouts, seeds and pairing as one JSON value.

    {"napari-pixcell dataset recipe": 1, "name": "Stroma", "family": "demo",
     "styles": [{"from": "region", "slide": "a.svs", "region": [x, y, width, height]},
                {"from": "slide", "slide": "b.svs", "most": 50},
                {"from": "picture", "path": "tile.png", "mpp": 0.5},
                {"from": "folder", "path": "tiles", "mpp": 0.5},
                {"from": "features", "file": "b.h5", "most": 100, "seed": 7},
                {"from": "library", "name": "Stroma A"},
                {"from": "blend", "styles": [ … ], "shares": [1, 1]},
                {"from": "embedding", "name": "…", "embedding": { … }},
                {"from": "nothing"}],
     "layouts": [{"from": "file", "path": "cells.geojson"}, {"from": "folder", "path": "masks"},
                 {"from": "labels", "name": "…", "labels": { … }, "classes": {"1": "tumour"}},
                 {"from": "style", "classes": {"tumour": 3, "stroma": 1}},
                 {"from": "invent", "recipe": { … }, "count": 10},
                 {"from": "vary", "layout": { … }, "count": 5, "jitter_um": 2}],
     "pairing": "each", "seeds": 1, "first_seed": 1234, "colour_match": "full", "keep": "best of 3"}

Layouts keep the classes of their cells. Where a file, a folder or a style names “classes”, cells
without one get one at random, in these proportions.

Paths are relative to the recipe's own folder. A recipe may name slides and folders; its dataset
does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field, fields, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass
from pydantic_core import ArgsKwargs

from napari_pixcell.cells.methods import SegmentMethod
from napari_pixcell.datasets.recipe.parts import Layouts, Name, Styles, known_keys
from napari_pixcell.datasets.recipe.validation import (
    As,
    BestOf,
    Between,
    FromObject,
    Line,
    OneOf,
    own_words,
    sentences,
    whole,
)
from napari_pixcell.datasets.store.checks import Checks
from napari_pixcell.datasets.store.plan import MOST_CANDIDATES, MOST_PAIRS, PAIRINGS
from napari_pixcell.engine.presets import EXACT, PRESETS
from napari_pixcell.engine.repair import Repair
from napari_pixcell.engine.request_values import MAX_SEED
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import COLOUR_MATCHES
from napari_pixcell.models.families import get_family
from napari_pixcell.serialization import OMIT_DEFAULT, to_json
from napari_pixcell.untrusted import read_json

SCHEMA = 1
KEY = "napari-pixcell dataset recipe"
EDITORS = "$schema"  # where an editor looks for the JSON Schema
PICTURES = ("png", "tiff")
PATHS = ("slide", "path", "file")
MOST_STEPS, MOST_SEEDS = 1000, 100_000
ADVICE = "Correct the recipe, or choose another file."

Part = dict[str, Any]


@dataclass(frozen=True, config=ConfigDict(strict=True, extra="forbid", allow_inf_nan=False))
class DatasetRecipe:
    """Everything that determines a dataset.

    Parameters
    ----------
    name : str
        Of the dataset, for people.
    family : str
        Of the models.
    styles, layouts : tuple of dict
        Where each comes ``from``: see the module.
    pairing : str
        One of :data:`~napari_pixcell.datasets.store.plan.PAIRINGS`.
    seeds, first_seed, pairs
        See :class:`~napari_pixcell.datasets.store.plan.Plan`.
    steps, guidance : optional
        None for the family's defaults.
    layout_strength, layout_until, preset
        See :class:`~napari_pixcell.engine.request_values.GenerateRequest`.
    colour_match : str
        How the colours of each image are matched to the tissue of its style: ``off``, ``gentle`` or
        ``full``. Off in every recipe of earlier versions, which did not state it.
    checks : Checks
        Thresholds, and the segmenter.
    repair : Repair, optional
        How nuclei that do not follow their mask are generated again.
    drop_wrong : bool
        Remove nuclei from the masks that the images do not show.
    picture : str
        File format of the images: ``png`` or ``tiff``.
    keep : str, optional
        ``best of 3`` makes three candidates for each pair and keeps the best.

    Raises
    ------
    PixCellError
        If a value has the wrong type or is out of range, a key is unknown, or one is missing: one
        sentence a value.
    """

    name: Name
    family: Annotated[str, Line(), AfterValidator(own_words(get_family))] = "demo"
    styles: Annotated[tuple[Part, ...], As(Styles)] = ()
    layouts: Annotated[tuple[Part, ...], As(Layouts)] = ()
    pairing: Annotated[str, OneOf(tuple(PAIRINGS))] = "each"
    seeds: Annotated[int, whole(1, MOST_SEEDS)] = 1
    first_seed: Annotated[int, whole(0, MAX_SEED)] = 1234
    pairs: Annotated[int, whole(1, MOST_PAIRS)] | None = None
    steps: Annotated[int, whole(1, MOST_STEPS)] | None = None
    guidance: Annotated[float, Between(0, 50)] | None = None
    layout_strength: Annotated[float, Between(0, 2)] = 1.0
    layout_until: Annotated[float, Between(0, 1)] = 1.0
    preset: Annotated[str, OneOf(tuple(PRESETS))] = EXACT.name
    colour_match: Annotated[str, OneOf(COLOUR_MATCHES)] = COLOUR_MATCHES[0]
    checks: Annotated[Checks, FromObject()] = field(default_factory=Checks)
    picture: Annotated[str, OneOf(PICTURES)] = PICTURES[0]
    keep: Annotated[str, BestOf(MOST_CANDIDATES)] | None = field(
        default=None, metadata=OMIT_DEFAULT
    )
    repair: Annotated[Repair, FromObject()] | None = field(default=None, metadata=OMIT_DEFAULT)
    drop_wrong: bool = field(default=False, metadata=OMIT_DEFAULT)

    @model_validator(mode="wrap")
    @classmethod
    def _in_sentences(cls, value: Any, validated: Callable[[Any], DatasetRecipe]) -> DatasetRecipe:
        if isinstance(value, ArgsKwargs) and value.args:  # errors name fields, not positions
            names = (one.name for one in fields(cls))
            value = ArgsKwargs(
                (), dict(zip(names, value.args, strict=False)) | (value.kwargs or {})
            )
        try:
            return validated(value)
        except ValidationError as error:
            raise PixCellError(sentences(error, _known_keys)) from error

    @property
    def candidates(self) -> int:
        """Number of images made for each pair, of which the best is kept."""
        return int(self.keep.split()[-1]) if self.keep else 1

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON value."""
        return {KEY: SCHEMA, **to_json(self)}

    @classmethod
    def from_dict(cls, value: Any) -> DatasetRecipe:
        """Read what :meth:`to_dict` returned, or what a user wrote."""
        schema = value.get(KEY) if isinstance(value, dict) else None
        if schema != SCHEMA or isinstance(schema, bool):
            raise PixCellError(
                f"This is not a dataset recipe that this version can read. It must begin with "
                f"“{KEY}”: {SCHEMA}."
            )
        given = {
            name: part
            for name, part in value.items()
            if name not in (KEY, EDITORS)
            and not (part is None and name in ("styles", "layouts", "checks"))
        }
        return cls(**given)

    @classmethod
    def load(cls, path: Path | str) -> DatasetRecipe:
        """Read a recipe from its file, and make its paths absolute."""
        path = Path(path)
        value = read_json(path, advice=ADVICE)
        return cls.from_dict(value).placed_in(path.resolve().parent)

    def placed_in(self, folder: Path) -> DatasetRecipe:
        """Return the same recipe with absolute paths; relative ones start at a folder."""
        styles, layouts = (
            tuple(_absolute(part, folder) for part in parts)
            for parts in (self.styles, self.layouts)
        )
        return replace(self, styles=styles, layouts=layouts)


def best_of(candidates: int) -> str | None:
    """Return the value of ``keep`` for a number of candidates: “best of 3”; None for one."""
    return f"best of {candidates}" if candidates != 1 else None


def recipe_schema() -> dict[str, Any]:
    """Return the JSON Schema of recipes, for editors and other programs."""
    schema = TypeAdapter(DatasetRecipe).json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = KEY
    first = {KEY: {"const": SCHEMA}, EDITORS: {"type": "string"}}
    schema["properties"] = first | schema["properties"]
    schema["required"] = [KEY, *schema["required"]]
    _shorten_descriptions(schema)
    return schema


def _shorten_descriptions(schema: Any) -> None:
    """Keep the first paragraph of each docstring in a JSON Schema."""
    if isinstance(schema, dict):
        if isinstance(schema.get("description"), str):
            schema["description"] = schema["description"].split("\n\n")[0]
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            _shorten_descriptions(part)


def mapped(part: Part, change: Callable[[Part], Part]) -> Part:
    """Return a style or layout with a change applied to the ones it is made of, then to itself."""
    part = dict(part)
    if isinstance(part.get("layout"), dict):  # of a variation
        part["layout"] = mapped(part["layout"], change)
    if isinstance(part.get("styles"), list | tuple):  # of a blend
        part["styles"] = [mapped(one, change) for one in part["styles"]]
    return change(part)


def _absolute(part: Part, here: Path) -> Part:
    def change(part: Part) -> Part:
        paths = {name: str(here / _expanded(part[name])) for name in PATHS if name in part}
        return part | paths

    return mapped(part, change)


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:  # there is no user of that name
        return Path(path)


def _known_keys(location: tuple[str, ...]) -> list[str]:
    if location and location[0] not in ("checks", "repair"):
        return known_keys(location)
    whole: dict[tuple[str, ...], type[Any]] = {
        (): DatasetRecipe,
        ("checks",): Checks,
        ("repair",): Repair,
    }
    cls = whole.get(location, SegmentMethod)
    return [one.name for one in fields(cls)]
