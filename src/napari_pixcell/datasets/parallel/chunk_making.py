"""Makes a chunk of a dataset: the function that each worker and each shard runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from napari_pixcell.datasets.parallel.chunks import Chunk
from napari_pixcell.datasets.recipe.pair_making import FailedPair, MadePair, PairMaker
from napari_pixcell.datasets.recipe.runner import Run, Runner
from napari_pixcell.datasets.recipe.same_weights import check_installed
from napari_pixcell.datasets.store.chunk_files import ChunkFiles
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.pair_files import DiskProblem, disk_problems
from napari_pixcell.datasets.store.parts import SharedFacts
from napari_pixcell.datasets.store.plan import PlannedPair
from napari_pixcell.engine.events import Emit
from napari_pixcell.errors import PixCellError


@dataclass(frozen=True)
class MadeChunk:
    """What became of a chunk.

    Parameters
    ----------
    chunk : Chunk
    made : int
        Number of its pairs that are complete now and were not before.
    failed : dict of int to str
        Reasons by the numbers of the pairs that could not be made.
    notes : list of str
        What was repaired, in sentences.
    """

    chunk: Chunk
    made: int = 0
    failed: dict[int, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class ChunkMaker:
    """Makes chunks of a prepared dataset, beside other processes that make other chunks.

    Parameters
    ----------
    folder : Path
        Of the dataset.
    run : callable
        Runs requests like :meth:`napari_pixcell.engine.engine.Engine.run`.
    emit : callable
        Receives ``Progress`` while models are loaded.
    cancelled : callable
        Called between steps.

    Raises
    ------
    PixCellError
        If the dataset is not prepared, or other weights are installed than those it was begun with.
    """

    def __init__(
        self,
        folder: Path,
        run: Run,
        emit: Emit = lambda event: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        self._dataset = Dataset(folder)
        self._plan = self._dataset.plan
        check_installed(self._dataset)
        self._maker = PairMaker(self._dataset, Runner(run, cancelled), emit)

    def make(self, chunk: Chunk, on_pair: Callable[[], None] = lambda: None) -> MadeChunk:
        """Make the missing pairs of a chunk, write their files, and then their rows as a part.

        A pair that fails does not end the work. A chunk may be made again: what is complete on disk
        is not generated again.

        Parameters
        ----------
        chunk : Chunk
        on_pair : callable
            Called after each pair that was made.

        Raises
        ------
        DiskProblem
            If the disk is full or not writable.
        OtherWeights
            If the weights are not those of the dataset.
        MakingCancelled
            If the user cancelled.
        """
        with disk_problems(self._dataset.folder):
            files = ChunkFiles(self._dataset, chunk.first, chunk.stop)
            before = files.count
            for index in range(chunk.first, chunk.stop):
                if index in chunk.done or files.done[index]:
                    continue
                found = self._written(self._made(self._plan[index], files), files)
                if isinstance(found, FailedPair):
                    files.failed[index] = str(found.error)
                else:
                    files.facts = files.facts or self._facts(found)
                    on_pair()
            files.finish()
        return MadeChunk(chunk, files.count - before, files.failed, files.notes)

    def _made(self, pair: PlannedPair, files: ChunkFiles) -> MadePair | FailedPair:
        try:
            found = files.recover(pair, *self._maker.inputs(pair))
        except PixCellError as error:
            return FailedPair(pair, error)
        return self._maker.judge(pair, [found]) if found else self._maker.make([pair])[0]

    @staticmethod
    def _written(made: MadePair | FailedPair, files: ChunkFiles) -> MadePair | FailedPair:
        if isinstance(made, FailedPair):
            return made
        try:
            made.write(files)
        except DiskProblem:
            raise
        except PixCellError as error:
            return FailedPair(made.pair, error)
        return made

    def _facts(self, made: MadePair) -> SharedFacts:
        shared = self._maker.shared(made)
        limit = shared.pop("checks").most_copy_pixels
        return SharedFacts(**shared, most_copy_pixels=limit)
