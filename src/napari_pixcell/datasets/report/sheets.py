"""Pictures of pairs: contact sheets with labels, and examples for the report."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from napari_pixcell.datasets.marks import synthetic_jpeg, synthetic_sheet
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.plan import FIRST
from napari_pixcell.datasets.store.rows import JsonRow
from napari_pixcell.datasets.store.table import PairTable
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import write_whole

SIDE = 256  # px of the longer side of each picture
GAP = 8
LINE = 22  # px of a line of text
INK = (40, 40, 40)
PAPER = (255, 255, 255)
FRAME = (200, 200, 200)
OUTLINE = (255, 255, 0)
COLUMNS = 4
SHEET = "first_pairs.png"
RATIOS = ("count", "sharpness")  # best at 1


def contact_sheet(
    pictures: Sequence[NDArray[Any] | None],
    columns: Sequence[str],
    rows: Sequence[str],
    title: str,
    footer: str,
    side: int = SIDE,
) -> NDArray[np.uint8]:
    """Draw pictures in rows and columns with their names.

    Parameters
    ----------
    pictures : sequence of array, uint8 (height, width, 3), or None
        Row by row; None leaves a gap.
    columns, rows : sequence of str
        Names; those of the rows are written above them.
    title, footer : str
        Above and below all pictures; the footer states that they are synthetic.
    side : int
        Of the longer side of each picture on the sheet, in px.

    Returns
    -------
    array, uint8, (height, width, 3)

    Raises
    ------
    PixCellError
        If there is no picture.
    """
    first = next((picture for picture in pictures if picture is not None), None)
    if first is None:
        raise PixCellError("There is no picture for a sheet yet. Generate the grid first.")
    scale = side / max(first.shape[:2])
    high, wide = (max(1, round(length * scale)) for length in first.shape[:2])
    named = any(rows)
    text, small = ImageFont.load_default(14), ImageFont.load_default(12)
    step = high + GAP + (LINE if named else 0)
    top = 2 * LINE + GAP
    width = max(GAP + len(columns) * (wide + GAP), 360)
    height = top + len(rows) * step + LINE + GAP
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, GAP // 2), _fitted(draw, title, text, width - 2 * GAP), INK, text)
    for column, name in enumerate(columns):
        left = GAP + column * (wide + GAP)
        draw.text((left, LINE + GAP // 2), _fitted(draw, name, small, wide), INK, small)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, len(columns))
        left, y = GAP + column * (wide + GAP), top + row * step
        if named and column == 0:
            draw.text((left, y), _fitted(draw, rows[row], small, width - 2 * GAP), INK, small)
        y += LINE if named else 0
        if picture is None:
            draw.rectangle((left, y, left + wide - 1, y + high - 1), outline=FRAME)
        else:
            tile = Image.fromarray(np.ascontiguousarray(picture))
            sheet.paste(tile.resize((wide, high), Image.Resampling.LANCZOS), (left, y))
    draw.text((GAP, height - LINE), _fitted(draw, footer, small, width - 2 * GAP), INK, small)
    return np.asarray(sheet)


def _fitted(draw: ImageDraw.ImageDraw, text: str, font: Any, width: int) -> str:
    """Shorten a text to a width in px."""
    if draw.textlength(text, font) <= width:
        return text
    while text and draw.textlength(text + "…", font) > width:
        text = text[:-1]
    return text + "…"


def write_first_sheet(dataset: Dataset) -> Path:
    """Write :func:`first_sheet` into the folder of a dataset."""
    path = dataset.folder / SHEET
    write_whole(path, synthetic_sheet(first_sheet(dataset)))
    return path


def first_sheet(dataset: Dataset, count: int = FIRST) -> NDArray[np.uint8]:
    """Draw the first pairs of a dataset with outlined cells: uint8 (height, width, 3).

    Raises
    ------
    PixCellError
        If there is no pair yet.
    """
    rows = list(itertools.islice(dataset.rows(), count))
    styles = {row["number"]: row["name"] for row in dataset.style_rows()}
    pictures: list[NDArray[np.uint8] | None] = [_or_none(dataset, row) for row in rows]
    pictures += [None] * (-len(pictures) % COLUMNS)
    lines = [
        " · ".join(styles.get(row["style"], "") for row in rows[start : start + COLUMNS])
        for start in range(0, len(rows), COLUMNS)
    ]
    description = dataset.description
    title = f"{description.name}: the first {len(rows)} of {len(dataset.plan):,} pairs"
    footer = f"SYNTHETIC. {description.notice}"
    return contact_sheet(pictures, [""] * COLUMNS, lines, title, footer)


def _or_none(dataset: Dataset, row: JsonRow) -> NDArray[np.uint8] | None:
    try:
        return outlined(dataset, row)
    except PixCellError:  # a damaged pair leaves a gap
        return None


def outlined(dataset: Dataset, row: JsonRow) -> NDArray[np.uint8]:
    """Return the image of a pair with the outlines of its cells: uint8 (height, width, 3)."""
    image, mask = dataset.image(row), dataset.mask(row)
    return image if mask is None else draw_outlines(image, mask)


def draw_outlines(image: NDArray[np.uint8], mask: NDArray[Any]) -> NDArray[np.uint8]:
    """Return an image with yellow outlines just inside the cells of a mask."""
    from skimage.segmentation import find_boundaries

    drawn = image.copy()
    drawn[find_boundaries(mask, mode="inner")] = OUTLINE
    return drawn


# -- examples for the report ---------------------------------------------------------------


@dataclass(frozen=True)
class Example:
    """A pair as the report shows it: its image with the outlines of its cells."""

    index: int
    caption: str
    jpeg: str = ""  # as base64; empty if the files cannot be read
    width: int = 0  # px
    height: int = 0


def ranked(values: NDArray[np.float32], score: str, low_is_good: bool) -> dict[str, int]:
    """Return the positions of the best, the median and the worst value of a score.

    Values are float32, (pairs,), NaN if the score does not apply.
    """
    known = np.flatnonzero(np.isfinite(values))
    good = values[known].astype(float)
    if score in RATIOS:
        good = -np.abs(np.log(np.maximum(good, 1e-6)))
    elif low_is_good:
        good = -good
    order = known[np.argsort(-good, kind="stable")]
    ranks = {"Best": 0, "Median": len(order) // 2, "Worst": len(order) - 1}
    return {name: int(order[rank]) for name, rank in ranks.items()} if len(order) else {}


def examples(
    dataset: Dataset, table: PairTable, score: str, low_is_good: bool
) -> Iterator[Example]:
    """Iterate over the best, the median and the worst pair by a score."""
    values = table.score(score)
    for name, position in ranked(values, score, low_is_good).items():
        row = table.row(position)
        index, flags = row["index"], f" ({', '.join(row['flags'])})" if row["flags"] else ""
        caption = f"{name}: {float(values[position]):.3g}. Pair {index}{flags}"
        try:
            picture = small_outlined(dataset.image(row), dataset.mask(row))
        except PixCellError:  # removed or damaged since
            yield Example(index, caption)
        else:
            height, width = picture.shape[:2]
            jpeg = base64.b64encode(synthetic_jpeg(picture)).decode()
            yield Example(index, caption, jpeg, width, height)


def small_outlined(
    image: NDArray[np.uint8], labels: NDArray[Any] | None, side: int = SIDE
) -> NDArray[np.uint8]:
    """Return a picture at most ``side`` px large with the outlines of the cells of its mask."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    out = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))
    if labels is None:
        return out
    rows = (np.arange(size[1]) * height) // size[1]
    columns = (np.arange(size[0]) * width) // size[0]
    return draw_outlines(out, labels[np.ix_(rows, columns)])
