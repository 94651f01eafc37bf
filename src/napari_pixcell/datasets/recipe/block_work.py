"""Makes missing pairs block by block: read back or generate, check, write."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

from napari_pixcell.datasets.recipe.blocks import Block, blocks_of
from napari_pixcell.datasets.recipe.overlapping import overlapped
from napari_pixcell.datasets.recipe.pair_making import (
    FailedPair,
    GeneratedPair,
    MadePair,
    PairMaker,
)
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.pair_files import DiskProblem, PairFiles
from napari_pixcell.datasets.store.plan import PlannedPair
from napari_pixcell.errors import PixCellError


class BlockWork:
    """Makes the missing pairs of a dataset, and writes one block while the next is generated.

    Parameters
    ----------
    dataset : Dataset
        Its styles and layouts are complete.
    maker : PairMaker
    files : PairFiles
        Writes the pairs.
    check : callable
        Called before each block. An exception ends the work.
    on_made : callable
        Called with each pair once it is written, in the thread that writes.
    """

    def __init__(
        self,
        dataset: Dataset,
        maker: PairMaker,
        files: PairFiles,
        check: Callable[[], None],
        on_made: Callable[[MadePair], None],
    ) -> None:
        self._dataset, self._maker, self._files = dataset, maker, files
        self._check, self._on_made = check, on_made

    def made(
        self, wanted: Iterable[int], on_block: Callable[[int], None] = lambda pairs: None
    ) -> Generator[list[MadePair | FailedPair]]:
        """Iterate over the finished blocks that hold pairs. Close it before its end to stop.

        Parameters
        ----------
        wanted : iterable of int
            Numbers of pairs, ascending.
        on_block : callable
            Called with the number of pairs that are to be made in a block, before it is begun.

        Raises
        ------
        DiskProblem
            If the disk is full or not writable.
        MakingCancelled
            If the user cancelled.
        OtherWeights
            If the weights are not those of the dataset.
        """
        yield from overlapped(self._generated(wanted, on_block), self._finished)

    def _generated(
        self, wanted: Iterable[int], on_block: Callable[[int], None]
    ) -> Iterator[list[GeneratedPair | FailedPair]]:
        """Generate pairs, block by block. Those that lack only their row are read back."""
        for block in blocks_of(self._dataset.plan, wanted, self._dataset.description.block):
            self._check()
            on_block(len(block.wanted))
            kept = [pair for pair in block.pairs if pair.index in block.wanted]
            found = {pair.index: self._recovered(pair) for pair in kept}
            rest = Block(block.pairs, frozenset(i for i, one in found.items() if one is None))
            generated = self._maker.generate(rest) if rest.wanted else []
            made = {one.pair.index: one for one in generated}
            yield [found[pair.index] or made[pair.index] for pair in kept]

    def _recovered(self, pair: PlannedPair) -> GeneratedPair | FailedPair | None:
        try:
            found = self._files.recover(pair, *self._maker.inputs(pair))
        except PixCellError as error:
            return FailedPair(pair, error)
        return self._maker.recovered(pair, [found]) if found else None

    def _finished(
        self, generated: Sequence[GeneratedPair | FailedPair]
    ) -> list[MadePair | FailedPair]:
        """Check and write pairs."""
        return [self._written(one) for one in self._maker.judge(generated)]

    def _written(self, made: MadePair | FailedPair) -> MadePair | FailedPair:
        if isinstance(made, FailedPair):
            return made
        try:
            made.write(self._files)
        except DiskProblem:
            raise
        except PixCellError as error:
            return FailedPair(made.pair, error)
        self._on_made(made)
        return made
