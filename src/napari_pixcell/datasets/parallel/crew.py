"""The worker processes of this machine that work through a queue of chunks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from napari_pixcell.datasets.parallel.chunks import Chunk
from napari_pixcell.datasets.parallel.worker_processes import ChunkWorker, Message, Start, messages
from napari_pixcell.datasets.preparation.parts import PreparationChunk
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.recipe.runner import MakingCancelled
from napari_pixcell.engine.events import Emit, Notice, Progress
from napari_pixcell.errors import PixCellError

LISTENS = 0.5  # seconds until it looks again whether it was cancelled
POLL = 1.0  # seconds until it looks again for what other processes have made


class WorkQueue(Protocol):
    """The chunks of a preparation, of the pairs of a dataset, or of those of a shard."""

    @property
    def finished(self) -> bool:
        """Whether nothing is left, once the chunks in work are made."""

    def next(self) -> Any:
        """Return the next chunk to make, or None if none can be made now."""

    def look(self) -> None:
        """Look for what other processes have made."""

    def made(self, chunk: Any, failed: Mapping[int, str], notes: list[str]) -> None:
        """Count a chunk that was made."""

    def failed(self, chunk: Any, reason: str, of_disk: bool) -> None:
        """Retry a chunk that failed."""

    def lost(self, chunk: Any, how: str) -> None:
        """Retry a chunk whose worker has ended; ``how`` continues a sentence."""

    def show(self, workers: int, in_work: int) -> None:
        """Report the progress."""


class WorkerCrew:
    """Worker processes, which are started as they are needed.

    Parameters
    ----------
    request : DatasetRequest
    start : callable
        Function of a module that loads an engine in a worker; see :class:`ChunkWorker`.
    environments : sequence of mapping
        Environment variables of each worker; at most as many are started.
    emit : callable
        Receives ``Progress`` and ``Notice`` of the workers.
    cancelled : callable
        Called about twice a second.

    Attributes
    ----------
    recipe : DatasetRecipe or None
        For the preparation.
    """

    def __init__(
        self,
        request: DatasetRequest,
        start: Start,
        environments: Sequence[Mapping[str, str]],
        emit: Emit,
        cancelled: Callable[[], bool],
    ) -> None:
        self._folder = Path(request.folder)
        self.recipe = request.recipe
        self._start, self._environments = start, environments
        self._emit, self._cancelled = emit, cancelled
        self._workers: dict[int, ChunkWorker] = {}  # by the numbers of their environments

    def close(self) -> None:
        """End all workers."""
        while self._workers:
            self._workers.popitem()[1].kill()

    def at_once(self, family: str) -> int:
        """Return how many pairs of a new dataset a worker would generate together.

        Raises
        ------
        PixCellError
            If the worker cannot load its engine.
        """
        worker = self._worker(0)
        worker.ask_at_once(family)
        while True:
            self._check()
            for _ in messages([worker], LISTENS):
                match worker.receive():
                    case None:
                        del self._workers[0]
                        raise PixCellError(
                            f"The models cannot be loaded: {worker.ended()}. Check the memory of "
                            "this machine, and run the command again."
                        )
                    case {"at once": int(count)}:
                        return count
                    case {"failed": str(reason)}:
                        raise PixCellError(reason)
                    case message:
                        self._tell(message)

    def work(self, queue: WorkQueue) -> None:
        """Make all chunks of a queue.

        Raises
        ------
        MakingCancelled
            If the user cancelled.
        PixCellError
            If no chunk can be made.
        """
        while self._hand_out(queue) or not queue.finished:
            self._show(queue)
            self._check()
            busy = [worker for worker in self._workers.values() if worker.chunk]
            for worker in messages(busy, LISTENS):
                self._receive(queue, worker)
            if not busy:
                time.sleep(POLL)
                queue.look()
        self._show(queue)

    def _check(self) -> None:
        if self._cancelled():
            raise MakingCancelled

    def _worker(self, slot: int) -> ChunkWorker:
        if slot not in self._workers:
            environment = self._environments[slot]
            self._workers[slot] = ChunkWorker(self._folder, self._start, environment)
        return self._workers[slot]

    def _hand_out(self, queue: WorkQueue) -> bool:
        """Give each idle worker a chunk; return False if none is busy."""
        for slot in range(len(self._environments)):
            if slot in self._workers and self._workers[slot].chunk:
                continue
            chunk = queue.next()
            if chunk is None:
                break
            self._give(self._worker(slot), chunk)
        return any(worker.chunk for worker in self._workers.values())

    def _give(self, worker: ChunkWorker, chunk: Chunk | PreparationChunk) -> None:
        if isinstance(chunk, PreparationChunk):
            worker.prepare(chunk, self.recipe)
        else:
            worker.make(chunk)

    def _receive(self, queue: WorkQueue, worker: ChunkWorker) -> None:
        """Take a message of a busy worker, or its end."""
        chunk = worker.chunk
        match worker.receive():
            case None:
                slot = next(slot for slot, one in self._workers.items() if one is worker)
                del self._workers[slot]
                queue.lost(chunk, worker.ended())
                return
            case {"made": {"failed": failed, "notes": notes}}:
                queue.made(chunk, {int(index): why for index, why in failed.items()}, notes)
            case {"failed": str(reason), "kind": kind}:
                if kind == "every chunk":
                    raise PixCellError(reason)
                queue.failed(chunk, reason, of_disk=kind == "disk")
            case {"item": _}:
                worker.made += 1
                return self._show(queue)
            case message:
                return self._tell(message)
        worker.chunk = None
        self._hand_out(queue)
        return self._show(queue)

    def _tell(self, message: Message) -> None:
        match message:
            case {"progress": str(text)}:
                self._emit(Progress(0, 0, text))
            case {"notice": str(text)}:
                self._emit(Notice(text))

    def _show(self, queue: WorkQueue) -> None:
        in_work = sum(worker.made for worker in self._workers.values() if worker.chunk)
        queue.show(len(self._workers), in_work)
