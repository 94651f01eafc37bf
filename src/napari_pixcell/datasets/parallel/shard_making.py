"""One shard of a dataset in this process, for job arrays: no lock, no contact with other shards."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.parallel.chunk_making import ChunkMaker, MadeChunk
from napari_pixcell.datasets.parallel.chunks import Chunk, Shard, missing_chunks
from napari_pixcell.datasets.recipe.opening import open_for_making, prepare, warn_of_copies
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.recipe.runner import DatasetEngine, MakingCancelled, Run, Runner
from napari_pixcell.datasets.store.dataset import DESCRIPTION, Dataset
from napari_pixcell.datasets.store.lock import LockedElsewhere, locked
from napari_pixcell.datasets.store.pair_files import disk_problems
from napari_pixcell.datasets.store.parts import part_paths, readable_parts
from napari_pixcell.engine.events import Emit, Finished, Notice, Progress
from napari_pixcell.errors import PixCellError
from napari_pixcell.words import counted

WAIT = 3600.0  # seconds for another shard to prepare the dataset
POLL = 1.0  # seconds; file systems of clusters announce nothing
ATTEMPTS = 4  # at a chunk: the first, and three retries
HOPELESS = 3  # chunks without a new pair in a row; after that, every chunk would probably fail


def make_shard(
    request: DatasetRequest,
    shard: Shard,
    engine: DatasetEngine,
    emit: Emit,
    cancelled: Callable[[], bool] = lambda: False,
    wait: float = WAIT,
) -> dict[int, str]:
    """Make the missing pairs of a shard. Its parts wait for :func:`join_dataset`.

    The first shard prepares styles and layouts, and the others wait for it.

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
        Seconds to wait for another shard to prepare the dataset.

    Returns
    -------
    dict of int to str
        Reasons by the numbers of the pairs that could not be made.

    Raises
    ------
    PixCellError
        If the dataset cannot be prepared, the disk is full, or no pair could be made.
    """
    runner, failed = Runner(engine.run, cancelled), dict[int, str]()
    try:
        _prepared(request, engine, runner, emit, wait)
        failed = _Shard(Path(request.folder), shard, engine.run, emit, cancelled).run()
    except MakingCancelled:
        emit(Finished(cancelled=True))
    else:
        emit(Finished())
    return failed


def _prepared(
    request: DatasetRequest, engine: DatasetEngine, runner: Runner, emit: Emit, wait: float
) -> None:
    """Prepare the dataset, or wait until another shard has prepared it."""
    folder, until = Path(request.folder), time.monotonic() + wait
    while True:
        try:
            with disk_problems(folder):
                folder.mkdir(parents=True, exist_ok=True)
                if (folder / DESCRIPTION).exists():
                    dataset = open_for_making(request, runner.check, emit, engine.at_once)
                    if dataset.description.plan is not None:
                        warn_of_copies(dataset, emit)
                        return
                with locked(folder):
                    dataset = open_for_making(request, runner.check, emit, engine.at_once)
                    prepare(dataset, request, runner, emit)
                    return
        except LockedElsewhere as error:
            if time.monotonic() > until:
                raise PixCellError(
                    f"{folder.name} is not prepared yet. {error} Then run the shard again, or run "
                    "“napari-pixcell dataset prepare” before the shards."
                ) from error
        emit(Progress(0, 0, "Waiting for another process to prepare the dataset"))
        runner.check()
        time.sleep(min(POLL, max(wait, 0.01)))


class _Shard:
    def __init__(
        self, folder: Path, shard: Shard, run: Run, emit: Emit, cancelled: Callable[[], bool]
    ) -> None:
        self._dataset, self._shard, self._emit = Dataset(folder), shard, emit
        self._done = complete_pairs(self._dataset)
        self._maker = ChunkMaker(folder, run, emit, cancelled)
        self._made = self._total = 0
        self._failed: dict[int, str] = {}

    def run(self) -> dict[int, str]:
        chunks = list(missing_chunks(self._dataset, self._done, self._shard))
        self._total, in_a_row = sum(chunk.missing for chunk in chunks), 0
        for chunk in chunks:
            before = self._made
            for made in self._attempts(chunk):
                for note in made.notes:
                    self._emit(Notice(note))
            self._failed |= made.failed
            in_a_row = 0 if self._made > before else in_a_row + 1
            if in_a_row == HOPELESS:
                break
        if self._failed and (not self._made or in_a_row == HOPELESS):
            words = f"{counted(self._made, 'pair')} made" if self._made else "No pair was made"
            index, reason = next(reversed(self._failed.items()))
            raise PixCellError(
                f"{words}: {counted(len(self._failed), 'pair')} failed. The last, pair {index:,}: "
                f"{reason}"
            )
        for index, reason in self._failed.items():
            self._emit(Notice(f"Pair {index:,} failed: {reason}"))
        done = counted(self._made, "pair")
        self._emit(Progress(self._made, self._total, f"Shard {self._shard}: {done} made"))
        return self._failed

    def _attempts(self, chunk: Chunk) -> Iterator[MadeChunk]:
        for _ in range(ATTEMPTS):
            made = self._maker.make(chunk, self._on_pair)
            yield made
            if not made.failed:
                return

    def _on_pair(self) -> None:
        self._made += 1
        words = f"Shard {self._shard}: pair {self._made:,} of {self._total:,}"
        self._emit(Progress(self._made, self._total, words))


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
