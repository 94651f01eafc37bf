"""The styles of the library that a recipe names."""

from __future__ import annotations

from dataclasses import replace

from napari_pixcell.datasets.recipe.recipe import DatasetRecipe, Part, mapped
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.styles.library import StyleLibrary
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.families import get_family
from napari_pixcell.models.store import encoder_kind
from napari_pixcell.serialization import to_json


def with_library_styles(recipe: DatasetRecipe) -> DatasetRecipe:
    """Return a recipe that holds the saved styles it names, so that it no longer needs the library.

    Raises
    ------
    PixCellError
        If the library has no such style, or the style does not fit the recipe's family.
    """
    family = get_family(recipe.family)

    def by_value(part: Part) -> Part:
        return style_from_library(part, family) if part["from"] == "library" else part

    return replace(recipe, styles=tuple(mapped(part, by_value) for part in recipe.styles))


def with_own_styles(request: DatasetRequest) -> DatasetRequest:
    """Return a request whose recipe holds the saved styles that it names."""
    recipe = request.recipe and with_library_styles(request.recipe)
    return DatasetRequest(request.folder, recipe, request.most)


def style_from_library(part: Part, family: Family) -> Part:
    """Return a part that names a saved style as one that holds it."""
    style = StyleLibrary().find(part["name"])  # a name or an id
    problem = style.why_not(family, encoder_kind(family))
    if problem:
        raise PixCellError(problem)
    embedding = PackedArray.pack(style.embedding).to_dict()
    known = {"colours": to_json(style.colours)} if style.colours is not None else {}
    return {"from": "embedding", "name": style.name, "embedding": embedding, **known}
