"""A dataset recipe: styles, layouts, seeds and how they pair, as one JSON value.

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

Paths are relative to the recipe's own folder. A recipe may name slides and folders; the dataset
that is made of it does not.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from napari_pixcell.datasets.checks import Checks
from napari_pixcell.datasets.recipe.plan import PAIRINGS
from napari_pixcell.engine.presets import EXACT
from napari_pixcell.errors import PixCellError

SCHEMA = 1
KEY = "napari-pixcell dataset recipe"
STYLES: dict[str, tuple[str, ...]] = {  # what each kind must have
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
    """What a dataset is to be made of.

    Parameters
    ----------
    name : str
        Of the dataset, for people.
    family : str
        Of the models.
    styles, layouts : tuple of dict
        See the module; each says where it is ``from``.
    pairing : str
        One of :data:`~napari_pixcell.datasets.recipe.plan.PAIRINGS`.
    seeds, first_seed, pairs
        See :class:`~napari_pixcell.datasets.recipe.plan.Plan`.
    steps, guidance : optional
        The family's own where they are None.
    layout_strength, layout_until, preset
        See :class:`~napari_pixcell.engine.request.GenerateRequest`.
    checks : Checks
        Thresholds, and what looks for cells.
    picture : str
        ``png`` or ``tiff``.

    Raises
    ------
    PixCellError
        If a part is of no known kind, or lacks something.
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
        """Refuse what cannot be made."""
        if self.pairing not in PAIRINGS:
            raise PixCellError(
                f"There is no pairing “{self.pairing}”; choose one of: {', '.join(PAIRINGS)}."
            )
        if self.picture not in PICTURES:
            raise PixCellError(
                f"Pictures cannot be written as “{self.picture}”; choose one of: "
                f"{', '.join(PICTURES)}."
            )
        for part in self.styles:
            _check(part, "style", STYLES)
        for part in self.layouts:
            _check(part, "layout", LAYOUTS)

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON value."""
        value = {one.name: getattr(self, one.name) for one in fields(self)}
        lists = {"styles": list(self.styles), "layouts": list(self.layouts)}
        return {KEY: SCHEMA, **value, **lists, "checks": self.checks.to_dict()}

    @classmethod
    def from_dict(cls, value: Any) -> DatasetRecipe:
        """Read what :meth:`to_dict` gave, or what a person wrote."""
        schema = value.get(KEY) if isinstance(value, dict) else None
        if schema != SCHEMA:
            raise PixCellError(
                f"This is no dataset recipe that this version reads; it begins with “{KEY}”: "
                f"{SCHEMA}."
            )
        given = {name: part for name, part in value.items() if name != KEY}
        known = {one.name for one in fields(cls)}
        unknown = sorted(set(given) - known)
        if unknown:
            raise PixCellError(
                f"A dataset recipe has no “{unknown[0]}”; choose from: {', '.join(sorted(known))}."
            )
        try:
            given["checks"] = Checks.from_dict(given.get("checks") or {})
            for name in ("styles", "layouts"):
                given[name] = tuple(dict(part) for part in given.get(name) or ())
            return cls(**given)
        except (TypeError, ValueError) as error:
            raise PixCellError(
                "The dataset recipe cannot be understood; compare it with the example in the "
                "documentation of “dataset make”."
            ) from error

    @classmethod
    def load(cls, path: Path | str) -> DatasetRecipe:
        """Read a recipe from its file; paths in it become absolute."""
        path = Path(path)
        try:
            value = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise PixCellError(f"There is no recipe {path.name}; check its path.") from None
        except (OSError, ValueError):
            raise PixCellError(
                f"{path.name} is no JSON; write a dataset recipe, or choose another file."
            ) from None
        recipe = cls.from_dict(value)
        here = path.resolve().parent
        return replace(
            recipe,
            styles=tuple(_found(part, here) for part in recipe.styles),
            layouts=tuple(_found(part, here) for part in recipe.layouts),
        )


def _check(part: Part, what: str, kinds: dict[str, tuple[str, ...]]) -> None:
    kind = part.get("from")
    if kind not in kinds:
        raise PixCellError(f"A {what} cannot be from “{kind}”; choose one of: {', '.join(kinds)}.")
    for name in kinds[kind]:
        if name not in part:
            raise PixCellError(f"A {what} from “{kind}” needs “{name}”; add it to the recipe.")
    for name in ("styles", "layout"):  # of what a blend or a variation is made of
        inner = part.get(name)
        for one in inner if isinstance(inner, list | tuple) else [inner] if inner else []:
            _check(one, what, kinds)


def _found(part: Part, here: Path) -> Part:
    found = dict(part)
    for name in PATHS:
        if name in found:
            found[name] = str(here / Path(found[name]).expanduser())
    if isinstance(found.get("layout"), dict):
        found["layout"] = _found(found["layout"], here)
    if isinstance(found.get("styles"), list | tuple):
        found["styles"] = [_found(one, here) for one in found["styles"]]
    return found
