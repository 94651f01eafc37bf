"""Writes a few consecutive pairs of a dataset, and then their rows as a part."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.pair_files import PairFiles
from napari_pixcell.datasets.store.parts import DatasetPart, SharedFacts, part_path, readable_parts
from napari_pixcell.datasets.store.rows import JsonRow
from napari_pixcell.files import sync_files


class ChunkFiles(PairFiles):
    """Writes consecutive pairs of a dataset beside other processes, without its lock.

    Files are forced to disk together in :meth:`finish`, before their rows.

    Parameters
    ----------
    dataset : Dataset
    first, stop : int
        Numbers of the first pair, and after the last.

    Attributes
    ----------
    done : array, bool, (pairs,)
        True for the pairs that an earlier part of the same pairs holds.
    failed : dict of int to str
        Reasons by the numbers of the pairs that could not be made.
    """

    _sync = False

    def __init__(self, dataset: Dataset, first: int, stop: int) -> None:
        self._part = DatasetPart(first, stop)
        self._written: list[Path] = []
        self.facts: SharedFacts | None = None
        self.failed: dict[int, str] = {}
        super().__init__(dataset)

    def _open(self) -> None:
        folder, own = self.dataset.folder, self._part
        for earlier in readable_parts([part_path(folder, own.first)]):
            if earlier.stop <= own.stop:  # a run may have asked for fewer pairs
                self.facts = earlier.facts
                own.embeddings.extend(earlier.embeddings)
                own.rows.extend(earlier.rows)
                for row in earlier.rows:
                    self._mark(row["index"])

    def keep(self, rows: Sequence[JsonRow], embeddings: Sequence[JsonRow]) -> None:
        """Keep rows for the part."""
        self._part.rows.extend(rows)
        self._part.embeddings.extend(embeddings)
        for row in rows:
            self._mark(row["index"])
            self._written += [self.dataset.folder / name for name in row["files"]]

    def finish(self) -> None:
        """Write the part.

        Raises
        ------
        OSError
            If the disk is full or fails; there is no new part then.
        """
        sync_files(self._written, self.dataset.folder)
        own = self._part
        rows = sorted(own.rows, key=lambda row: int(row["index"]))
        part = DatasetPart(own.first, own.stop, self.facts, rows, own.embeddings, self.failed)
        part.write(self.dataset.folder)
