"""Makes a dataset with the workers of a Dask scheduler."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from napari_pixcell.cluster.connection import Connection
from napari_pixcell.cluster.pool import PoolWorker, WorkerPool
from napari_pixcell.cluster.worker_tasks import (
    DISK,
    WORKER,
    Answer,
    ClusterRun,
    make_chunk,
    prepare_dataset,
)
from napari_pixcell.datasets.parallel.chunk_queue import MOST_RETRIES, ChunkQueue
from napari_pixcell.datasets.parallel.joining import JoinedDataset
from napari_pixcell.datasets.parallel.worker_processes import Start
from napari_pixcell.datasets.recipe.opening import open_for_making
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.recipe.runner import MakingCancelled
from napari_pixcell.datasets.recipe.saved_styles import with_library_styles
from napari_pixcell.datasets.store.dataset import DESCRIPTION, Dataset
from napari_pixcell.datasets.store.lock import OWNER, locked
from napari_pixcell.datasets.store.pair_files import disk_problems
from napari_pixcell.engine.events import Emit, Finished
from napari_pixcell.errors import PixCellError

if TYPE_CHECKING:
    from napari_pixcell.cluster.jobs import Jobs

PATIENCE = 10.0  # seconds for a new file to appear on the file system of a worker


def make_on_cluster(
    request: DatasetRequest,
    connection: Connection,
    start: Start,
    emit: Emit,
    cancelled: Callable[[], bool] = lambda: False,
    jobs: Jobs | None = None,
    patience: float = PATIENCE,
) -> JoinedDataset | None:
    """Make the missing pairs of a dataset with the workers of a scheduler.

    This process loads no models. It may be killed and started again.

    Parameters
    ----------
    request : DatasetRequest
        Workers must see its folder, and what its recipe names, under the same paths.
    connection : Connection
    start : callable
        Function of a module that loads an engine; workers import it.
    emit : callable
        Receives ``Progress`` in pairs, ``Notice`` of failures, ``Finished``.
    cancelled : callable
        Called about twice a second; complete pairs are kept.
    jobs : Jobs, optional
        Starts and ends workers as they are needed. By default those that are there are used.
    patience : float
        Seconds for a new file to appear on the file system of a worker.

    Returns
    -------
    JoinedDataset or None
        None if it was cancelled before it was prepared.

    Raises
    ------
    PixCellError
        If the recipe cannot be followed, no worker can be used, the disk is full, no pair can be
        made, or another process is working on the dataset.
    """
    folder = Path(request.folder).absolute()
    coordinator = _ClusterCoordinator(request, folder, start, emit)
    stopped = False
    try:
        with disk_problems(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with locked(folder):
                run = ClusterRun(str(folder), (folder / OWNER).read_text())
                known = coordinator.family_and_weights()
                pool = WorkerPool(connection, run, *known, emit, cancelled, jobs, patience)
                coordinator.run(pool)
    except MakingCancelled:
        stopped = True
    emit(Finished(cancelled=stopped))
    return coordinator.joined


class _ClusterCoordinator:
    def __init__(self, request: DatasetRequest, folder: Path, start: Start, emit: Emit) -> None:
        self.joined: JoinedDataset | None = None
        recipe = request.recipe and with_library_styles(request.recipe)  # of this machine
        self.request = DatasetRequest(str(folder), recipe, request.most)
        self._folder, self._start, self._emit = folder, start, emit

    def family_and_weights(self) -> tuple[str, dict[str, str]]:
        """Return the family of the dataset, and the weights it was begun with."""
        if (self._folder / DESCRIPTION).exists() or self.request.recipe is None:
            dataset = open_for_making(self.request, lambda: None, self._emit)
            return dataset.description.family, dict(dataset.description.weights)
        return self.request.recipe.family, {}

    def run(self, pool: WorkerPool) -> None:
        """Prepare the dataset and make its pairs; the folder is locked."""
        self._pool = pool
        try:
            pool.gather()
            self._prepare()
            self._make()
        finally:
            pool.end()

    # -- styles and layouts ----------------------------------------------------------------

    def _prepare(self) -> None:
        begun = (self._folder / DESCRIPTION).exists()
        if begun and Dataset(self._folder).description.plan is not None:
            return
        for _ in range(1 + MOST_RETRIES):
            if self._prepared():
                return
        raise PixCellError(
            f"The styles and layouts of {self._folder.name} could not be prepared: each worker "
            "that tried has ended. Check the memory of the workers, and run the command again."
        )

    def _prepared(self) -> bool:
        """Return True if a worker has prepared the dataset, False if it has ended."""
        while not self._pool.idle:
            self._pool.wait(1)
        chosen = self._pool.idle[0]
        self._pool.submit(chosen, prepare_dataset, self.request.to_dict(), self._start)
        while True:
            for worker, answer in self._pool.wait(1):
                if worker is not chosen:
                    continue
                match answer:
                    case {"prepared": _}:
                        return True
                    case {"failed": str(reason)}:
                        raise PixCellError(reason)
                return False

    # -- pairs -----------------------------------------------------------------------------

    def _make(self) -> None:
        self._chunks = ChunkQueue(Dataset(self._folder), self.request.most, self._emit)
        working = list[PoolWorker]()
        try:
            while self._hand_out(working):
                self._chunks.show(len(self._pool.admitted))
                for worker, answer in self._pool.wait(self._chunks.needed):
                    working.remove(worker)
                    self._receive(worker, answer)
        finally:  # also when cancelled
            self._pool.end()
            self.joined = self._chunks.finish()
        self._chunks.report()

    def _hand_out(self, working: list[PoolWorker]) -> bool:
        """Give each idle worker a chunk; return False if all are made."""
        for worker in self._pool.idle:
            worker.chunk = self._chunks.next()
            if worker.chunk is None:
                break
            self._pool.submit(worker, make_chunk, worker.chunk.to_dict(), self._start)
            working.append(worker)
        return bool(working) or not self._chunks.empty

    def _receive(self, worker: PoolWorker, answer: Answer | None) -> None:
        chunk, worker.chunk = worker.chunk, None
        assert chunk is not None
        match answer:
            case {"made": {"failed": failed, "notes": notes}}:
                self._chunks.made(chunk, failed, notes)
            case {"failed": str(reason), **more}:
                kind = more.get("kind")
                self._chunks.failed(chunk, reason, of_disk=kind == DISK)
                if kind == WORKER:
                    self._pool.refuse(worker, reason)
            case _:
                self._chunks.lost(chunk, f"the worker {worker.name} has ended")
