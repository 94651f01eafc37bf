"""The chunks of a dataset that is made by workers: which to make next, retries, and progress."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Mapping

from napari_pixcell.datasets.parallel.chunks import Chunk, chunk_size, missing_chunks
from napari_pixcell.datasets.parallel.joining import (
    JoinedDataset,
    Joining,
    failed_sentence,
    list_failed,
)
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.pair_files import DiskProblem
from napari_pixcell.datasets.store.parts import part_path
from napari_pixcell.engine.events import Emit, Notice, Progress
from napari_pixcell.errors import PixCellError
from napari_pixcell.words import counted, pace

MOST_RETRIES = 3  # of a chunk
HOPELESS = 3  # chunks given up without a new pair; after that, every chunk would probably fail


class ChunkQueue:
    """Hands out the chunks of a dataset, joins what was made, and retries what failed.

    Parameters
    ----------
    dataset : Dataset
        Prepared, and locked by the caller.
    most : int or None
        Number of missing pairs to make; None for all.
    emit : callable
        Receives ``Progress`` in pairs, and ``Notice`` of failures.
    """

    def __init__(self, dataset: Dataset, most: int | None, emit: Emit) -> None:
        self._folder, self._most, self._emit = dataset.folder, most, emit
        self._left = most  # to hand out
        self._joining = joining = Joining(dataset)
        joining.add_all()
        joining.failed.clear()  # all of them are tried again
        list_failed(dataset.folder, joining.failed)
        self._files = joining.files
        self._chunks = missing_chunks(dataset, self._files.done)
        self._following: Chunk | None = None  # the next one, once it was looked at
        self._retries: deque[Chunk] = deque()
        self._attempts: Counter[int] = Counter()
        self._hopeless, self._before = 0, self._files.count
        self._began = time.monotonic()

    @property
    def finished(self) -> bool:
        """Whether nothing is left, once the chunks in work are made."""
        return self.empty

    def look(self) -> None:
        """Do nothing: no other process makes chunks."""

    @property
    def empty(self) -> bool:
        """Whether no chunk waits."""
        if self._following is None and not self._retries:
            self._following = self._taken()
        return self._following is None and not self._retries

    @property
    def needed(self) -> int:
        """Number of workers that have or would have a chunk now."""
        done, count = self._files.done, self._files.count
        missing = len(done) - count - sum(not done[index] for index in self._joining.failed)
        if self._most is not None:
            missing = min(missing, self._before + self._most - count)
        return len(self._retries) + max(0, -(-missing // chunk_size(self._joining.dataset)))

    def next(self) -> Chunk | None:
        """Return the next chunk to make, or None if none waits."""
        if self._retries:
            return self._retries.popleft()
        chunk, self._following = self._following or self._taken(), None
        return chunk

    def _taken(self) -> Chunk | None:
        if self._left == 0:
            return None
        chunk = next(self._chunks, None)
        if chunk is None or self._left is None:
            return chunk
        chunk = _first_of(chunk, self._left)
        self._left -= chunk.missing
        return chunk

    def made(self, chunk: Chunk, failed: Mapping[int, str], notes: list[str]) -> None:
        """Join a chunk that a worker has made; retry it if some of its pairs failed."""
        before = self._files.count
        self._joining.add(part_path(self._folder, chunk.first))
        if self._files.count > before:
            self._hopeless = 0
        for note in notes:
            self._emit(Notice(note))
        if failed:
            done = (i for i in range(chunk.first, chunk.stop) if self._files.done[i])
            self._again(Chunk(chunk.first, chunk.stop, tuple(done)), failed)

    def failed(self, chunk: Chunk, reason: str, of_disk: bool = False) -> None:
        """Retry a chunk that failed as a whole, or list its pairs as failed.

        Raises
        ------
        DiskProblem
            If the disk was full or not writable at every attempt.
        PixCellError
            If so many chunks failed that every chunk would probably fail.
        """
        if of_disk and self._attempts[chunk.first] == MOST_RETRIES:
            raise DiskProblem(reason)
        self._again(chunk, dict.fromkeys(_missing(chunk), reason))

    def lost(self, chunk: Chunk, how: str) -> None:
        """Retry a chunk whose worker has ended; ``how`` continues a sentence."""
        self._emit(Notice(f"Pairs {chunk.first:,} to {chunk.stop - 1:,} are retried: {how}."))
        self.failed(chunk, f"{how[:1].upper()}{how[1:]}.")

    def _again(self, chunk: Chunk, failed: Mapping[int, str]) -> None:
        self._attempts[chunk.first] += 1
        if self._attempts[chunk.first] <= MOST_RETRIES:
            self._retries.append(chunk)
            return
        self._joining.failed |= failed
        list_failed(self._folder, self._joining.failed)
        self._hopeless += 1
        if self._hopeless == HOPELESS:
            index, reason = next(iter(failed.items()))
            raise PixCellError(
                f"{HOPELESS} chunks in a row failed {1 + MOST_RETRIES} times. The last, with pair "
                f"{index:,}: {reason}"
            )

    def show(self, workers: int, in_work: int = 0) -> None:
        """Report the progress, with the pairs of unfinished chunks that are made already."""
        done, total = self._files.count + in_work, len(self._files.done)
        made = done - self._before
        words = f"{done:,} of {total:,} pairs, {counted(workers, 'worker')}"
        speed = pace(made, total - done, time.monotonic() - self._began)
        self._emit(Progress(done, total, ", ".join(filter(None, (words, speed)))))

    def finish(self) -> JoinedDataset:
        """Join all parts and sort the manifest."""
        self._joining.add_all()
        return self._joining.finish()

    def report(self) -> None:
        """Report the end.

        Raises
        ------
        PixCellError
            If pairs failed and none was made.
        """
        files, failed = self._files, self._joining.failed
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
        if failed:
            self._emit(Notice(failed_sentence(len(failed))))


def _missing(chunk: Chunk) -> list[int]:
    return [index for index in range(chunk.first, chunk.stop) if index not in chunk.done]


def _first_of(chunk: Chunk, most: int) -> Chunk:
    """Return a chunk with at most this many missing pairs."""
    if chunk.missing <= most:
        return chunk
    stop = _missing(chunk)[most]
    return Chunk(chunk.first, stop, tuple(index for index in chunk.done if index < stop))
