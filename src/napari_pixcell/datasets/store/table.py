"""All pairs of a dataset as numeric columns, to sort, filter and count without their files."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.store.checks import FLAGS, SCORES
from napari_pixcell.datasets.store.dataset import MANIFEST, Dataset
from napari_pixcell.datasets.store.parsing import MOST_ROWS
from napari_pixcell.datasets.store.rows import JsonRow
from napari_pixcell.errors import PixCellError

FIRST_CAPACITY = 1024


class PairTable:
    """The pairs of a dataset in columns of about 60 bytes per pair.

    Parameters
    ----------
    dataset : Dataset
        Read row by row; :meth:`refresh` adds the pairs that were written later.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._numbers = np.zeros((0, 4), np.int32)
        self._scores = np.zeros((0, len(SCORES)), np.float32)
        self._flags = np.zeros((0, len(FLAGS)), bool)
        self._offsets = np.zeros(0, np.int64)
        self._count = 0
        self._last_offset = -1
        self._seen = bytearray(MOST_ROWS + 1)
        self.refresh()

    def refresh(self) -> int:
        """Read the rows that are new, and return the number of all.

        If the manifest was written anew since, because its rows were sorted, all are read.
        """
        if self._count and not self._is_where(self._count - 1):
            self._count, self._last_offset = 0, -1
            self._seen = bytearray(MOST_ROWS + 1)
        start = max(0, self._last_offset)  # the last row again
        for offset, row in self._dataset.offsets(MANIFEST, start):
            if offset > self._last_offset and not self._seen[row["index"]]:
                self._add(offset, row)
                self._seen[row["index"]] = True
                self._last_offset = offset
        return self._count

    def __len__(self) -> int:
        return self._count

    @property
    def index(self) -> NDArray[np.int32]:
        """Numbers of the pairs: int32, (pairs,)."""
        return self._numbers[: self._count, 0]

    @property
    def style(self) -> NDArray[np.int32]:
        """Numbers of their styles: int32, (pairs,)."""
        return self._numbers[: self._count, 1]

    @property
    def layout(self) -> NDArray[np.int32]:
        """Numbers of their layouts: int32, (pairs,); -1 without one."""
        return self._numbers[: self._count, 2]

    @property
    def cells(self) -> NDArray[np.int32]:
        """Numbers of cells in their masks: int32, (pairs,); -1 without a mask."""
        return self._numbers[: self._count, 3]

    @property
    def scores(self) -> NDArray[np.float32]:
        """All scores: float32, (pairs, scores), in the order of SCORES; NaN if not applicable."""
        return self._scores[: self._count]

    @property
    def flags(self) -> NDArray[np.bool_]:
        """All flags: bool, (pairs, flags), in the order of FLAGS."""
        return self._flags[: self._count]

    @property
    def flagged(self) -> NDArray[np.bool_]:
        """Whether each pair has a flag: bool, (pairs,)."""
        return np.asarray(self.flags.any(axis=1))

    def score(self, name: str) -> NDArray[np.float32]:
        """Return one score of all pairs."""
        return self.scores[:, list(SCORES).index(name)]

    def flag(self, name: str) -> NDArray[np.bool_]:
        """Return one flag of all pairs."""
        return self.flags[:, list(FLAGS).index(name)]

    def row(self, position: int) -> JsonRow:
        """Read the whole row of the pair at a position of the columns.

        Raises
        ------
        PixCellError
            If the manifest was changed since :meth:`refresh`.
        """
        row = self._dataset.row_at(MANIFEST, int(self._offsets[position]))
        if row["index"] != self.index[position]:
            raise PixCellError(f"{MANIFEST} was changed meanwhile. Open the dataset again.")
        return row

    def _is_where(self, position: int) -> bool:
        try:
            self.row(position)
        except PixCellError:
            return False
        return True

    def _add(self, offset: int, row: JsonRow) -> None:
        if self._count == len(self._offsets):
            capacity = max(FIRST_CAPACITY, 2 * self._count)
            for name in ("_numbers", "_scores", "_flags", "_offsets"):
                setattr(self, name, _longer(getattr(self, name), capacity))
        at = self._count
        numbers = (row["index"], row["style"], row["layout"], row["cells"])
        self._numbers[at] = [-1 if number is None else number for number in numbers]
        scores = (row["scores"].get(name) for name in SCORES)
        self._scores[at] = [np.nan if score is None else score for score in scores]
        self._flags[at] = [name in row["flags"] for name in FLAGS]
        self._offsets[at] = offset
        self._count += 1


def _longer(array: NDArray[Any], length: int) -> NDArray[Any]:
    grown = np.zeros((length, *array.shape[1:]), array.dtype)
    grown[: len(array)] = array
    return grown
