"""Opens or begins a dataset for making its pairs, and prepares its styles and layouts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from napari_pixcell.datasets.recipe.preparing import (
    Preparation,
    begin,
    count_pairs,
    is_of,
    keep_recipe,
    kept_recipe,
    lacking_tissue,
)
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.recipe.runner import MakingCancelled, Run, Runner
from napari_pixcell.datasets.recipe.same_weights import check_installed, keep_encoder
from napari_pixcell.datasets.recipe.style_sources import with_library_styles
from napari_pixcell.datasets.store.dataset import DESCRIPTION, Dataset, check_free
from napari_pixcell.datasets.store.lock import locked
from napari_pixcell.datasets.store.pair_files import disk_problems
from napari_pixcell.engine.events import Emit, Finished, Notice, Progress
from napari_pixcell.errors import PixCellError
from napari_pixcell.words import counted

BlockOf = Callable[[str], int]  # pairs of a family that are generated together


def open_for_making(
    request: DatasetRequest,
    check: Callable[[], None],
    emit: Emit,
    block: BlockOf = lambda family: 1,
) -> Dataset:
    """Open the dataset of a request, or begin it; ``check`` may raise MakingCancelled.

    Raises
    ------
    PixCellError
        If the recipe cannot be followed, or the folder holds something else.
    """
    folder = Path(request.folder)
    recipe = with_library_styles(request.recipe) if request.recipe is not None else None
    with disk_problems(folder):
        return _opened(folder, recipe, check, emit, block)


def _opened(
    folder: Path,
    recipe: DatasetRecipe | None,
    check: Callable[[], None],
    emit: Emit,
    block: BlockOf,
) -> Dataset:
    if not (folder / DESCRIPTION).exists() and recipe is not None:
        check_free(folder)
        emit(Progress(0, 0, "Checking the recipe"))
        # Nothing is written for a recipe that cannot be followed. After a cancel, a dataset is
        # still begun, so that it can be resumed; preparing it checks its sources again.
        with suppress(MakingCancelled):
            count_pairs(recipe, check)
        return begin(recipe, folder, block(recipe.family))
    dataset = Dataset(folder)
    if recipe is not None and not is_of(dataset, recipe):
        raise PixCellError(
            f"The folder {folder.name} holds the dataset “{dataset.description.name}”, which was "
            "made from another recipe. Choose a new folder, or resume that dataset without a "
            "recipe."
        )
    return dataset


def prepare(dataset: Dataset, request: DatasetRequest, runner: Runner, emit: Emit) -> None:
    """Prepare the styles and layouts of a dataset that the caller has locked, if it lacks some.

    Raises
    ------
    PixCellError
        If the recipe cannot be followed, or is not on this machine.
    """
    if dataset.description.plan is None:
        recipe = with_library_styles(request.recipe) if request.recipe is not None else None
        recipe = recipe or kept_recipe(dataset)
        keep_recipe(dataset.description, recipe)
        keep_encoder(dataset)
        check_installed(dataset)
        Preparation(dataset, recipe, runner.run, emit, runner.check).run()
    warn_of_copies(dataset, emit)


def warn_of_copies(dataset: Dataset, emit: Emit) -> None:
    """Emit a notice if pairs cannot be compared with the real tissue of their styles."""
    lacking = lacking_tissue(dataset)
    if lacking:
        emit(
            Notice(
                f"Pairs are not checked for copies: the real tissue of {counted(lacking, 'style')} "
                "is not on this machine. It is in the data folder (PIXCELL_DATA_DIR) of the "
                "machine that prepared the dataset."
            )
        )


def prepare_dataset(
    request: DatasetRequest,
    run: Run,
    emit: Emit,
    cancelled: Callable[[], bool] = lambda: False,
    block: BlockOf = lambda family: 1,
) -> None:
    """Prepare the styles and layouts of a dataset, and make no pair. Parameters: make_dataset.

    Raises
    ------
    PixCellError
        If the recipe cannot be followed, the disk is full, or another process is working on the
        dataset.
    """
    runner, folder = Runner(run, cancelled), Path(request.folder)
    try:
        dataset = open_for_making(request, runner.check, emit, block)
        if dataset.description.plan is None:
            with disk_problems(folder), locked(folder):
                # Another process may have prepared it since.
                prepare(Dataset(folder), request, runner, emit)
    except MakingCancelled:
        emit(Finished(cancelled=True))
    else:
        emit(Finished())
