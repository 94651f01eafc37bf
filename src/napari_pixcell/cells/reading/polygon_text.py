"""Polygons in text files: YOLO segmentation, and outlines of Cellpose."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_pixcell.cells.reading.gathering import BROKEN, CellsFile, Gatherer
from napari_pixcell.cells.reading.plain import chunks, number, text_of
from napari_pixcell.cells.reading.shapes import Ring
from napari_pixcell.errors import PixCellError

MOST_BYTES = 64 * 2**20
LONGEST_LINE = 1_000_000
IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
BOX = (5, 6)  # class, x, y, width, height, and perhaps a confidence
BEYOND = 0.05  # of the image; labels are often rounded over its edge


def read_yolo(path: Path) -> CellsFile:
    """Read lines of a class and a polygon, relative to the size of the image.

    The image has the same name. It lies beside the file, or in the folder ``images`` that matches
    its folder ``labels``.

    Raises
    ------
    PixCellError
        If there is no such image, or the file has boxes instead of polygons.
    """
    lines = _lines(path)
    if lines and all(len(line.split(maxsplit=max(BOX))) in BOX for line in lines):
        raise PixCellError(
            f"“{path.name}” has YOLO boxes, not outlines. Use the labels of a segmentation."
        )
    height, width = _image_size(path)
    gatherer, kinds, rings = Gatherer(), [], []
    for line in lines:
        kind, *words = line.split()
        values = np.array(_numbers(words[: len(words) // 2 * 2]))  # without a confidence
        if not np.isfinite(values).all() or len(values) < 6:
            gatherer.drop(BROKEN)
            continue
        if values.min() < -BEYOND or values.max() > 1 + BEYOND:
            raise PixCellError(
                f"“{path.name}” has coordinates that are not between 0 and 1. Divide x by the "
                "image's width and y by its height."
            )
        kinds.append(kind)
        rings.append(values.reshape(-1, 2) * (width, height))
    named = len(set(kinds)) > 1
    for kind, ring in zip(kinds, rings, strict=True):
        gatherer.add([[ring]], f"class {kind}" if named else "")
    return gatherer.finish(path.name, (height, width))


def read_outlines(path: Path) -> CellsFile:
    """Read ``_cp_outlines.txt`` of Cellpose: x,y,x,y,… of the outermost pixels of a cell."""
    gatherer = Gatherer(on_centres=True)
    for line in _lines(path):
        values = _numbers(line.strip(", \t").split(","))
        ring: Ring = np.array(values[: len(values) // 2 * 2]).reshape(-1, 2)
        if len(values) % 2 or not np.isfinite(ring).all():
            gatherer.drop(BROKEN)
        else:
            gatherer.add([[ring]])
    return gatherer.finish(path.name)


def is_yolo(line: str) -> bool:
    """True if a line is a class and coordinates, separated by spaces."""
    words = line.split()
    return len(words) >= min(BOX) and words[0].isdigit() and _numeric(words[1:])


def is_outline(line: str) -> bool:
    """True if a line is whole numbers in pairs, separated by commas."""
    words = line.strip(", \t").split(",")
    return len(words) >= 2 and len(words) % 2 == 0 and _numeric(words)


def _numeric(words: list[str]) -> bool:
    return all(np.isfinite(number(word)) for word in words)


def _lines(path: Path) -> list[str]:
    text = text_of(b"".join(chunks(path, MOST_BYTES)))
    lines = [line for line in text.splitlines() if line.strip()]
    if any(len(line) > LONGEST_LINE for line in lines):
        raise PixCellError(
            f"“{path.name}” has a line of more than {LONGEST_LINE:,} characters. Export it again."
        )
    return lines


def _numbers(words: list[str]) -> list[float]:
    try:
        return [float(word) for word in words]
    except ValueError:
        return [number(word) for word in words]


def _image_size(path: Path) -> tuple[int, int]:
    """Return height and width of the image that belongs to a file of labels."""
    from PIL import Image

    parts = list(path.absolute().parent.parts)
    folders = [path.parent, path.parent.parent / "images"]
    for place in reversed(range(len(parts))):
        if parts[place] == "labels":
            folders.insert(1, Path(*parts[:place], "images", *parts[place + 1 :]))
            break
    stem = path.name.removesuffix(".gz").rpartition(".")[0]
    for folder in folders:
        for suffix in (*IMAGES, *(one.upper() for one in IMAGES)):
            image = folder / (stem + suffix)
            if not image.is_file():
                continue
            try:
                with Image.open(image) as opened:
                    return opened.height, opened.width
            except Exception as error:  # Pillow raises anything on damaged files
                raise PixCellError(
                    f"The size of “{image.name}”, the image of “{path.name}”, cannot be read. "
                    "Replace the image."
                ) from error
    raise PixCellError(
        f"“{path.name}” has YOLO polygons relative to the size of their image, which was not "
        f"found. Put the image “{stem}.png” or “{stem}.tif” beside it."
    )
