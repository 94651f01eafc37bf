"""Makes a dataset with workers: hands out chunks, joins their parts, and retries what fails."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from napari_pixcell.datasets.parallel.chunks import Chunk, missing_chunks
from napari_pixcell.datasets.parallel.joining import JoinedDataset, Joining, list_failed
from napari_pixcell.datasets.parallel.worker_processes import ChunkWorker, Message, Start, messages
from napari_pixcell.datasets.recipe.opening import open_for_making, warn_of_copies
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.recipe.runner import MakingCancelled
from napari_pixcell.datasets.store.dataset import DESCRIPTION, Dataset
from napari_pixcell.datasets.store.lock import locked
from napari_pixcell.datasets.store.pair_files import DiskProblem, disk_problems
from napari_pixcell.datasets.store.parts import part_path
from napari_pixcell.engine.events import Emit, Finished, Notice, Progress
from napari_pixcell.errors import PixCellError
from napari_pixcell.words import counted, duration

MOST_RETRIES = 3  # of a chunk
HOPELESS = 3  # chunks given up without a new pair; after that, every chunk would probably fail
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
        self._joining = joining = Joining(Dataset(self.folder))
        joining.add_all()
        joining.failed.clear()  # all of them are tried again
        list_failed(self.folder, joining.failed)
        self._left = self._request.most  # to hand out; None for all
        self._chunks = missing_chunks(joining.dataset, joining.files.done)
        self._retries: deque[Chunk] = deque()
        self._attempts: Counter[int] = Counter()
        self._hopeless, self._before = 0, joining.files.count
        self._began = time.monotonic()
        try:
            self._make_all()
        finally:  # also when cancelled
            self.end()
            joining.add_all()
            self.joined = joining.finish()
        self._report()

    def _make_all(self) -> None:
        slots = range(len(self._environments))
        idle = list(range(len(self._workers)))  # of the preparation
        for slot in [*idle, *slots[len(idle) :]]:
            chunk = self._next()
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

    def _next(self) -> Chunk | None:
        """Return the next chunk to make."""
        if self._retries:
            return self._retries.popleft()
        if self._left == 0:
            return None
        chunk = next(self._chunks, None)
        if chunk is None or self._left is None:
            return chunk
        chunk = _first_of(chunk, self._left)
        self._left -= chunk.missing
        return chunk

    def _receive(self, worker: ChunkWorker) -> None:
        """Take a message of a busy worker, or its end."""
        chunk = worker.chunk
        assert chunk is not None
        match worker.receive():
            case None:
                worker = self._replaced(worker, chunk)
            case {"made": {"failed": failed, "notes": notes}}:
                self._made(chunk, {int(index): why for index, why in failed.items()}, notes)
            case {"failed": str(reason), "kind": kind}:
                if kind == "every chunk":
                    raise PixCellError(reason)
                if kind == "disk" and self._attempts[chunk.first] == MOST_RETRIES:
                    raise DiskProblem(reason)
                self._again(chunk, dict.fromkeys(_missing(chunk), reason))
            case {"pair": _}:
                worker.made += 1
                return self._show()
            case message:
                return self._tell(message)
        worker.chunk = None
        for idle in [one for one in self._workers if one.chunk is None]:
            following = self._next()
            if following is not None:
                idle.make(following)
        return self._show()

    def _made(self, chunk: Chunk, failed: dict[int, str], notes: list[str]) -> None:
        files = self._joining.files
        before = files.count
        self._joining.add(part_path(self.folder, chunk.first))
        if files.count > before:
            self._hopeless = 0
        for note in notes:
            self._emit(Notice(note))
        if failed:
            done = (i for i in range(chunk.first, chunk.stop) if files.done[i])
            self._again(Chunk(chunk.first, chunk.stop, tuple(done)), failed)

    def _replaced(self, worker: ChunkWorker, chunk: Chunk) -> ChunkWorker:
        """Start a worker in place of one that has ended, whose chunk is retried."""
        slot = self._workers.index(worker)
        self._workers.remove(worker)
        how = worker.ended()
        self._emit(Notice(f"Pairs {chunk.first:,} to {chunk.stop - 1:,} are retried: {how}."))
        self._again(chunk, dict.fromkeys(_missing(chunk), f"{how[:1].upper()}{how[1:]}."))
        return self._started(slot)

    def _again(self, chunk: Chunk, failed: dict[int, str]) -> None:
        """Retry a chunk, or list its pairs as failed."""
        self._attempts[chunk.first] += 1
        if self._attempts[chunk.first] <= MOST_RETRIES:
            self._retries.append(chunk)
            return
        self._joining.failed |= failed
        list_failed(self.folder, self._joining.failed)
        self._hopeless += 1
        if self._hopeless == HOPELESS:
            index, reason = next(iter(failed.items()))
            raise PixCellError(
                f"{HOPELESS} chunks in a row failed {1 + MOST_RETRIES} times. The last, with pair "
                f"{index:,}: {reason}"
            )

    def _show(self) -> None:
        files = self._joining.files
        done = files.count + sum(worker.made for worker in self._workers if worker.chunk)
        made, total = done - self._before, len(files.done)
        words = f"{done:,} of {total:,} pairs, {counted(len(self._workers), 'worker')}"
        seconds = time.monotonic() - self._began
        if made and seconds > 0:
            rate = made / seconds
            words += f", {rate:.2g} pairs/s, {duration((total - done) / rate)} left"
        self._emit(Progress(done, total, words))

    def _report(self) -> None:
        files, failed = self._joining.files, self._joining.failed
        words = f"{files.count:,} of {len(files.done):,} pairs"
        self._emit(Progress(files.count, len(files.done), words))
        for note in files.notes:
            self._emit(Notice(note))
        if failed and files.count == self._before:
            index, reason = next(iter(failed.items()))
            raise PixCellError(
                f"No pair was made: {counted(len(failed), 'pair')} failed. The first, pair "
                f"{index:,}: {reason}"
            )


def _missing(chunk: Chunk) -> list[int]:
    return [index for index in range(chunk.first, chunk.stop) if index not in chunk.done]


def _first_of(chunk: Chunk, most: int) -> Chunk:
    """Return a chunk with at most this many missing pairs."""
    if chunk.missing <= most:
        return chunk
    stop = _missing(chunk)[most]
    return Chunk(chunk.first, stop, tuple(index for index in chunk.done if index < stop))
