"""XML of CVAT, version 1.1 for images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_pixcell.cells.reading.choosing import choose
from napari_pixcell.cells.reading.gathering import BROKEN, CellsFile, Gatherer
from napari_pixcell.cells.reading.geojson import LINES_WORDS
from napari_pixcell.cells.reading.plain import number
from napari_pixcell.cells.reading.shapes import SIMPLE, Crops, Ring, ellipse, rectangle
from napari_pixcell.cells.reading.xml_events import END, START, Attributes, elements
from napari_pixcell.errors import PixCellError

LINES = ("polyline", "points", "cuboid", "skeleton", "tag")


def read_cvat(path: Path, image: str = "") -> CellsFile:
    """Read the shapes of one image as cells, with labels as classes.

    Parameters
    ----------
    image : str
        Name of the image to choose if the file has several; its suffix is ignored.

    Raises
    ------
    PixCellError
        If it has several images and none of that name, or tracks of a video.
    """
    images = []
    for event, tag, attributes in elements(path):
        if event == START and tag == "image":
            images.append(attributes)
        elif event == START and tag == "track":
            raise PixCellError(
                f"“{path.name}” holds tracks of a video. Export “CVAT for images 1.1” from CVAT."
            )
    chosen = choose(path.name, [one.get("name", "") for one in images], image)
    gatherer = Gatherer()
    crops = Crops(gatherer, path.name)
    place = -1
    for event, tag, attributes in elements(path):
        if event == END:
            continue
        if tag == "image":
            place += 1
        elif place == chosen and place >= 0:
            _add(gatherer, crops, tag, attributes)
    crops.trace()
    shape = _size(images[chosen]) if images else None
    return gatherer.finish(path.name, shape)


def _add(gatherer: Gatherer, crops: Crops, tag: str, told: Attributes) -> None:
    name = told.get("label", "").strip()
    if tag == "polygon":
        gatherer.add([[_points(told.get("points", ""))]], name)
    elif tag == "mask":
        try:
            _add_mask(crops, told, name)
        except (KeyError, ValueError, OverflowError):
            gatherer.drop(BROKEN)
    elif tag in ("box", "ellipse"):
        names = ("xtl", "ytl", "xbr", "ybr") if tag == "box" else ("cx", "cy", "rx", "ry")
        a, b, c, d = (number(told.get(one)) for one in names)
        draw = rectangle if tag == "box" else ellipse
        gatherer.add([[draw(a, b, c, d, number(told.get("rotation", 0)))]], name)
        gatherer.changed[SIMPLE] += 1
    elif tag in LINES:
        gatherer.drop(LINES_WORDS)


def _points(text: str) -> Ring:
    """Return the points of ``x,y;x,y``; NaN for what is no pair of numbers."""
    pairs = [pair.split(",") for pair in text.split(";") if pair.strip()]
    whole = all(len(pair) == 2 for pair in pairs)
    values = [[number(value) for value in pair] for pair in pairs] if whole else [[np.nan] * 2]
    return np.array(values, float).reshape(-1, 2)


def _add_mask(crops: Crops, told: Attributes, name: str) -> None:
    """Add a mask whose runs of 0 and 1 in turn fill its box row by row."""
    left, top, width, height = (int(told[one]) for one in ("left", "top", "width", "height"))
    crops.check(width, height)
    runs = np.array([int(run) for run in told["rle"].split(",")], np.int64)
    if runs.min() < 0 or runs.max() > width * height or runs.sum() != width * height:
        raise ValueError("the runs do not fill the box")
    values = np.arange(len(runs)) % 2 == 1
    crops.add(np.repeat(values, runs).reshape(height, width), left, top, name)


def _size(image: Attributes) -> tuple[int, int] | None:
    try:
        height, width = int(image["height"]), int(image["width"])
    except (KeyError, ValueError):
        return None
    return (height, width) if height > 0 and width > 0 else None
