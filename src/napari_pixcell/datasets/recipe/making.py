"""Makes the pairs of a dataset: generate, check, write. It can be interrupted and resumed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path

import numpy as np

from napari_pixcell.datasets.parallel.joining import (
    end_sharing,
    failed_sentence,
    joined_files,
    list_failed,
)
from napari_pixcell.datasets.recipe.block_work import BlockWork
from napari_pixcell.datasets.recipe.opening import nothing_refused, open_for_making, prepare
from napari_pixcell.datasets.recipe.pair_making import FailedPair, MadePair, PairMaker
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.recipe.runner import MakingCancelled, Run, Runner
from napari_pixcell.datasets.recipe.same_weights import check_installed, installed_weights
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.embeddings import keep_embedding, mend_embeddings
from napari_pixcell.datasets.store.lock import locked
from napari_pixcell.datasets.store.pair_files import disk_problems
from napari_pixcell.engine.events import Emit, Finished, Notice, Progress
from napari_pixcell.errors import PixCellError
from napari_pixcell.words import counted

MOST_FAILURES = 3  # in a row; after that, every pair would probably fail
NOT_COMPARED = (
    "Pairs were not compared with their styles, because the encoder is not installed. Their other "
    "checks were made."
)
OTHER_ENCODER = (
    "Earlier pictures were not embedded: the encoder has other weights than the one the dataset "
    "was made with. Install those to compare the pictures with the real tissue."
)


def make_dataset(
    request: DatasetRequest,
    run: Run,
    emit: Emit,
    cancelled: Callable[[], bool] = lambda: False,
    block: Callable[[str], int] = lambda family: 1,
) -> int:
    """Make the missing pairs of a dataset.

    Parameters
    ----------
    request : DatasetRequest
        Saved styles that its recipe names are looked up in the library.
    run : callable
        Runs requests like :meth:`napari_pixcell.engine.engine.Engine.run`.
    emit : callable
        Receives ``Progress`` in pairs, ``Notice`` of failures, and ``Finished`` at the end.
    cancelled : callable
        Called between steps; complete pairs are kept.
    block : callable
        Returns for a family how many pairs of a new dataset are generated together, see
        :meth:`napari_pixcell.engine.engine.Engine.at_once`. A dataset keeps what it began with.

    Returns
    -------
    int
        Number of pairs that failed; ``failed.jsonl`` lists them.

    Raises
    ------
    PixCellError
        If the recipe cannot be followed, the disk is full, or another process is working on the
        dataset.
    """
    folder = Path(request.folder)
    runner, failed = Runner(run, cancelled), 0
    try:
        with nothing_refused(folder):
            dataset = open_for_making(request, emit, block)
            with disk_problems(folder), locked(folder):
                prepare(dataset, request, runner, emit)
                failed = _Making(dataset, runner, emit).run(request.most)
    except MakingCancelled:
        emit(Finished(cancelled=True))
    else:
        emit(Finished())
    return failed


class _Tally:
    """Counts the pairs made and failed in this run."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self.made = self._in_a_row = 0
        self.failed: dict[int, str] = {}  # reasons by the numbers of the pairs
        self._first: PixCellError | None = None

    @property
    def hopeless(self) -> bool:
        """Whether so many pairs failed in a row that every pair would probably fail."""
        return self._in_a_row >= MOST_FAILURES

    def add(self, block: Sequence[MadePair | FailedPair]) -> None:
        """Count the pairs of a block.

        Raises
        ------
        PixCellError
            If too many failed in a row, after others were made.
        """
        for one in block:
            if isinstance(one, MadePair):
                self._in_a_row, self.made = 0, self.made + 1
                continue
            error = one.error
            self.failed[one.pair.index] = str(error)
            self._in_a_row, self._first = self._in_a_row + 1, self._first or error
            if self.hopeless and self.made:
                raise PixCellError(
                    f"{MOST_FAILURES} pairs in a row failed, after "
                    f"{counted(self.made, 'new pair')}. The last: {error}"
                ) from error
            if self.hopeless:
                return
            self._emit(Notice(f"Pair {one.pair.index:,} failed: {error}"))

    def end(self) -> None:
        """Report the failures; raise PixCellError if no pair was made."""
        if self._first is not None and not self.made:
            raise PixCellError(
                f"No pair was made: {counted(len(self.failed), 'pair')} failed. The first: "
                f"{self._first}"
            ) from self._first
        if self.failed:
            self._emit(Notice(failed_sentence(len(self.failed))))


