"""All pairs of a dataset as columns of numbers, to sort, filter and count without their files."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.checks import FLAGS, SCORES
from napari_pixcell.datasets.store.dataset import MANIFEST, Dataset
from napari_pixcell.datasets.store.rows import Row, read_places, row_at

FIRST_ROOM = 1024


class PairTable:
    """The pairs of a dataset in columns; a pair takes about 60 bytes.

    Parameters
    ----------
    dataset : Dataset
        Read row by row; what is added to it later comes with :meth:`refresh`.

    Attributes
    ----------
    index, style, layout, cells : array, int32, (pairs,)
        Numbers; -1 where there is none.
    scores : array, float32, (pairs, scores)
        In the order of :data:`~napari_pixcell.datasets.checks.SCORES`; NaN where one does not
        apply.
    flags : array, bool, (pairs, flags)
        In the order of :data:`~napari_pixcell.datasets.checks.FLAGS`.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._numbers = np.zeros((0, 4), np.int32)
        self._scores = np.zeros((0, len(SCORES)), np.float32)
        self._flags = np.zeros((0, len(FLAGS)), bool)
        self._places = np.zeros(0, np.int64)
        self._count = 0
        self._read = -1
        self.refresh()

    def refresh(self) -> int:
        """Read the rows that came since, and give how many there are now."""
        path = self._dataset.folder / MANIFEST
        for place, row in read_places(path, max(0, self._read)):  # the last one again
            if place > self._read and "index" in row:
                self._add(place, row)
                self._read = place
        return self._count

    def __len__(self) -> int:
        """How many pairs there are."""
        return self._count

    @property
    def index(self) -> NDArray[np.int32]:
        """Numbers of the pairs."""
        return self._numbers[: self._count, 0]

    @property
    def style(self) -> NDArray[np.int32]:
        """Numbers of their styles."""
        return self._numbers[: self._count, 1]

    @property
    def layout(self) -> NDArray[np.int32]:
        """Numbers of their layouts; -1 without one."""
        return self._numbers[: self._count, 2]

    @property
    def cells(self) -> NDArray[np.int32]:
        """How many cells their masks have; -1 without a mask."""
        return self._numbers[: self._count, 3]

    @property
    def scores(self) -> NDArray[np.float32]:
        """All scores."""
        return self._scores[: self._count]

    @property
    def flags(self) -> NDArray[np.bool_]:
        """All flags."""
        return self._flags[: self._count]

    @property
    def flagged(self) -> NDArray[np.bool_]:
        """Which pairs have a flag."""
        return np.any(self.flags, axis=1)

    def score(self, name: str) -> NDArray[np.float32]:
        """Give one score of all pairs."""
        return self.scores[:, list(SCORES).index(name)]

    def flag(self, name: str) -> NDArray[np.bool_]:
        """Give one flag of all pairs."""
        return self.flags[:, list(FLAGS).index(name)]

    def row(self, position: int) -> Row:
        """Read the whole row of the pair at a position of the columns."""
        return row_at(self._dataset.folder / MANIFEST, int(self._places[position]))

    def _add(self, place: int, row: Row) -> None:
        if self._count == len(self._places):
            room = max(FIRST_ROOM, 2 * self._count)
            for name in ("_numbers", "_scores", "_flags", "_places"):
                setattr(self, name, _longer(getattr(self, name), room))
        at = self._count
        numbers = (row["index"], row["style"], row["layout"], row["cells"])
        self._numbers[at] = [-1 if number is None else number for number in numbers]
        scores = (row["scores"].get(name) for name in SCORES)
        self._scores[at] = [np.nan if score is None else score for score in scores]
        self._flags[at] = [name in row["flags"] for name in FLAGS]
        self._places[at] = place
        self._count += 1


def _longer(array: NDArray[Any], length: int) -> NDArray[Any]:
    grown = np.zeros((length, *array.shape[1:]), array.dtype)
    grown[: len(array)] = array
    return grown
