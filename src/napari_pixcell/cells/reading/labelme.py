"""JSON of Labelme."""

from __future__ import annotations

import base64
import binascii
import io
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np

from napari_pixcell.cells.reading.gathering import BROKEN, CellsFile, Gatherer
from napari_pixcell.cells.reading.geojson import LINES_WORDS
from napari_pixcell.cells.reading.json_stream import items, open_json
from napari_pixcell.cells.reading.shapes import SIMPLE, Crops, ellipse, rectangle

SIZE_AT = 16  # of a PNG file
LINES = ("point", "line", "linestrip", "points")


def read_labelme(path: Path) -> CellsFile:
    """Read ``shapes`` as cells, with labels as classes.

    Polygons of one label with the same group are the pieces of one cell.
    """
    gatherer = Gatherer()
    crops = Crops(gatherer, path.name)
    groups: dict[tuple[str, str], list[Any]] = {}
    with open_json(path) as file:
        for shape in items(file, "shapes.item"):
            try:
                _add(gatherer, crops, groups, shape)
            except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
                gatherer.drop(BROKEN)
    crops.trace()
    for (name, _), pieces in groups.items():
        gatherer.add(pieces, name)
    return gatherer.finish(path.name, _size(path))


def _add(gatherer: Gatherer, crops: Crops, groups: dict[tuple[str, str], Any], shape: Any) -> None:
    name = str(shape.get("label") or "").strip()
    kind = shape.get("shape_type") or "polygon"
    points = shape["points"]
    if kind in LINES:
        gatherer.drop(LINES_WORDS)
        return
    if kind == "mask":
        _add_mask(crops, np.array(points, float), shape["mask"], name)
        return
    if kind in ("rectangle", "circle"):
        (x, y), (right, bottom) = np.array(points, float)[:2].tolist()
        radius = math.hypot(right - x, bottom - y)
        circle = kind == "circle"
        points = ellipse(x, y, radius, radius) if circle else rectangle(x, y, right, bottom)
        gatherer.changed[SIMPLE] += 1
    group = shape.get("group_id")
    if group is None:
        gatherer.add([[points]], name)
    else:
        groups.setdefault((name, str(group)), []).append([points])


def _add_mask(crops: Crops, corners: Any, data: str, name: str) -> None:
    from PIL import Image, UnidentifiedImageError

    left, top = (math.floor(value) for value in corners[0])
    try:
        png = base64.b64decode(data)
        crops.check(*struct.unpack_from(">II", png, SIZE_AT))
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            mask = np.asarray(image.convert("L")) > 0
    except (binascii.Error, UnidentifiedImageError, OSError, SyntaxError, struct.error) as error:
        raise ValueError("not a PNG image") from error
    crops.add(mask, left, top, name)


def _size(path: Path) -> tuple[int, int] | None:
    sides = []
    for key in ("imageHeight", "imageWidth"):
        with open_json(path) as file:
            value = next(items(file, key), None)
        if not isinstance(value, int | float) or not 1 <= value < 1e8:
            return None
        sides.append(int(value))
    return sides[0], sides[1]