class _Making:
    """Makes and writes the missing pairs of a prepared dataset."""

    def __init__(self, dataset: Dataset, runner: Runner, emit: Emit) -> None:
        self._dataset, self._runner, self._emit = dataset, runner, emit
        self._files = joined_files(dataset)
        self._maker = PairMaker(dataset, runner, emit)
        self._work = BlockWork(dataset, self._maker, self._files, runner.check, self._describe)

    def run(self, most: int | None) -> int:
        """Make all missing pairs, or the first of them, and return how many failed."""
        total = len(self._files.done)
        if not self._files.done.all():
            check_installed(self._dataset)
        tally = _Tally(self._emit)
        list_failed(self._dataset.folder, tally.failed)  # those of an earlier run are tried again
        try:
            self._make_missing(most, tally)
        finally:
            list_failed(self._dataset.folder, tally.failed)
        if most is None:
            self._embed_others()
        done = self._files.count
        self._emit(Progress(done, total, f"{done:,} of {total:,} pairs"))
        if self._maker.outcome is not None:
            self._emit(Notice(f"{self._maker.outcome.sentence()}."))
        for note in self._files.notes:
            self._emit(Notice(note))
        if not self._maker.checker.embeds:
            self._emit(Notice(NOT_COMPARED))
        if done == total:
            end_sharing(self._dataset.folder)
        tally.end()
        return len(tally.failed)

    def _make_missing(self, most: int | None, tally: _Tally) -> None:
        missing, begun = np.flatnonzero(~self._files.done), 0
        while begun < len(missing) and not tally.hopeless and tally.made != most:
            count = len(missing) if most is None else most - tally.made  # again for what failed
            wanted = missing[begun : begun + count]
            begun += len(wanted)
            self._begun = self._files.count
            with closing(self._work.made(map(int, wanted), self._show)) as finished:
                for made in finished:
                    tally.add(made)
                    if tally.hopeless:
                        break

    def _show(self, pairs: int) -> None:
        """Report that a block with this number of missing pairs is begun."""
        total, first = len(self._files.done), self._begun + 1
        self._begun += pairs
        words = f"Pair {first:,}" if pairs == 1 else f"Pairs {first:,} to {self._begun:,}"
        self._emit(Progress(first - 1, total, f"{words} of {total:,}"))

    def _describe(self, made: MadePair) -> None:
        """Store what all pairs share, once the first is made."""
        if not self._dataset.description.device:
            self._dataset.describe(**self._maker.shared(made))

    def _embed_others(self) -> None:
        """Embed the pictures that an earlier version made, or whose embedding was lost."""
        dataset, done = self._dataset, self._files.done
        if self._maker.checker.real is None:  # nothing to compare them with
            return
        kept = mend_embeddings(dataset.folder, len(done))
        missing, embedded = int(np.count_nonzero(done & ~kept.known)), 0
        if missing and not self._encoder_is_unchanged():
            self._emit(Notice(OTHER_ENCODER))
            return
        for row in dataset.rows() if missing else ():
            if kept.known[row["index"]]:
                continue
            self._runner.check()
            embedded += 1
            message = f"Embedding picture {embedded:,} of {missing:,}"
            self._emit(Progress(self._files.count, len(done), message))
            with suppress(PixCellError):  # a damaged image, which “dataset check” reports
                values = self._maker.checker.embed(dataset.image(row))
                keep_embedding(dataset.folder, row["index"], values)

    def _encoder_is_unchanged(self) -> bool:
        known = self._dataset.description.weights.get("encoder")
        return known in (None, installed_weights(self._dataset, "encoder").get("encoder", known))
