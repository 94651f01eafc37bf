"""The only worker of a queue of chunks: the process itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from napari_pixcell.datasets.parallel.chunk_making import ChunkMaker
from napari_pixcell.datasets.parallel.crew import POLL, WorkQueue
from napari_pixcell.datasets.preparation.making import PreparationMaker
from napari_pixcell.datasets.preparation.parts import PreparationChunk
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
from napari_pixcell.datasets.recipe.runner import DatasetEngine, Runner
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.pair_files import DiskProblem, disk_problems
from napari_pixcell.engine.events import Emit
from napari_pixcell.errors import PixCellError


class SoloCrew:
    """Makes chunks in this process, one after another.

    Parameters
    ----------
    folder : Path
        Of the dataset.
    engine : DatasetEngine
    emit : callable
        Receives ``Progress`` while models are loaded.
    cancelled : callable
        Called between steps.

    Attributes
    ----------
    recipe : DatasetRecipe or None
        For the preparation.
    """

    def __init__(
        self, folder: Path, engine: DatasetEngine, emit: Emit, cancelled: Callable[[], bool]
    ) -> None:
        self.recipe: DatasetRecipe | None = None
        self._folder, self._engine, self._emit = folder, engine, emit
        self._cancelled, self._runner = cancelled, Runner(engine.run, cancelled)
        self._preparer: PreparationMaker | None = None
        self._maker: ChunkMaker | None = None

    def close(self) -> None:
        """Close what was opened for the preparation."""
        if self._preparer is not None:
            self._preparer.close()
            self._preparer = None

    def at_once(self, family: str) -> int:
        """Return how many pairs of a new dataset are generated together."""
        return self._engine.at_once(family)

    def work(self, queue: WorkQueue) -> None:
        """Make all chunks of a queue.

        Raises
        ------
        MakingCancelled
            If the user cancelled.
        PixCellError
            If no chunk can be made.
        """
        while True:
            self._runner.check()
            chunk = queue.next()
            if chunk is not None:
                self._make(queue, chunk)
            elif queue.finished:
                return
            else:
                time.sleep(POLL)
                queue.look()

    def _make(self, queue: WorkQueue, chunk: object) -> None:
        done = 0

        def on_item() -> None:
            nonlocal done
            done += 1
            queue.show(1, done)

        if not isinstance(chunk, PreparationChunk):
            made = self._pairs().make(chunk, on_item)  # type: ignore[arg-type]
            queue.made(chunk, made.failed, made.notes)
            return
        queue.show(1, 0)
        try:
            with disk_problems(self._folder):
                self._preparing().make(chunk, on_item)
        except PixCellError as error:
            queue.failed(chunk, str(error), of_disk=isinstance(error, DiskProblem))
        else:
            queue.made(chunk, {}, [])

    def _preparing(self) -> PreparationMaker:
        if self._preparer is None:
            assert self.recipe is not None
            self._preparer = PreparationMaker(
                Dataset(self._folder), self.recipe, self._runner.run, self._runner.check
            )
        return self._preparer

    def _pairs(self) -> ChunkMaker:
        if self._maker is None:
            self.close()
            self._maker = ChunkMaker(self._folder, self._engine.run, self._emit, self._cancelled)
        return self._maker
