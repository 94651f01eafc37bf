"""The chunks of a shard: which to make next, retries, and what failed."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.parallel.chunk_queue import MOST_RETRIES
from napari_pixcell.datasets.parallel.chunks import Chunk, Shard, missing_chunks
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.pair_files import DiskProblem
from napari_pixcell.datasets.store.parts import part_paths, readable_parts
from napari_pixcell.engine.events import Emit, Notice, Progress
from napari_pixcell.errors import PixCellError
from napari_pixcell.words import counted

HOPELESS = 3  # chunks without a new pair in a row; after that, every chunk would probably fail


class ShardQueue:
    """Hands out the missing chunks of a shard. Their parts wait for ``dataset join``.

    Parameters
    ----------
    dataset : Dataset
        Prepared. It is not locked.
    shard : Shard
    emit : callable
        Receives ``Progress`` in pairs of the shard, and ``Notice`` of failures.
    """

    def __init__(self, dataset: Dataset, shard: Shard, emit: Emit) -> None:
        self._shard, self._emit = shard, emit
        self._waiting = deque(missing_chunks(dataset, complete_pairs(dataset), shard))
        self._total = sum(chunk.missing for chunk in self._waiting)
        self._made: dict[int, int] = {}  # pairs by the first of their chunk
        self._attempts: Counter[int] = Counter()
        self._failed: dict[int, str] = {}
        self._in_a_row = 0

    @property
    def finished(self) -> bool:
        """Whether nothing is left, once the chunks in work are made."""
        return not self._waiting

    def look(self) -> None:
        """Do nothing: no other process makes chunks of this shard."""

    def next(self) -> Chunk | None:
        """Return the next chunk to make, or None if none waits."""
        return self._waiting.popleft() if self._waiting else None

    def made(self, chunk: Chunk, failed: Mapping[int, str], notes: list[str]) -> None:
        """Count a chunk whose part is there; retry it if some of its pairs failed.

        Raises
        ------
        PixCellError
            If so many chunks failed that every chunk would probably fail.
        """
        for note in notes:
            self._emit(Notice(note))
        before, now = self._made.get(chunk.first, 0), chunk.missing - len(failed)
        self._made[chunk.first] = now
        if now > before:
            self._in_a_row = 0
        if failed:
            self._again(chunk, failed)

    def failed(self, chunk: Chunk, reason: str, of_disk: bool = False) -> None:
        """Retry a chunk that failed as a whole.

        Raises
        ------
        DiskProblem
            If the disk was full or not writable at every attempt.
        PixCellError
            As :meth:`made`.
        """
        if of_disk and self._attempts[chunk.first] == MOST_RETRIES:
            raise DiskProblem(reason)
        missing = (index for index in range(chunk.first, chunk.stop) if index not in chunk.done)
        self._again(chunk, dict.fromkeys(missing, reason))

    def lost(self, chunk: Chunk, how: str) -> None:
        """Retry a chunk whose worker has ended; ``how`` continues a sentence."""
        self._emit(Notice(f"Pairs {chunk.first:,} to {chunk.stop - 1:,} are retried: {how}."))
        self.failed(chunk, f"{how[:1].upper()}{how[1:]}.")

    def _again(self, chunk: Chunk, failed: Mapping[int, str]) -> None:
        self._attempts[chunk.first] += 1
        if self._attempts[chunk.first] <= MOST_RETRIES:
            self._waiting.appendleft(chunk)
            return
        self._failed |= failed
        self._in_a_row += not self._made.get(chunk.first)
        if self._in_a_row == HOPELESS:
            self._raise()

    def _raise(self) -> None:
        made = sum(self._made.values())
        words = f"{counted(made, 'pair')} made" if made else "No pair was made"
        index, reason = next(reversed(self._failed.items()))
        raise PixCellError(
            f"{words}: {counted(len(self._failed), 'pair')} failed. The last, pair {index:,}: "
            f"{reason}"
        )

    def show(self, workers: int, in_work: int = 0) -> None:
        """Report the progress, with the pairs of unfinished chunks that are made already."""
        done = sum(self._made.values()) + in_work
        words = f"Shard {self._shard}: {done:,} of {counted(self._total, 'pair')}"
        if workers > 1:
            words += f", {counted(workers, 'worker')}"
        self._emit(Progress(done, self._total, words))

    def finish(self) -> dict[int, str]:
        """Report the end, and return the reasons of the pairs that failed by their numbers.

        Raises
        ------
        PixCellError
            If pairs failed and none was made.
        """
        made = sum(self._made.values())
        if self._failed and not made:
            self._raise()
        for index, reason in self._failed.items():
            self._emit(Notice(f"Pair {index:,} failed: {reason}"))
        if self._failed:
            failed = counted(len(self._failed), "pair")
            self._emit(Notice(f"{failed} of the shard failed. Run the shard again to retry."))
        words = f"Shard {self._shard}: {counted(made, 'pair')} made"
        self._emit(Progress(made, self._total, words))
        return self._failed


def complete_pairs(dataset: Dataset) -> NDArray[np.bool_]:
    """Return True for the pairs of a dataset that are complete, joined or not: bool, (pairs,)."""
    done = np.zeros(len(dataset.plan), bool)
    rows = (row for part in readable_parts(part_paths(dataset.folder)) for row in part.rows)
    for row in rows:
        if row["index"] < len(done):
            done[row["index"]] = True
    for row in dataset.rows():  # last, because parts may be joined meanwhile
        done[row["index"]] = True
    return done
