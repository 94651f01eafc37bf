"""Makes a dataset with workers: hands out chunks, joins their parts, and retries what fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from napari_pixcell.datasets.parallel.chunk_queue import ChunkQueue
from napari_pixcell.datasets.parallel.crew import WorkerCrew
from napari_pixcell.datasets.parallel.joining import JoinedDataset
from napari_pixcell.datasets.parallel.preparation_queue import PreparationQueue
from napari_pixcell.datasets.parallel.worker_processes import Start
from napari_pixcell.datasets.preparation.parts import end_preparing
from napari_pixcell.datasets.preparation.stages import Preparation
from napari_pixcell.datasets.recipe.opening import (
    nothing_refused,
    open_for_making,
    recipe_of,
    warn_of_copies,
)
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.recipe.runner import MakingCancelled
from napari_pixcell.datasets.recipe.same_weights import check_installed, keep_encoder
from napari_pixcell.datasets.recipe.saved_styles import with_own_styles
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.lock import locked
from napari_pixcell.datasets.store.pair_files import disk_problems
from napari_pixcell.engine.events import Emit, Finished


def make_with_workers(
    request: DatasetRequest,
    start: Start,
    environments: Sequence[Mapping[str, str]],
    emit: Emit,
    cancelled: Callable[[], bool] = lambda: False,
) -> JoinedDataset | None:
    """Make the missing pairs of a dataset in several processes on this machine.

    The workers prepare styles and layouts as well. This process loads no models. It may be killed
    and started again.

    Parameters
    ----------
    request : DatasetRequest
    start : callable
        Function of a module that loads an engine in a worker; see :class:`ChunkWorker`.
    environments : sequence of mapping
        Environment variables of each worker; as many workers are started.
    emit : callable
        Receives ``Progress`` in pairs, ``Notice`` of failures, ``Finished``.
    cancelled : callable
        Called about twice a second; complete pairs are kept.

    Returns
    -------
    JoinedDataset or None
        None if it was cancelled before it was prepared.

    Raises
    ------
    PixCellError
        If the recipe cannot be followed, the disk is full, no pair can be made, or another process
        is working on the dataset.
    """
    folder, request = Path(request.folder), with_own_styles(request)
    crew = WorkerCrew(request, start, environments, emit, cancelled)
    joined, stopped = list[JoinedDataset](), False
    try:
        with nothing_refused(folder), closing(crew):
            dataset = open_for_making(request, emit, crew.at_once)
            with disk_problems(folder), locked(folder):
                if dataset.description.plan is None:
                    dataset = Dataset(folder)
                    recipe = recipe_of(dataset, request)
                    keep_encoder(dataset)
                    check_installed(dataset)
                    crew.recipe = recipe
                    crew.work(PreparationQueue(Preparation(dataset, recipe), emit))
                end_preparing(folder)
                warn_of_copies(dataset, emit)
                _make(Dataset(folder), request.most, crew, emit, joined)
    except MakingCancelled:
        stopped = True
    emit(Finished(cancelled=stopped))
    return joined[0] if joined else None


def _make(
    dataset: Dataset, most: int | None, crew: WorkerCrew, emit: Emit, joined: list[JoinedDataset]
) -> None:
    queue = ChunkQueue(dataset, most, emit)
    try:
        crew.work(queue)
    finally:  # also when cancelled
        crew.close()
        joined.append(queue.finish())
    queue.report()
