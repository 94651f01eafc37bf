"""A dataset recipe: styles, layouts, seeds and pairing as one JSON value.

    {"napari-pixcell dataset recipe": 1, "name": "Stroma", "family": "demo",
     "styles": [{"from": "region", "slide": "a.svs", "region": [x, y, width, height]},
                {"from": "slide", "slide": "b.svs", "most": 50},
                {"from": "picture", "path": "tile.png", "mpp": 0.5},
                {"from": "folder", "path": "tiles", "mpp": 0.5},
                {"from": "library", "name": "Stroma A"},
                {"from": "blend", "styles": [ … ], "shares": [1, 1]},
                {"from": "embedding", "name": "…", "embedding": { … }},
                {"from": "nothing"}],
     "layouts": [{"from": "file", "path": "cells.geojson"}, {"from": "folder", "path": "masks"},
                 {"from": "labels", "name": "…", "labels": { … }},
                 {"from": "style"},
                 {"from": "invent", "recipe": { … }, "count": 10},
                 {"from": "vary", "layout": { … }, "count": 5, "jitter_um": 2}],
     "pairing": "each", "seeds": 1, "first_seed": 1234}

Paths are relative to the recipe's own folder. A recipe may name slides and folders; its dataset
does not.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from napari_pixcell.datasets.store.checks import Checks
from napari_pixcell.datasets.store.plan import check_pairing
from napari_pixcell.engine.presets import EXACT
from napari_pixcell.errors import PixCellError
from napari_pixcell.serialization import to_json

SCHEMA = 1
KEY = "napari-pixcell dataset recipe"
STYLES: dict[str, tuple[str, ...]] = {  # required keys of each kind
    "region": ("slide", "region"),
    "slide": ("slide",),
    "picture": ("path",),
    "folder": ("path",),
    "library": ("name",),
    "blend": ("styles",),
    "embedding": ("embedding",),
    "nothing": (),
}
LAYOUTS: dict[str, tuple[str, ...]] = {
    "file": ("path",),
    "folder": ("path",),
    "labels": ("labels",),
    "style": (),
    "invent": ("recipe",),
    "vary": ("layout",),
}
PICTURES = ("png", "tiff")
PATHS = ("slide", "path")

Part = dict[str, Any]


@dataclass(frozen=True)
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
    checks : Checks
        Thresholds, and the segmenter.
    picture : str
        File format of the images: ``png`` or ``tiff``.

    Raises
    ------
    PixCellError
        If a style or layout has an unknown kind or lacks a key.
    """

    name: str
    family: str = "demo"
    styles: tuple[Part, ...] = ()
    layouts: tuple[Part, ...] = ()
    pairing: str = "each"
    seeds: int = 1
    first_seed: int = 1234
    pairs: int | None = None
    steps: int | None = None
    guidance: float | None = None
    layout_strength: float = 1.0
    layout_until: float = 1.0
    preset: str = EXACT.name
    checks: Checks = field(default_factory=Checks)
    picture: str = PICTURES[0]

    def __post_init__(self) -> None:
        check_pairing(self.pairing)
        if self.picture not in PICTURES:
            raise PixCellError(
                f"Images cannot be written as “{self.picture}”. Choose one of: "
                f"{', '.join(PICTURES)}."
            )
        for part in self.styles:
            _check(part, "style", STYLES)
        for part in self.layouts:
            _check(part, "layout", LAYOUTS)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON value."""
        return {KEY: SCHEMA, **to_json(self)}

    @classmethod
    def from_dict(cls, value: Any) -> DatasetRecipe:
        """Read what :meth:`to_dict` returned, or what a user wrote."""
        schema = value.get(KEY) if isinstance(value, dict) else None
        if schema != SCHEMA:
            raise PixCellError(
                f"This is not a dataset recipe that this version can read. It must begin with "
                f"“{KEY}”: {SCHEMA}."
            )
        given = {name: part for name, part in value.items() if name != KEY}
        known = {one.name for one in fields(cls)}
        unknown = sorted(set(given) - known)
        if unknown:
            raise PixCellError(
                f"A dataset recipe has no “{unknown[0]}”. Choose from: {', '.join(sorted(known))}."
            )
        try:
            given["checks"] = Checks.from_dict(given.get("checks") or {})
            for name in ("styles", "layouts"):
                given[name] = tuple(dict(part) for part in given.get(name) or ())
            return cls(**given)
        except (TypeError, ValueError) as error:
            raise PixCellError(
                "The dataset recipe is not valid. Compare it with the example in the documentation "
                "of “dataset make”."
            ) from error

    @classmethod
    def load(cls, path: Path | str) -> DatasetRecipe:
        """Read a recipe from its file, and make its paths absolute."""
        path = Path(path)
        try:
            value = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise PixCellError(f"There is no recipe {path.name}. Check its path.") from None
        except (OSError, ValueError):
            raise PixCellError(
                f"{path.name} is not a JSON file. Choose a dataset recipe."
            ) from None
        recipe, here = cls.from_dict(value), path.resolve().parent
        styles, layouts = (
            tuple(_absolute(part, here) for part in parts)
            for parts in (recipe.styles, recipe.layouts)
        )
        return replace(recipe, styles=styles, layouts=layouts)


def mapped(part: Part, change: Callable[[Part], Part]) -> Part:
    """Return a style or layout with a change applied to the ones it is made of, then to itself."""
    part = dict(part)
    if isinstance(part.get("layout"), dict):  # of a variation
        part["layout"] = mapped(part["layout"], change)
    if isinstance(part.get("styles"), list | tuple):  # of a blend
        part["styles"] = [mapped(one, change) for one in part["styles"]]
    return change(part)


def _check(part: Part, noun: str, kinds: dict[str, tuple[str, ...]]) -> None:
    def check(part: Part) -> Part:
        kind = part.get("from")
        if kind not in kinds:
            raise PixCellError(
                f"A {noun} cannot be from “{kind}”. Choose one of: {', '.join(kinds)}."
            )
        for name in kinds[kind]:
            if name not in part:
                raise PixCellError(f"A {noun} from “{kind}” needs “{name}”. Add it to the recipe.")
        return part

    mapped(part, check)


def _absolute(part: Part, here: Path) -> Part:
    def change(part: Part) -> Part:
        paths = {name: str(here / Path(part[name]).expanduser()) for name in PATHS if name in part}
        return part | paths

    return mapped(part, change)
