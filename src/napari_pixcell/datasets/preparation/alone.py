"""The preparation of a dataset by one process, with the functions that several share."""

from __future__ import annotations

from collections.abc import Callable

from napari_pixcell.datasets.preparation.making import PreparationMaker
from napari_pixcell.datasets.preparation.parts import LISTING, STYLES
from napari_pixcell.datasets.preparation.stages import RecipeRefused
from napari_pixcell.datasets.quality import Ask
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.engine.events import Emit, Progress
from napari_pixcell.errors import PixCellError


def prepare_alone(
    dataset: Dataset, recipe: DatasetRecipe, ask: Ask, emit: Emit, check: Callable[[], None]
) -> None:
    """Make the missing chunks of a preparation, and join them. Parameters: PreparationMaker.

    The caller has locked the dataset.

    Raises
    ------
    RecipeRefused
        If a source cannot be read. Nothing was prepared then.
    PixCellError
        If a style cannot be embedded, or a layout not be segmented.
    """
    maker = PreparationMaker(dataset, recipe, ask, check)
    preparation = maker.preparation
    try:
        while (phase := preparation.phase) is not None:
            check()
            for chunk in preparation.chunks(phase):
                if preparation.is_made(chunk):
                    continue
                emit(Progress(0, 0, words_of(phase, chunk.first, preparation.items(phase))))
                try:
                    maker.make(chunk)
                except PixCellError as error:
                    if phase != LISTING:
                        raise
                    raise RecipeRefused(str(error)) from error
            preparation.join(phase, emit)
    finally:
        maker.close()


def words_of(phase: str, number: int, items: int) -> str:
    """Return what is prepared, from item ``number`` on, in words."""
    if phase == LISTING:
        return "Checking the recipe"
    noun = "style" if phase == STYLES else "layout"
    return f"Preparing {noun} {number + 1:,} of {items:,}"
