"""Makes a chunk of a dataset: the function that each worker and each shard runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from napari_pixcell.datasets.parallel.chunks import Chunk
from napari_pixcell.datasets.recipe.block_work import BlockWork
from napari_pixcell.datasets.recipe.pair_making import FailedPair, MadePair, PairMaker
from napari_pixcell.datasets.recipe.runner import Run, Runner
from napari_pixcell.datasets.recipe.same_weights import check_installed
from napari_pixcell.datasets.store.chunk_files import ChunkFiles
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.pair_files import disk_problems
from napari_pixcell.datasets.store.parts import PARTS, SharedFacts
from napari_pixcell.engine.events import Emit


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
        check_installed(self._dataset)
        (folder / PARTS).mkdir(exist_ok=True)  # shows others that they are not alone
        self._runner = Runner(run, cancelled)
        self._maker = PairMaker(self._dataset, self._runner, emit)

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
        dataset = self._dataset
        with disk_problems(dataset.folder):
            files = ChunkFiles(dataset, chunk.first, chunk.stop)
            before = files.count

            def keep_facts(made: MadePair) -> None:
                files.facts = files.facts or self._facts(made)

            work = BlockWork(dataset, self._maker, files, self._runner.check, keep_facts)
            wanted = range(chunk.first, chunk.stop)
            missing = [i for i in wanted if i not in chunk.done and not files.done[i]]
            with closing(work.made(missing)) as finished:
                for made in (one for block in finished for one in block):
                    if isinstance(made, FailedPair):
                        files.failed[made.pair.index] = str(made.error)
                    else:
                        on_pair()
            files.finish()
        return MadeChunk(chunk, files.count - before, files.failed, files.notes)

    def _facts(self, made: MadePair) -> SharedFacts:
        shared = self._maker.shared(made)
        limit = shared.pop("checks").most_copy_pixels
        return SharedFacts(**shared, most_copy_pixels=limit)
