"""Makes a dataset with the workers of a Dask scheduler."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_pixcell.cluster.connection import Connection
from napari_pixcell.cluster.pool import PoolWorker, WorkerPool
from napari_pixcell.cluster.worker_tasks import (
    DISK,
    WORKER,
    Answer,
    ClusterRun,
    at_once,
    bring_tissue,
    make_chunk,
    prepare_chunk,
)
from napari_pixcell.datasets.parallel.chunk_queue import MOST_RETRIES, ChunkQueue
from napari_pixcell.datasets.parallel.chunks import Chunk
from napari_pixcell.datasets.parallel.joining import JoinedDataset
from napari_pixcell.datasets.parallel.preparation_queue import PreparationQueue
from napari_pixcell.datasets.parallel.worker_processes import Start
from napari_pixcell.datasets.preparation.parts import PreparationChunk, end_preparing
from napari_pixcell.datasets.preparation.stages import Preparation
from napari_pixcell.datasets.preparation.tissue import (
    forget_without_tissue,
    keep_tissue,
    tissue_files,
)
from napari_pixcell.datasets.recipe.opening import nothing_refused, open_for_making, recipe_of
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.recipe.runner import MakingCancelled
from napari_pixcell.datasets.recipe.same_weights import keep_encoder
from napari_pixcell.datasets.recipe.saved_styles import with_own_styles
from napari_pixcell.datasets.store.dataset import DESCRIPTION, Dataset
from napari_pixcell.datasets.store.lock import OWNER, locked
from napari_pixcell.datasets.store.pair_files import disk_problems
from napari_pixcell.engine.events import Emit, Finished
from napari_pixcell.errors import PixCellError

if TYPE_CHECKING:
    from napari_pixcell.cluster.jobs import Jobs

ClusterQueue = ChunkQueue | PreparationQueue
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
        with nothing_refused(folder), disk_problems(folder):
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
        own = with_own_styles(request)  # of this machine
        self.request = DatasetRequest(str(folder), own.recipe, request.most)
        self._recipe: dict[str, Any] | None = None  # of a dataset that is not prepared
        self._folder, self._start, self._emit = folder, start, emit

    def family_and_weights(self) -> tuple[str, dict[str, str]]:
        """Return the family of the dataset, and the weights it was begun with."""
        if (self._folder / DESCRIPTION).exists() or self.request.recipe is None:
            dataset = open_for_making(self.request, self._emit)
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
        dataset = open_for_making(self.request, self._emit, self._at_once)
        if dataset.description.plan is None:
            recipe = recipe_of(dataset, self.request)
            keep_encoder(dataset, self._pool.common_weights)
            self._recipe = recipe.to_dict()
            preparation = Preparation(dataset, recipe)
            forget_without_tissue(preparation)
            self._work(PreparationQueue(preparation, self._emit), self._give_preparation)
        end_preparing(self._folder)

    def _at_once(self, family: str) -> int:
        """Return how many pairs of a new dataset a worker would generate together."""
        for _ in range(1 + MOST_RETRIES):
            match self._asked(at_once, family, self._start):
                case {"at once": int(count)}:
                    return count
                case {"failed": str(reason)}:
                    raise PixCellError(reason)
        raise PixCellError(
            "The models cannot be loaded: each worker that tried has ended. Check the memory of "
            "the workers, and run the command again."
        )

    def _asked(self, task: Callable[..., Answer], *values: object) -> Answer | None:
        """Return the answer of a worker, or None if it has ended."""
        while not self._pool.idle:
            self._pool.wait(1)
        chosen = self._pool.idle[0]
        self._pool.submit(chosen, task, *values)
        while True:
            for worker, answer in self._pool.wait(1):
                if worker is chosen:
                    return answer

    def _give_preparation(self, worker: PoolWorker, chunk: PreparationChunk) -> None:
        recipe = None if worker.has_recipe else self._recipe
        worker.has_recipe = True
        self._pool.submit(worker, prepare_chunk, chunk.to_dict(), recipe, self._start)

    # -- pairs -----------------------------------------------------------------------------

    def _make(self) -> None:
        queue = ChunkQueue(Dataset(self._folder), self.request.most, self._emit)
        try:
            self._work(queue, self._give_pairs)
        finally:  # also when cancelled
            self._pool.end()
            self.joined = queue.finish()
        queue.report()

    def _give_pairs(self, worker: PoolWorker, chunk: Chunk) -> None:
        if worker.has_tissue:
            self._pool.submit(worker, make_chunk, chunk.to_dict(), self._start)
        else:
            self._pool.submit(worker, bring_tissue, None)

    def _brings(self, worker: PoolWorker, answer: Answer | None) -> bool:
        """Send a worker the tissue that it lacks, and then its chunk; return False otherwise."""
        match answer:
            case {"has": here}:
                dataset = Dataset(self._folder)
                worker.tissue = tissue_files(dataset, here) if here is not None else iter(())
            case {"kept": _}:
                pass
            case _:
                return False
        assert worker.tissue is not None and isinstance(worker.chunk, Chunk)
        files = next(worker.tissue, None)
        if files is not None:
            self._pool.submit(worker, bring_tissue, files)
        else:
            worker.has_tissue = True
            self._give_pairs(worker, worker.chunk)
        return True

    # -- chunks ----------------------------------------------------------------------------

    def _work(self, queue: ClusterQueue, give: Callable[[PoolWorker, Any], None]) -> None:
        """Give each idle worker a chunk until all of a queue are made."""
        working = list[PoolWorker]()
        while self._hand_out(queue, give, working) or not queue.finished:
            queue.show(len(self._pool.admitted))
            for worker, answer in self._pool.wait(queue.needed):
                if not self._brings(worker, answer):
                    working.remove(worker)
                    self._receive(queue, worker, answer)

    def _hand_out(
        self,
        queue: ClusterQueue,
        give: Callable[[PoolWorker, Any], None],
        working: list[PoolWorker],
    ) -> bool:
        for worker in self._pool.idle:
            worker.chunk = queue.next()
            if worker.chunk is None:
                break
            give(worker, worker.chunk)
            working.append(worker)
        return bool(working)

    def _receive(self, queue: ClusterQueue, worker: PoolWorker, answer: Answer | None) -> None:
        chunk: Any = worker.chunk
        worker.chunk = None
        match answer:
            case {"made": {"failed": failed, "notes": notes}, **more}:
                tissue: Any = more.get("tissue", {})
                keep_tissue(Dataset(self._folder), tissue)
                queue.made(chunk, failed, notes)
            case {"failed": str(reason), **more}:
                kind, worker.has_recipe = more.get("kind"), False
                queue.failed(chunk, reason, of_disk=kind == DISK)
                if kind == WORKER:
                    self._pool.refuse(worker, reason)
            case _:
                queue.lost(chunk, f"the worker {worker.name} has ended")
