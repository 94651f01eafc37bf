"""The plan of a dataset, and the number of its pairs before anything is prepared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.datasets.recipe.layout_sources import LayoutSources
from napari_pixcell.datasets.recipe.recipe import PATHS, DatasetRecipe, Part, mapped
from napari_pixcell.datasets.recipe.saved_styles import with_library_styles
from napari_pixcell.datasets.recipe.source_files import is_folder
from napari_pixcell.datasets.recipe.style_sources import StyleSources
from napari_pixcell.datasets.recipe.tiles import check_count
from napari_pixcell.datasets.store.plan import Plan, check_styles
from napari_pixcell.engine.colour_match import colour_setting
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.families import get_family
from napari_pixcell.untrusted import check_regular

NO_TISSUE = (
    "Layouts are matched to tissue, but no style has tissue. Choose another pairing, or add a "
    "region or a picture as a style."
)


def plan_of(recipe: DatasetRecipe, styles: int, layouts: int) -> Plan:
    """Return the plan of a recipe for its numbers of styles and layouts, without matches."""
    return Plan(
        styles,
        layouts,
        recipe.pairing if layouts else "each",
        recipe.seeds,
        recipe.first_seed,
        recipe.pairs,
        candidates=recipe.candidates,
    )


def check_recipe(recipe: DatasetRecipe) -> None:
    """Check what can be checked of a recipe without opening a slide or another file.

    Parameters
    ----------
    recipe : DatasetRecipe
        With the saved styles that it names.

    Raises
    ------
    PixCellError
        If it does not fit its family, has no style, or names a folder without files.
    """
    family = get_family(recipe.family)
    if recipe.layouts and not family.takes_layout:
        raise PixCellError(
            f"{family.title} does not support layouts. Choose another model, or remove the layouts."
        )
    colour_setting(recipe.colour_match, family, recipe.preset)
    check_styles(len(recipe.styles))
    len(StyleSources(recipe.styles, family))  # raises for a folder without pictures
    LayoutSources(recipe.layouts, family, (), no_segmentation).checked  # noqa: B018  as above
    for part in (*recipe.styles, *recipe.layouts):
        mapped(part, _with_files)


def _with_files(part: Part) -> Part:
    """Raise PixCellError if a file that a style or layout names does not exist."""
    for name in PATHS:
        if name not in part or part["from"] == "folder":
            continue
        if name != "file" or not is_folder(Path(part[name])):
            check_regular(Path(part[name]))
    return part


def count_pairs(recipe: DatasetRecipe, check: Callable[[], None] = lambda: None) -> int:
    """Return the number of pairs that a recipe makes, without embedding or segmenting anything.

    If cells are to be segmented in the tissue of the styles, each style with tissue counts as one
    layout. Of several invented layouts or variations, the first one stands for all.

    Parameters
    ----------
    check : callable
        Called regularly; an exception ends the work.

    Raises
    ------
    PixCellError
        If the recipe cannot be followed.
    """
    recipe, family = with_library_styles(recipe), get_family(recipe.family)
    check_recipe(recipe)
    sources = StyleSources(recipe.styles, family)
    layouts = LayoutSources(recipe.layouts, family, (), no_segmentation)
    styles, with_tissue, counts = 0, 0, list[int]()
    try:
        for number in range(len(sources)):
            check()
            tiles = sources.tiles(number)
            styles, with_tissue = styles + tiles.count, with_tissue + tiles.tissue
            check_count(styles)
        for part, at in layouts.checked:
            check()
            counts.append(layouts.count(part, at))
    finally:
        sources.close()
    return planned_pairs(recipe, layouts, styles, with_tissue, counts)


def planned_pairs(
    recipe: DatasetRecipe, layouts: LayoutSources, styles: int, with_tissue: int, checked: list[int]
) -> int:
    """Return the number of pairs that a recipe makes, at most.

    Parameters
    ----------
    recipe : DatasetRecipe
    layouts : LayoutSources
    styles, with_tissue : int
        Number of its styles, and of those with tissue.
    checked : list of int
        See :meth:`LayoutSources.counts`.

    Raises
    ------
    PixCellError
        If there are too many or too few of something.
    """
    check_count(styles)
    if recipe.pairing == "matched" and not with_tissue:
        raise PixCellError(NO_TISSUE)
    counts = layouts.counts(checked, with_tissue)
    layouts.check_counts(counts)
    return len(plan_of(recipe, styles, sum(counts)))


def no_segmentation(pixels: NDArray[np.uint8]) -> tuple[NDArray[Any], LayoutSource]:
    """Refuse to segment, where no layout of a style is made."""
    raise AssertionError("no layout is segmented here")
