"""The pairs of a dataset as training data, without the labels of test tiles. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.decisions import is_used, read_decisions
from napari_pixcell.datasets.store.rows import JsonRow
from napari_pixcell.errors import PixCellError
from napari_pixcell.evaluation.tiles import CROP, LabelledTile
from napari_pixcell.words import counted

MOST_PAIRS = 512  # more add little to a few hundred training steps
STEP = 4  # px between the pixels in which masks are compared
SAME = 0.9  # Dice of two masks that show the same nuclei


def read_pairs(
    dataset: Dataset, on_pair: Callable[[int, int], None] = lambda done, total: None
) -> tuple[LabelledTile, ...]:
    """Read the accepted or unflagged pairs, evenly chosen if there are more than 512.

    The group of a pair is that of its layout, which variations of one layout share.

    Raises
    ------
    PixCellError
        If there is none, they have no masks, or are too small.
    """
    decisions = read_decisions(dataset.folder)
    rows = [
        row for row in dataset.rows() if is_used(bool(row["flags"]), decisions.get(row["index"]))
    ]
    if not rows:
        raise PixCellError(
            f"The dataset {dataset.folder.name} has no accepted or unflagged pair. Accept some in "
            "“Review pairs”, or make more."
        )
    if any(row["mask"] is None for row in rows):
        raise PixCellError(
            f"The pairs of {dataset.folder.name} have no masks, so they cannot train a segmenter. "
            "Make a dataset with layouts."
        )
    if min(dataset.description.size) < CROP:
        raise PixCellError(
            f"The images of {dataset.folder.name} are smaller than {CROP} × {CROP} px, too small "
            "to train on. Make a dataset of larger ones."
        )
    groups = {row["number"]: row["group"] for row in dataset.layout_rows()}
    chosen = np.unique(
        np.linspace(0, len(rows) - 1, min(len(rows), MOST_PAIRS)).round().astype(int)
    )
    rows = [rows[at] for at in chosen]
    read = []
    for number, row in enumerate(rows):
        on_pair(number, len(rows))
        read.append(_pair(dataset, row, groups))
    return tuple(read)


def _pair(dataset: Dataset, row: JsonRow, groups: dict[int, str]) -> LabelledTile:
    labels = np.asarray(dataset.mask(row)).astype(np.int32)
    group = groups.get(row["layout"], "")
    return LabelledTile(str(row["index"]), group, dataset.image(row), labels)


def without_labels_of(
    pairs: tuple[LabelledTile, ...], test: tuple[LabelledTile, ...]
) -> tuple[tuple[LabelledTile, ...], int]:
    """Leave out the pairs whose layout comes from a test tile, and return how many these are.

    Layouts of test tiles would reveal their labels. They are recognised by their pixels, also
    rotated and mirrored, and left out with all variations of the same layout. Styles reveal no
    labels, so styles of test tiles are allowed.

    Raises
    ------
    PixCellError
        If none is left.
    """
    if not pairs or not test:
        return pairs, 0
    side = pairs[0].labels.shape
    masks = np.array([_small(pair.labels) for pair in pairs])
    seen = np.array([_small(turned) for turned in _turned(test, side)])
    if not len(seen):
        return pairs, 0
    overlap = masks @ seen.T
    dice = 2 * overlap / np.maximum(masks.sum(1)[:, None] + seen.sum(1)[None], 1)
    leaks = {pair.group for pair, most in zip(pairs, dice.max(1), strict=True) if most > SAME}
    rest = tuple(pair for pair in pairs if pair.group not in leaks)
    if not rest:
        raise PixCellError(
            f"All {counted(len(pairs), 'pair')} have layouts of test tiles, whose labels must stay "
            "unknown. Make the dataset with layouts of the training tiles."
        )
    return rest, len(pairs) - len(rest)


def _small(labels: NDArray[np.int32]) -> NDArray[np.float32]:
    return (labels[::STEP, ::STEP] > 0).astype(np.float32).ravel()


def _turned(tiles: Iterable[LabelledTile], side: tuple[int, ...]) -> Iterable[NDArray[np.int32]]:
    """Iterate over the parts of tiles that a recipe would cut, in the symmetries of a square."""
    for tile in tiles:
        rows, columns = (n // m for n, m in zip(tile.labels.shape, side, strict=True))
        for at in islice(np.ndindex(rows, columns), MOST_PAIRS):
            top, left = at[0] * side[0], at[1] * side[1]
            part = tile.labels[top : top + side[0], left : left + side[1]]
            for turns in range(4) if side[0] == side[1] else (0, 2):
                turned = np.rot90(part, turns)
                yield turned
                yield turned[:, ::-1]
