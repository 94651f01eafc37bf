"""Makes a dataset with workers: hands out chunks, joins their parts, and retries what fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from napari_pixcell.datasets.parallel.chunk_queue import MOST_RETRIES, ChunkQueue
from napari_pixcell.datasets.parallel.chunks import Chunk
from napari_pixcell.datasets.parallel.joining import JoinedDataset
from napari_pixcell.datasets.parallel.worker_processes import ChunkWorker, Message, Start, messages
from napari_pixcell.datasets.recipe.opening import open_for_making, warn_of_copies
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.recipe.runner import MakingCancelled
from napari_pixcell.datasets.store.dataset import DESCRIPTION, Dataset
from napari_pixcell.datasets.store.lock import locked
from napari_pixcell.datasets.store.pair_files import disk_problems
from napari_pixcell.engine.events import Emit, Finished, Notice, Progress
from napari_pixcell.errors import PixCellError

LISTENS = 0.5  # seconds until it looks again whether it was cancelled


def make_with_workers(
    request: DatasetRequest,
    start: Start,
    environments: Sequence[Mapping[str, str]],
    emit: Emit,
    cancelled: Callable[[], bool] = lambda: False,
) -> JoinedDataset | None:
    """Make the missing pairs of a dataset in several processes on this machine.

    This process loads no models. It may be killed and started again.

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
    coordinator = _Coordinator(request, start, environments, emit, cancelled)
    stopped = False
    try:
        coordinator.prepare()
        with disk_problems(coordinator.folder), locked(coordinator.folder):
            coordinator.make()
    except MakingCancelled:
        stopped = True
    finally:
        coordinator.end()
    emit(Finished(cancelled=stopped))
    return coordinator.joined


class _Coordinator:
    def __init__(
        self,
        request: DatasetRequest,
        start: Start,
        environments: Sequence[Mapping[str, str]],
        emit: Emit,
        cancelled: Callable[[], bool],
    ) -> None:
        self.folder = Path(request.folder)
        self.joined: JoinedDataset | None = None
        self._request, self._start, self._environments = request, start, environments
        self._emit, self._cancelled = emit, cancelled
        self._workers: list[ChunkWorker] = []

    def end(self) -> None:
        """End all workers."""
        while self._workers:
            self._workers.pop().kill()

    def _check(self) -> None:
        if self._cancelled():
            raise MakingCancelled

    # -- styles and layouts ----------------------------------------------------------------

    def prepare(self) -> None:
        """Let a worker prepare the dataset, which keeps its models for the pairs."""
        if (self.folder / DESCRIPTION).exists():
            dataset = open_for_making(self._request, self._check, self._emit)
            if dataset.description.plan is not None:
                warn_of_copies(dataset, self._emit)
                return
        for _ in range(1 + MOST_RETRIES):
            worker = self._started(0)
            worker.prepare(self._request)
            how = self._prepared(worker)
            if how is None:
                return
        raise PixCellError(
            f"The styles and layouts of {self.folder.name} could not be prepared: {how}. Check "
            "the memory of this machine, and run the command again."
        )

    def _prepared(self, worker: ChunkWorker) -> str | None:
        """Wait until a worker has prepared the dataset; return how it ended if it did not."""
        while True:
            self._check()
            for _ in messages([worker], LISTENS):
                match worker.receive():
                    case None:
                        self._workers.remove(worker)
                        return worker.ended()
                    case {"prepared": _}:
                        return None
                    case {"failed": str(reason)}:
                        raise PixCellError(reason)
                    case message:
                        self._tell(message)

    def _started(self, slot: int) -> ChunkWorker:
        worker = ChunkWorker(self.folder, self._start, self._environments[slot])
        self._workers.insert(slot, worker)
        return worker

    def _tell(self, message: Message) -> None:
        match message:
            case {"progress": str(text)}:
                self._emit(Progress(0, 0, text))
            case {"notice": str(text)}:
                self._emit(Notice(text))

    # -- pairs -----------------------------------------------------------------------------

    def make(self) -> None:
        """Make the pairs; the dataset is locked."""
        self._queue = ChunkQueue(Dataset(self.folder), self._request.most, self._emit)
        try:
            self._make_all()
        finally:  # also when cancelled
            self.end()
            self.joined = self._queue.finish()
        self._queue.report()

    def _make_all(self) -> None:
        slots = range(len(self._environments))
        idle = list(range(len(self._workers)))  # of the preparation
        for slot in [*idle, *slots[len(idle) :]]:
            chunk = self._queue.next()
            if chunk is None:
                break
            worker = self._workers[slot] if slot in idle else self._started(slot)
            worker.make(chunk)
        self._show()
        while any(worker.chunk for worker in self._workers):
            self._check()
            busy = [worker for worker in self._workers if worker.chunk]
            for worker in messages(busy, LISTENS):
                self._receive(worker)

    def _receive(self, worker: ChunkWorker) -> None:
        """Take a message of a busy worker, or its end."""
        chunk = worker.chunk
        assert chunk is not None
        match worker.receive():
            case None:
                worker = self._replaced(worker, chunk)
            case {"made": {"failed": failed, "notes": notes}}:
                self._queue.made(chunk, {int(index): why for index, why in failed.items()}, notes)
            case {"failed": str(reason), "kind": kind}:
                if kind == "every chunk":
                    raise PixCellError(reason)
                self._queue.failed(chunk, reason, of_disk=kind == "disk")
            case {"pair": _}:
                worker.made += 1
                return self._show()
            case message:
                return self._tell(message)
        worker.chunk = None
        for idle in [one for one in self._workers if one.chunk is None]:
            following = self._queue.next()
            if following is not None:
                idle.make(following)
        return self._show()

    def _replaced(self, worker: ChunkWorker, chunk: Chunk) -> ChunkWorker:
        """Start a worker in place of one that has ended, whose chunk is retried."""
        slot = self._workers.index(worker)
        self._workers.remove(worker)
        self._queue.lost(chunk, worker.ended())
        return self._started(slot)

    def _show(self) -> None:
        in_work = sum(worker.made for worker in self._workers if worker.chunk)
        self._queue.show(len(self._workers), in_work)
