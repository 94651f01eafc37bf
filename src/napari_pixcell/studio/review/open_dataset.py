"""A dataset as a review has it open: what is read of it, in threads."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.store.dataset import MANIFEST, Dataset
from napari_pixcell.datasets.store.decisions import DECISIONS, read_decisions
from napari_pixcell.datasets.store.table import PairTable
from napari_pixcell.errors import PixCellError
from napari_pixcell.studio.review.pair_picture import pair_picture
from napari_pixcell.studio.review.review_list import Columns, encoded


class News(NamedTuple):
    """What a look at a dataset found.

    Parameters
    ----------
    manifest, decisions : int
        Sizes of the files, in bytes.
    columns : Columns
        All pairs.
    codes : array, int8, (pairs,)
        Decisions, see :data:`~napari_pixcell.studio.review.review_list.CODES`.
    positions : dict of int to int
        Where the pair of a number stands in the columns.
    """

    manifest: int
    decisions: int
    columns: Columns
    codes: NDArray[np.int8]
    positions: dict[int, int]


class PictureKey(NamedTuple):
    """A picture of the pair at a position, with the outlines of its cells or without them."""

    opened: OpenDataset
    position: int
    side: int
    outlined: bool


class Pair(NamedTuple):
    """A pair, read whole.

    Parameters
    ----------
    number : int
        In the plan.
    image : array, uint8, (height, width, 3)
    labels : array of integers, (height, width), or None
    mpp : float
        Pixel size in µm.
    name : str
        Of the dataset.
    """

    number: int
    image: NDArray[np.uint8]
    labels: NDArray[Any] | None
    mpp: float
    name: str


class OpenDataset:
    """A dataset that is open, its pairs in columns.

    Parameters
    ----------
    folder : Path

    Attributes
    ----------
    dataset : Dataset
    styles : dict of int to str
        Names of the styles by their numbers.

    Raises
    ------
    PixCellError
        If it holds no dataset.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dataset = Dataset(folder)
        self.styles = {row["number"]: row["name"] for row in self.dataset.style_rows()}
        self._table = PairTable(self.dataset)

    def look(self) -> News:
        """Give the pairs and decisions there are; not in two threads at once."""
        manifest, decisions = self._sizes()  # before: what comes meanwhile is found the next time
        self._table.refresh()
        columns = Columns.of(self._table)
        codes = encoded(columns.index, read_decisions(self.folder))
        positions = {number: at for at, number in enumerate(columns.index.tolist())}
        return News(manifest, decisions, columns, codes, positions)

    def since(self, news: News) -> News | None:
        """Give the pairs and decisions there are; None if they are still the same."""
        same = self._sizes() == (news.manifest, news.decisions)
        return None if same else self.look()

    def _sizes(self) -> tuple[int, int]:
        return _size(self.folder / MANIFEST), _size(self.folder / DECISIONS)

    def picture(self, key: PictureKey) -> NDArray[np.uint8]:
        """Draw a pair."""
        row = self._table.row(key.position)
        labels = self.dataset.mask(row) if key.outlined else None
        return pair_picture(self.dataset.image(row), labels, key.side)

    def pair(self, position: int) -> Pair:
        """Read a pair whole.

        Raises
        ------
        PixCellError
            If its files are gone or damaged.
        """
        row = self._table.row(position)
        try:
            image, labels = self.dataset.image(row), self.dataset.mask(row)
        except (OSError, ValueError) as error:
            raise PixCellError(
                f"Pair {row['index']} cannot be read; restore its files from a copy, or resume "
                "the dataset."
            ) from error
        about = self.dataset.description
        return Pair(row["index"], image, labels, about.mpp, about.name)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
