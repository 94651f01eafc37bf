"""The first pairs of a dataset on one sheet, to look at before the rest is made."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.contact_sheet import contact_sheet
from napari_pixcell.datasets.marking import synthetic_sheet
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.rows import Row
from napari_pixcell.files import write_whole

FIRST = 16
COLUMNS = 4
SHEET = "first_pairs.png"
OUTLINE = (255, 255, 0)


def write_first_sheet(dataset: Dataset, count: int = FIRST) -> Path:
    """Write :func:`first_sheet` into the folder of a dataset."""
    path = dataset.folder / SHEET
    write_whole(path, synthetic_sheet(first_sheet(dataset, count)))
    return path


def first_sheet(dataset: Dataset, count: int = FIRST) -> NDArray[np.uint8]:
    """Lay the first pairs of a dataset out, cells outlined: uint8 (height, width, 3).

    Raises
    ------
    PixCellError
        If there is no pair yet.
    """
    rows = list(itertools.islice(dataset.rows(), count))
    styles = {row["number"]: row["name"] for row in dataset.style_rows()}
    pictures: list[NDArray[np.uint8] | None] = [outlined(dataset, row) for row in rows]
    pictures += [None] * (-len(pictures) % COLUMNS)
    lines = []
    for first in range(0, len(rows), COLUMNS):
        several = [styles[row["style"]] for row in rows[first : first + COLUMNS]]
        lines.append(" · ".join(several))
    description = dataset.description
    title = f"{description.name}: the first {len(rows)} of {len(dataset.plan):,} pairs"
    footer = f"SYNTHETIC. {description.notice}"
    return contact_sheet(pictures, [""] * COLUMNS, lines, title, footer)


def outlined(dataset: Dataset, row: Row) -> NDArray[np.uint8]:
    """Give the image of a pair with the outlines of its cells: uint8 (height, width, 3)."""
    image, mask = dataset.image(row), dataset.mask(row)
    return image if mask is None else draw_outlines(image, mask)


def draw_outlines(image: NDArray[np.uint8], mask: NDArray[Any]) -> NDArray[np.uint8]:
    """Give an image with yellow outlines just inside the cells of a mask."""
    from skimage.segmentation import find_boundaries

    drawn = image.copy()
    drawn[find_boundaries(mask, mode="inner")] = OUTLINE
    return drawn
