"""All pairs of a dataset as numeric columns, to sort, filter and count without their files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.processes import Answer, Processes, Work
from napari_pixcell.datasets.store.checks import FLAGS, SCORES
from napari_pixcell.datasets.store.dataset import MANIFEST, Dataset
from napari_pixcell.datasets.store.parsing import MOST_ROWS
from napari_pixcell.datasets.store.rows import JsonRow, row_ranges
from napari_pixcell.errors import PixCellError

FIRST_CAPACITY = 1024
COLUMNS = np.dtype(
    [
        ("numbers", np.int32, 4),  # of the pair, its style, its layout and its cells
        ("scores", np.float32, len(SCORES)),
        ("flags", np.bool_, len(FLAGS)),
        ("offset", np.int64),  # of its row in the manifest
    ]
)


def read_columns(
    dataset: Dataset,
    processes: Processes | None = None,
    start: int = 0,
    seen: bytearray | None = None,
) -> Iterator[NDArray[Any]]:
    """Iterate over the pairs of a dataset in the order of their rows, some at a time.

    Parameters
    ----------
    dataset : Dataset
        Afterwards it knows how many rows are damaged.
    processes : Processes, optional
        Parse the rows.
    start : int
        Byte offset of the first row to read.
    seen : bytearray, optional
        1 at the numbers of the pairs to leave out; those of further ones are added.

    Yields
    ------
    array of COLUMNS, (pairs,)
        Each pair once.
    """
    seen = bytearray(MOST_ROWS + 1) if seen is None else seen
    known = np.frombuffer(seen, bool)
    damaged = 0
    path = dataset.folder / MANIFEST
    settings = {"folder": str(dataset.folder)}
    for answer in (processes or Processes()).map(_begin, settings, row_ranges(path, start)):
        rows = np.frombuffer(answer.data, COLUMNS)
        damaged += answer.value
        index = rows["numbers"][:, 0]
        first = np.unique(index, return_index=True)[1]
        new = np.sort(first[~known[index[first]]])
        known[index[new]] = True
        yield rows[new]
    dataset.damaged[MANIFEST] = damaged


def _begin(settings: dict[str, Any]) -> Work:
    dataset = Dataset(settings["folder"])
    scores, flags = list(SCORES), list(FLAGS)

    def parse(task: tuple[int, int]) -> Answer:
        rows, damaged = [], 0
        for offset, row in dataset.checked_rows(MANIFEST, *task):
            if row is None:
                damaged += 1
                continue
            numbers = (row["index"], row["style"], row["layout"], row["cells"])
            found = [row["scores"].get(name) for name in scores]
            rows.append(
                (
                    [-1 if number is None else number for number in numbers],
                    [np.nan if score is None else score for score in found],
                    [flag in row["flags"] for flag in flags],
                    offset,
                )
            )
        return Answer(damaged, np.array(rows, COLUMNS).tobytes())

    return parse


class PairTable:
    """The pairs of a dataset in columns of about 100 bytes per pair.

    Parameters
    ----------
    dataset : Dataset
        Read row by row; :meth:`refresh` adds the pairs that were written later.
    processes : Processes, optional
        Parse the rows that exist.
    on_progress : callable, optional
        Called with the number of pairs read so far and of all that are planned.
    """

    def __init__(
        self,
        dataset: Dataset,
        processes: Processes | None = None,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        self._dataset = dataset
        self._numbers = np.zeros((0, 4), np.int32)
        self._scores = np.zeros((0, len(SCORES)), np.float32)
        self._flags = np.zeros((0, len(FLAGS)), bool)
        self._offsets = np.zeros(0, np.int64)
        self._count = 0
        self._seen = bytearray(MOST_ROWS + 1)
        self.refresh(processes, on_progress)

    def refresh(
        self,
        processes: Processes | None = None,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> int:
        """Read the rows that are new, and return the number of all.

        If the manifest was written anew since, because its rows were sorted, all are read.
        """
        if self._count and not self._is_where(self._count - 1):
            self._count = 0
            self._seen = bytearray(MOST_ROWS + 1)
        start = int(self._offsets[self._count - 1]) if self._count else 0  # the last row again
        for rows in read_columns(self._dataset, processes, start, self._seen):
            self._add(rows)
            if len(rows):
                on_progress(self._count, len(self._dataset.unmatched_plan))
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
        return self._dataset.pair_at(int(self._offsets[position]), int(self.index[position]))

    def _is_where(self, position: int) -> bool:
        try:
            self.row(position)
        except PixCellError:
            return False
        return True

    def _add(self, rows: NDArray[Any]) -> None:
        count = self._count + len(rows)
        if count > len(self._offsets):
            capacity = max(FIRST_CAPACITY, 2 * self._count, count)
            for name in ("_numbers", "_scores", "_flags", "_offsets"):
                setattr(self, name, _longer(getattr(self, name), capacity))
        at = slice(self._count, count)
        self._numbers[at], self._scores[at] = rows["numbers"], rows["scores"]
        self._flags[at], self._offsets[at] = rows["flags"], rows["offset"]
        self._count = count


def _longer(array: NDArray[Any], length: int) -> NDArray[Any]:
    grown = np.zeros((length, *array.shape[1:]), array.dtype)
    grown[: len(array)] = array
    return grown
