"""A labelled sheet of pictures, to compare them and to keep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from napari_pixcell.errors import PixCellError

SIDE = 256  # px of the longer side of each picture
GAP = 8
LINE = 22  # px of a line of text
INK = (40, 40, 40)
PAPER = (255, 255, 255)


def contact_sheet(
    pictures: Sequence[NDArray[Any] | None],
    columns: Sequence[str],
    rows: Sequence[str],
    title: str,
    footer: str,
    side: int = SIDE,
) -> NDArray[np.uint8]:
    """Lay pictures out in rows and columns with their names.

    Parameters
    ----------
    pictures : sequence of array, uint8 (height, width, 3), or None
        Row by row; None for one that was not made, which is left empty.
    columns, rows : sequence of str
        Names; those of the rows are written above them.
    title, footer : str
        Above and below everything; the footer says that this is synthetic.
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
        raise PixCellError("There is no picture to put on a sheet yet; generate the grid first.")
    scale = side / max(first.shape[:2])
    high, wide = (max(1, round(length * scale)) for length in first.shape[:2])
    named = any(rows)
    text, small = _font(14), _font(12)
    step = high + GAP + (LINE if named else 0)
    top = 2 * LINE + GAP
    width = max(GAP + len(columns) * (wide + GAP), 360)
    height = top + len(rows) * step + LINE + GAP
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, GAP // 2), _cut(draw, title, text, width - 2 * GAP), INK, text)
    for column, name in enumerate(columns):
        left = GAP + column * (wide + GAP)
        draw.text((left, LINE + GAP // 2), _cut(draw, name, small, wide), INK, small)
    for place, picture in enumerate(pictures):
        row, column = divmod(place, len(columns))
        left, y = GAP + column * (wide + GAP), top + row * step
        if named and column == 0:
            draw.text((left, y), _cut(draw, rows[row], small, width - 2 * GAP), INK, small)
        y += LINE if named else 0
        if picture is None:
            draw.rectangle((left, y, left + wide - 1, y + high - 1), outline=(200, 200, 200))
        else:
            tile = Image.fromarray(np.ascontiguousarray(picture))
            sheet.paste(tile.resize((wide, high), Image.Resampling.LANCZOS), (left, y))
    draw.text((GAP, height - LINE), _cut(draw, footer, small, width - 2 * GAP), INK, small)
    return np.asarray(sheet)


def _font(size: int) -> Any:
    return ImageFont.load_default(size)


def _cut(draw: ImageDraw.ImageDraw, text: str, font: Any, width: int) -> str:
    """Shorten a text that is wider than its place."""
    if draw.textlength(text, font) <= width:
        return text
    while text and draw.textlength(text + "…", font) > width:
        text = text[:-1]
    return text + "…"
