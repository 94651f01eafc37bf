"""An open dataset of a review: its pairs in columns, their pictures and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_pixcell.datasets.store.dataset import MANIFEST, Dataset
from napari_pixcell.datasets.store.decisions import DECISIONS, read_decisions
from napari_pixcell.datasets.store.nuclei import DifferingNuclei
from napari_pixcell.datasets.store.rows import JsonRow
from napari_pixcell.datasets.store.table import PairTable
from napari_pixcell.errors import PixCellError
from napari_pixcell.studio.review.columns import Columns, encoded

YELLOW = (255, 230, 0)  # absent from H&E and from DAB
# Sky blue, yellow and vermillion of Okabe and Ito (2008), distinct for colour-blind readers.
PLACED, PARTIAL, WRONG = (86, 180, 233), (240, 228, 66), (213, 94, 0)
SMALL = 160  # px; outlines in smaller pictures are translucent


class DatasetState(NamedTuple):
    """The pairs and decisions of a dataset at one time."""

    manifest: int  # sizes of the files in bytes
    decisions: int
    columns: Columns
    codes: NDArray[np.int8]  # their decisions, see CODES
    positions: dict[int, int]  # from the number of a pair to its position


class PictureKey(NamedTuple):
    """Identifies the picture of a pair, with or without the outlines of its cells.

    Outlines are coloured by agreement if ``judged``, see :func:`pair_picture`.
    """

    opened: OpenDataset
    position: int
    side: int
    outlined: bool
    judged: bool = False


class LoadedPair(NamedTuple):
    """A pair at full size."""

    number: int  # number in the plan
    image: NDArray[np.uint8]  # (height, width, 3)
    labels: NDArray[Any] | None  # (height, width)
    mpp: float  # pixel size in µm
    name: str
    nuclei: DifferingNuclei | None = None  # None if they were not compared one by one


class OpenDataset:
    """A dataset under review.

    Parameters
    ----------
    folder : Path


    Raises
    ------
    PixCellError
        If the folder contains no dataset.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dataset = Dataset(folder)
        # Names of the styles by their numbers
        self.styles = {row["number"]: row["name"] for row in self.dataset.style_rows()}
        self._table = PairTable(self.dataset)
        self.damage = self.dataset.damage  # later reads begin at the last row

    def state(self) -> DatasetState:
        """Read the present pairs and decisions. Not for two threads at once."""
        sizes = self._sizes()  # first, so that rows written meanwhile are read the next time
        self._table.refresh()
        columns = Columns.of(self._table)
        codes = encoded(columns.index, read_decisions(self.folder))
        positions = {number: at for at, number in enumerate(columns.index.tolist())}
        return DatasetState(*sizes, columns, codes, positions)

    def state_since(self, state: DatasetState) -> DatasetState | None:
        """Read the present pairs and decisions; None if no file has changed."""
        return None if self._sizes() == (state.manifest, state.decisions) else self.state()

    def _sizes(self) -> tuple[int, int]:
        manifest, decisions = self.folder / MANIFEST, self.folder / DECISIONS
        return _size(manifest), _size(decisions)

    def picture(self, key: PictureKey) -> NDArray[np.uint8]:
        row = self._table.row(key.position)
        labels = self.dataset.mask(row) if key.outlined else None
        nuclei = self._nuclei(row) if key.outlined and key.judged else None
        return pair_picture(self.dataset.image(row), labels, key.side, nuclei)

    def _nuclei(self, row: JsonRow) -> DifferingNuclei | None:
        return DifferingNuclei.from_row(row, self.dataset.description.size)

    def pair(self, position: int) -> LoadedPair:
        """Load a pair.

        Raises
        ------
        PixCellError
            If its files are missing or damaged.
        """
        row = self._table.row(position)
        try:
            image, labels = self.dataset.image(row), self.dataset.mask(row)
            nuclei = self._nuclei(row)
        except (OSError, ValueError, PixCellError) as error:
            raise PixCellError(
                f"Pair {row['index']} cannot be read. Restore its files from a backup, or resume "
                "the dataset."
            ) from error
        about = self.dataset.description
        return LoadedPair(row["index"], image, labels, about.mpp, about.name, nuclei)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def pair_picture(
    image: NDArray[np.uint8],
    labels: NDArray[Any] | None,
    side: int,
    nuclei: DifferingNuclei | None = None,
) -> NDArray[np.uint8]:
    """Draw a pair at a given size.

    Parameters
    ----------
    image : array, uint8, (height, width, 3)
    labels : array of integers, (height, width), optional
        Cells whose outlines are drawn, one pixel of the result wide.
    side : int
        Longer side of the result in px.
    nuclei : DifferingNuclei, optional
        If given, outlines are :data:`PLACED` for nuclei that the image shows, :data:`PARTIAL` for
        those it shows in part, and :data:`WRONG` for missing and extra ones. Otherwise all are
        yellow.

    Returns
    -------
    array, uint8, (height, width, 3)
    """
    scale = side / max(image.shape[:2])
    height, width = (max(1, round(length * scale)) for length in image.shape[:2])
    how = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    drawn = np.array(Image.fromarray(image).resize((width, height), how))
    if labels is None:
        return drawn
    share = 1.0 if side >= SMALL else 0.5

    def draw(where: NDArray[np.bool_], colour: tuple[int, int, int]) -> None:
        mixed = share * np.array(colour) + (1 - share) * drawn[where]
        drawn[where] = mixed.round().astype(np.uint8)

    small = _resized(labels, height, width)
    edge = outlines(small)
    if nuclei is None:
        draw(edge, YELLOW)
        return drawn
    partial, missing = (edge & np.isin(small, one) for one in (nuclei.partial, nuclei.missing))
    extra = np.zeros_like(edge)
    if nuclei.extra is not None:
        extra = outlines(_resized(nuclei.extra, height, width))
    wrong = missing | extra
    draw(edge & ~partial & ~wrong, PLACED)
    draw(partial & ~wrong, PARTIAL)
    draw(wrong, WRONG)
    return drawn


def _resized(labels: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    rows = _nearest(height, labels.shape[0])
    return np.asarray(labels[rows[:, None], _nearest(width, labels.shape[1])])


def outlines(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Return the pixels of cells that touch another cell or the background."""
    edge = np.zeros(labels.shape, bool)
    for axis in (0, 1):
        first = np.moveaxis(labels, axis, 0)
        differ = first[1:] != first[:-1]
        along = np.moveaxis(edge, axis, 0)
        along[1:] |= differ
        along[:-1] |= differ
    return edge & (labels > 0)


def _nearest(count: int, of: int) -> NDArray[np.intp]:
    return ((np.arange(count) + 0.5) * of / count).astype(np.intp)
