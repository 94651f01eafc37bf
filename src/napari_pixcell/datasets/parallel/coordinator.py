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
    joined = list[JoinedDataset]()

    def make(crew: WorkerCrew) -> None:
        queue = ChunkQueue(Dataset(Path(request.folder)), request.most, emit)
        try:
            crew.work(queue)
        finally:  # also when cancelled
            crew.close()
            joined.append(queue.finish())
        queue.report()

    request = with_own_styles(request)
    _prepare(request, WorkerCrew(request, start, environments, emit, cancelled), emit, make)
    return joined[0] if joined else None


def prepare_with_workers(
    request: DatasetRequest,
    start: Start,
    environments: Sequence[Mapping[str, str]],
    emit: Emit,
    cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """Prepare styles and layouts in several processes, and make no pair.

    Parameters and errors are those of :func:`make_with_workers`.
    """
    request = with_own_styles(request)
    crew = WorkerCrew(request, start, environments, emit, cancelled)
    _prepare(request, crew, emit, lambda crew: None)


def _prepare(
    request: DatasetRequest, crew: WorkerCrew, emit: Emit, then: Callable[[WorkerCrew], None]
) -> None:
    """Prepare a dataset if it lacks styles or layouts, and do something more under its lock."""
    folder, stopped = Path(request.folder), False
    try:
        with nothing_refused(folder), closing(crew):
            dataset = open_for_making(request, emit, crew.at_once)
            with disk_problems(folder), locked(folder):
                dataset = Dataset(folder)  # another process may have prepared it since
                if dataset.description.plan is None:
                    crew.recipe = recipe = recipe_of(dataset, request)
                    keep_encoder(dataset)
                    check_installed(dataset)
                    crew.work(PreparationQueue(Preparation(dataset, recipe), emit))
                end_preparing(folder)
                warn_of_copies(dataset, emit)
                then(crew)
    except MakingCancelled:
        stopped = True
    emit(Finished(cancelled=stopped))
