"""COCO annotations and results: polygons and run-length masks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from napari_pixcell.cells.outlines import outlines_of
from napari_pixcell.cells.reading.choosing import choose
from napari_pixcell.cells.reading.gathering import BROKEN, FLAT, SHAPELESS, CellsFile, Gatherer
from napari_pixcell.cells.reading.json_stream import items, open_json
from napari_pixcell.cells.reading.runs import runs_of
from napari_pixcell.errors import PixCellError

TRACED_AT_ONCE = 256  # run-length masks
MOST_UNPACKED = 20_000_000_000  # px of all run-length masks together; takes some minutes
UNLISTED = "of images that the file does not list"
HUGE = "too large for a cell"
MOST_OF_CELL, MOST_RUNS = 16_000_000, 100_000  # px that its columns have, and runs
MISFIT = "of another size than the image"
Shape = tuple[int, int]
Mask = tuple[NDArray[np.uint8], int, int, str]  # crop, left, top, class


def read_coco(path: Path, image: str = "") -> CellsFile:
    """Read the annotations of one image as cells, with categories as classes.

    Parameters
    ----------
    image : str
        Name of the image to choose if the file has several; its suffix is ignored.

    Raises
    ------
    PixCellError
        If the file has several images and none, or more than one, has that name.
    """
    with open_json(path) as file:
        images = [value for value in items(file, "images.item") if isinstance(value, dict)]
    with open_json(path) as file:
        names = {
            _key(value.get("id")): str(value.get("name", ""))
            for value in items(file, "categories.item")
            if isinstance(value, dict)
        }
    return _read(path, "annotations.item", images, names, image)


def read_coco_results(path: Path, image: str = "") -> CellsFile:
    """Read COCO results, a list of annotations without images; see :func:`read_coco`.

    Its images have numbers instead of names, and its categories become “class 1”.
    """
    with open_json(path) as file:
        found = Counter(
            _key(value.get("image_id")) for value in items(file, "item") if isinstance(value, dict)
        )
    images = [{"id": one, "file_name": one} for one in found if one]
    return _read(path, "item", images, {}, image)


def _read(
    path: Path, prefix: str, images: list[dict[str, Any]], names: dict[str, str], image: str
) -> CellsFile:
    place = choose(path.name, [str(one.get("file_name")) for one in images], image)
    chosen = images[place] if images else None
    listed = {_key(one.get("id")) for one in images}
    wanted = None if chosen is None else _key(chosen.get("id"))
    gatherer, runs = Gatherer(), _Runs(path.name, _shape(chosen))
    with open_json(path) as file:
        for value in items(file, prefix):
            if not isinstance(value, dict):
                gatherer.drop(BROKEN)
                continue
            owner = _key(value.get("image_id"))
            if wanted is None or owner == wanted:
                category = _key(value.get("category_id"))
                _take(gatherer, runs, value, names.get(category, category and f"class {category}"))
            elif owner not in listed:
                gatherer.drop(UNLISTED)
            if len(runs.masks) >= TRACED_AT_ONCE or runs.waiting > MOST_OF_CELL:
                gatherer.add_shapes(*runs.trace())
    gatherer.add_shapes(*runs.trace())
    return gatherer.finish(path.name, runs.shape)


def _key(value: Any) -> str:
    """Return a number or text that identifies an image or category as text, or "".

    Files state the same number as 1, 1.0, "1" and [1].
    """
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, int | float | str) else ""


def _shape(image: dict[str, Any] | None) -> Shape | None:
    try:
        height, width = int((image or {})["height"]), int((image or {})["width"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return (height, width) if height > 0 and width > 0 else None


def _take(gatherer: Gatherer, runs: _Runs, value: dict[str, Any], name: str) -> None:
    shape = value.get("segmentation")
    if isinstance(shape, dict):
        why = runs.add(shape, name)
        if why:
            gatherer.drop(why)
        return
    if not isinstance(shape, list) or not shape:
        gatherer.drop(SHAPELESS)
        return
    if isinstance(shape[0], int | float) or _are_points(shape):
        shape = [shape]
    try:
        rings = [np.asarray(flat, np.float64).reshape(-1, 2) for flat in shape]
    except (TypeError, ValueError, OverflowError):
        gatherer.drop(BROKEN)
        return
    gatherer.add([[ring] for ring in rings], name)


def _are_points(values: list[Any]) -> bool:
    return len(values) > 2 and all(isinstance(one, list) and len(one) == 2 for one in values)


class _Runs:
    """Run-length masks, decoded and traced together.

    Parameters
    ----------
    name : str
        Name of the file.
    shape : (height, width), optional
        Size of the image; by default that of the first mask.
    """

    def __init__(self, name: str, shape: Shape | None) -> None:
        self.name, self.shape = name, shape
        self.masks: list[Mask] = []
        self.unpacked = self.waiting = 0

    def add(self, value: dict[str, Any], name: str) -> str:
        """Decode a mask; return the reason if that fails, else an empty string."""
        try:
            run = runs_of(value)
        except (KeyError, TypeError, ValueError, OverflowError):
            return BROKEN
        self.shape = self.shape or run.size
        if run.size != self.shape:
            return MISFIT
        if not len(run.starts):
            return FLAT
        if run.pixels > MOST_OF_CELL or len(run.starts) > MOST_RUNS:
            return HUGE
        self.unpacked += run.pixels
        if self.unpacked > MOST_UNPACKED:
            raise PixCellError(
                f"The run-length masks of {self.name} are too large to decode. Export polygons "
                "instead."
            )
        self.masks.append((*run.crop(), name))
        self.waiting += run.pixels
        return ""

    def trace(self) -> tuple[NDArray[Any], list[str]]:
        """Return the outlines and class names of the masks added so far, and clear them."""
        masks, self.masks, self.waiting = self.masks, [], 0
        shapes, start, rows, width = [np.empty(0, object)], 0, 0, 0
        for number, (crop, *_) in enumerate(masks):
            rows, width = rows + len(crop), max(width, crop.shape[1])
            if rows * width > MOST_OF_CELL and number > start:
                shapes.append(_outlined(masks[start:number]))
                start, (rows, width) = number, crop.shape
        if masks:
            shapes.append(_outlined(masks[start:]))
        return np.concatenate(shapes), [name for *_, name in masks]


def _outlined(masks: list[Mask]) -> NDArray[Any]:
    """Return the outlines of masks, traced below each other in one image."""
    starts = np.cumsum([0, *(len(crop) for crop, *_ in masks)])
    atlas = np.zeros((starts[-1], max(crop.shape[1] for crop, *_ in masks)), np.int32)
    for number, (crop, *_) in enumerate(masks):
        atlas[starts[number] : starts[number + 1], : crop.shape[1]] = crop * np.int32(number + 1)
    shapes = outlines_of(atlas).polygons
    points, owner = shapely.get_coordinates(shapes, return_index=True)
    shift = np.array([(left, top) for _, left, top, _ in masks]) - [(0, y) for y in starts[:-1]]
    return np.asarray(shapely.set_coordinates(shapes, points + shift[owner]))
