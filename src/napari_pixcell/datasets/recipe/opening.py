"""Opens or begins a dataset for making its pairs, and prepares its styles and layouts."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from napari_pixcell.datasets.preparation.alone import prepare_alone
from napari_pixcell.datasets.preparation.parts import PREPARING, end_preparing
from napari_pixcell.datasets.preparation.stages import RecipeRefused
from napari_pixcell.datasets.recipe.planning import check_recipe
from napari_pixcell.datasets.recipe.preparing import (
    begin,
    is_of,
    keep_recipe,
    kept_recipe,
    lacking_tissue,
    private_folder,
)
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.recipe.runner import MakingCancelled, Run, Runner
from napari_pixcell.datasets.recipe.same_weights import check_installed, keep_encoder
from napari_pixcell.datasets.recipe.saved_styles import with_library_styles
from napari_pixcell.datasets.store.dataset import DESCRIPTION, Dataset, check_free
from napari_pixcell.datasets.store.lock import LOCK, locked
from napari_pixcell.datasets.store.pair_files import disk_problems
from napari_pixcell.engine.events import Emit, Finished, Notice, Progress
from napari_pixcell.errors import PixCellError
from napari_pixcell.words import counted

BlockOf = Callable[[str], int]  # pairs of a family that are generated together


def open_for_making(
    request: DatasetRequest, emit: Emit, block: BlockOf = lambda family: 1
) -> Dataset:
    """Open the dataset of a request, or begin it.

    Raises
    ------
    PixCellError
        If the recipe cannot be followed, as far as that shows without opening slides, or the folder
        holds something else.
    """
    folder = Path(request.folder)
    recipe = with_library_styles(request.recipe) if request.recipe is not None else None
    with disk_problems(folder):
        return _opened(folder, recipe, emit, block)


def _opened(folder: Path, recipe: DatasetRecipe | None, emit: Emit, block: BlockOf) -> Dataset:
    if not (folder / DESCRIPTION).exists() and recipe is not None:
        check_free(folder)
        emit(Progress(0, 0, "Checking the recipe"))
        check_recipe(recipe)
        return begin(recipe, folder, block(recipe.family))
    dataset = Dataset(folder)
    if recipe is not None and not is_of(dataset, recipe):
        raise PixCellError(
            f"The folder {folder.name} holds the dataset “{dataset.description.name}”, which was "
            "made from another recipe. Choose a new folder, or resume that dataset without a "
            "recipe."
        )
    return dataset


@contextmanager
def nothing_refused(folder: Path) -> Iterator[None]:
    """Leave no new dataset if the block finds that its recipe cannot be followed."""
    new, empty = not (folder / DESCRIPTION).exists(), not folder.exists()
    try:
        yield
    except RecipeRefused:
        if new:
            _discard(folder, empty)
        raise


def _discard(folder: Path, whole: bool) -> None:
    """Remove a dataset without styles, and its folder if that was not there before."""
    with suppress(PixCellError):
        shutil.rmtree(private_folder(Dataset(folder).description), ignore_errors=True)
    shutil.rmtree(folder / PREPARING, ignore_errors=True)
    (folder / DESCRIPTION).unlink(missing_ok=True)
    if whole:
        (folder / LOCK).unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()


def recipe_of(dataset: Dataset, request: DatasetRequest) -> DatasetRecipe:
    """Return the recipe of a dataset that is not prepared, and keep it for resuming.

    Raises
    ------
    PixCellError
        If the request has none, and it is not on this machine.
    """
    recipe = with_library_styles(request.recipe) if request.recipe is not None else None
    recipe = recipe or kept_recipe(dataset)
    keep_recipe(dataset.description, recipe)
    return recipe


def prepare(dataset: Dataset, request: DatasetRequest, runner: Runner, emit: Emit) -> None:
    """Prepare the styles and layouts of a dataset that the caller has locked, if it lacks some.

    Raises
    ------
    PixCellError
        If the recipe cannot be followed, or is not on this machine.
    """
    if dataset.description.plan is None:
        recipe = recipe_of(dataset, request)
        keep_encoder(dataset)
        check_installed(dataset)
        prepare_alone(dataset, recipe, runner.run, emit, runner.check)
    end_preparing(dataset.folder)  # an interrupted preparation may have left its parts
    warn_of_copies(dataset, emit)


def warn_of_copies(dataset: Dataset, emit: Emit) -> None:
    """Emit a notice if pairs cannot be compared with the real tissue of their styles."""
    lacking = lacking_tissue(dataset)
    if lacking:
        emit(
            Notice(
                f"Pairs are not checked for copies: the real tissue of {counted(lacking, 'style')} "
                "is not on this machine. It is in the data folder (PIXCELL_DATA_DIR) of the "
                "machine that prepared the dataset. Bring it with “napari-pixcell dataset "
                "references”."
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
        with nothing_refused(folder):
            dataset = open_for_making(request, emit, block)
            if dataset.description.plan is None:
                with disk_problems(folder), locked(folder):
                    # Another process may have prepared it since.
                    prepare(Dataset(folder), request, runner, emit)
    except MakingCancelled:
        emit(Finished(cancelled=True))
    else:
        emit(Finished())
