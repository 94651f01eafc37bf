"""The pairs of a dataset that are converted, and the part of each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from napari_pixcell.datasets.processes import Processes
from napari_pixcell.datasets.splits import NO_PART, Split, SplitAssignment, groups_of
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.decisions import are_used, decided
from napari_pixcell.datasets.store.table import read_columns
from napari_pixcell.errors import PixCellError
from napari_pixcell.words import counted

PIXELS_AT_ONCE = 2**20  # of the images of a task, whose answer may hold their files
MOST_AT_ONCE = 32

# Offset of a row in the manifest, number of the pair, part, and number of pairs of the part before.
PairTask = tuple[int, int, str, int]


class Selection:
    """The pairs of a dataset to convert, in 13 bytes each.

    Parameters
    ----------
    dataset : Dataset
    split : Split, optional
    processes : Processes
        Read the manifest.

    Attributes
    ----------
    counts : dict of str to int
        Pairs of each part; “” is the only part without a split.
    mixed : int
        Pairs left out because their style and layout belong to different parts.
    unused : int
        Pairs left out because they are flagged or rejected.

    Raises
    ------
    PixCellError
        If there is no pair to convert, or no such split.
    """

    def __init__(self, dataset: Dataset, split: Split | None, processes: Processes) -> None:
        self._size = dataset.description.size
        pairs = 0 if dataset.description.plan is None else len(dataset.unmatched_plan)
        decisions, seen, kept = decided(dataset.folder, pairs), 0, []
        for rows in read_columns(dataset, processes):
            seen += len(rows)
            flagged, index = np.any(rows["flags"], axis=1), rows["numbers"][:, 0]
            used = rows[are_used(flagged, decisions[index])]
            kept.append((used["numbers"][:, :3].copy(), used["offset"].copy()))
        if not seen:
            raise PixCellError(
                f"The dataset {dataset.folder.name} has no pair yet. Resume it, then convert it."
            )
        numbers = np.concatenate([one for one, _ in kept])
        self._offsets = np.concatenate([one for _, one in kept])
        del kept
        self.unused = seen - len(numbers)
        if not len(numbers):
            raise PixCellError(
                f"The dataset {dataset.folder.name} has no pair to convert, only "
                f"{counted(self.unused, 'flagged or rejected pair')}. Accept some, or make more."
            )
        self._index = numbers[:, 0].copy()
        self._names: tuple[str, ...] = ("",)
        self._part = np.zeros(len(numbers), np.int8)
        if split is not None:
            styles, layouts = groups_of(dataset.style_rows()), groups_of(dataset.layout_rows())
            pairs_of = numbers[:, 1:]
            self._part = SplitAssignment(styles, layouts, pairs_of, split).of_all(pairs_of)
            self._names = split.parts
        counts = np.bincount(self._part[self._part != NO_PART], minlength=len(self._names))
        self.counts = dict(zip(self._names, counts.tolist(), strict=True))
        self.mixed = len(numbers) - sum(self.counts.values())

    def tasks(self) -> Iterator[list[PairTask]]:
        """Iterate over the pairs in the order of the manifest, a few at a time.

        They do not depend on the number of processes.
        """
        height, width = self._size
        at_once = min(max(1, PIXELS_AT_ONCE // (height * width)), MOST_AT_ONCE)
        before = [0] * len(self._names)
        some: list[PairTask] = []
        for at in np.flatnonzero(self._part != NO_PART):
            part = int(self._part[at])
            some.append(
                (int(self._offsets[at]), int(self._index[at]), self._names[part], before[part])
            )
            before[part] += 1
            if len(some) == at_once:
                yield some
                some = []
        if some:
            yield some
