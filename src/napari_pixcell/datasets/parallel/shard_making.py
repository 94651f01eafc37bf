"""One shard of a dataset, for job arrays: no lock while it works, no contact with other shards."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from napari_pixcell.datasets.parallel.chunks import Shard
from napari_pixcell.datasets.parallel.claims import LEASE, Claims
from napari_pixcell.datasets.parallel.crew import WorkerCrew
from napari_pixcell.datasets.parallel.preparation_queue import PreparationQueue
from napari_pixcell.datasets.parallel.shard_queue import ShardQueue
from napari_pixcell.datasets.parallel.shard_queue import complete_pairs as complete_pairs
from napari_pixcell.datasets.parallel.solo_crew import SoloCrew
from napari_pixcell.datasets.parallel.worker_processes import Start
from napari_pixcell.datasets.preparation.stages import Preparation
from napari_pixcell.datasets.recipe.opening import open_for_making, recipe_of, warn_of_copies
from napari_pixcell.datasets.recipe.preparing import keeps_tissue
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.recipe.runner import DatasetEngine, MakingCancelled
from napari_pixcell.datasets.recipe.same_weights import check_installed
from napari_pixcell.datasets.recipe.saved_styles import with_own_styles
from napari_pixcell.datasets.store.dataset import DESCRIPTION, Dataset
from napari_pixcell.datasets.store.lock import LockedElsewhere, locked
from napari_pixcell.datasets.store.pair_files import disk_problems
from napari_pixcell.engine.events import Emit, Finished, Progress
from napari_pixcell.errors import PixCellError

WAIT = 3600.0  # seconds for another process to begin the dataset
POLL = 1.0  # seconds; file systems of clusters announce nothing

Crew = SoloCrew | WorkerCrew


def make_shard(
    request: DatasetRequest,
    shard: Shard,
    engine: DatasetEngine,
    emit: Emit,
    cancelled: Callable[[], bool] = lambda: False,
    wait: float = WAIT,
    lease: float = LEASE,
) -> dict[int, str]:
    """Make the missing pairs of a shard. Its parts wait for :func:`join_dataset`.

    Styles and layouts are prepared by all shards that run, each some chunks.

    Parameters
    ----------
    request : DatasetRequest
    shard : Shard
    engine : DatasetEngine
    emit : callable
        Receives ``Progress`` in pairs of the shard, ``Notice`` of failures, ``Finished``.
    cancelled : callable
        Called between steps; complete pairs are kept.
    wait : float
        Seconds to wait for another process to begin the dataset.
    lease : float
        Seconds after which the work of a shard that seems to have ended is taken over.

    Returns
    -------
    dict of int to str
        Reasons by the numbers of the pairs that could not be made.

    Raises
    ------
    PixCellError
        If the dataset cannot be prepared, the disk is full, or no pair could be made.
    """
    crew = SoloCrew(Path(request.folder), engine, emit, cancelled)
    return _made(request, shard, crew, emit, cancelled, (wait, lease))


def make_shard_with_workers(
    request: DatasetRequest,
    shard: Shard,
    start: Start,
    environments: Sequence[Mapping[str, str]],
    emit: Emit,
    cancelled: Callable[[], bool] = lambda: False,
    wait: float = WAIT,
    lease: float = LEASE,
) -> dict[int, str]:
    """Make the missing pairs of a shard in several processes on this machine.

    Parameters are those of :func:`make_shard` and
    :func:`~napari_pixcell.datasets.parallel.coordinator.make_with_workers`.
    """
    request = with_own_styles(request)
    crew = WorkerCrew(request, start, environments, emit, cancelled)
    return _made(request, shard, crew, emit, cancelled, (wait, lease))


def _made(
    request: DatasetRequest,
    shard: Shard,
    crew: Crew,
    emit: Emit,
    cancelled: Callable[[], bool],
    times: tuple[float, float],
) -> dict[int, str]:
    failed, folder = dict[int, str](), Path(request.folder)
    try:
        with closing(crew), disk_problems(folder):
            dataset = _begun(request, crew, emit, cancelled, times[0])
            if dataset.description.plan is None:
                _prepare(dataset, request, shard, crew, emit, times[1])
            warn_of_copies(Dataset(folder), emit)
            queue = ShardQueue(Dataset(folder), shard, emit)
            crew.work(queue)
            failed = queue.finish()
    except MakingCancelled:
        emit(Finished(cancelled=True))
    else:
        emit(Finished())
    return failed


def _begun(
    request: DatasetRequest, crew: Crew, emit: Emit, cancelled: Callable[[], bool], wait: float
) -> Dataset:
    """Begin the dataset, or wait until another process has begun it."""
    folder, until = Path(request.folder), time.monotonic() + wait
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        try:
            if (folder / DESCRIPTION).exists():
                return open_for_making(request, emit)
            with locked(folder):
                return open_for_making(request, emit, crew.at_once)
        except LockedElsewhere as error:
            if time.monotonic() > until:
                raise PixCellError(
                    f"{folder.name} is not prepared yet. {error} Then run the shard again, or run "
                    "“napari-pixcell dataset prepare” before the shards."
                ) from error
        emit(Progress(0, 0, "Waiting for another process to begin the dataset"))
        if cancelled():
            raise MakingCancelled
        time.sleep(min(POLL, max(wait, 0.01)))


def _prepare(
    dataset: Dataset, request: DatasetRequest, shard: Shard, crew: Crew, emit: Emit, lease: float
) -> None:
    """Prepare the dataset with the other shards that run."""
    crew.recipe = recipe = recipe_of(dataset, request)
    check_installed(dataset)
    preparation = Preparation(dataset, recipe)
    preparation.open()
    with Claims(preparation.folder, shard, lease) as claims:
        crew.work(PreparationQueue(preparation, emit, claims, keeps_tissue(dataset)))
