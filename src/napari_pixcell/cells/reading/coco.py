"""COCO annotations: polygons and run-length masks."""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from napari_pixcell.cells.outlines import outlines_of
from napari_pixcell.cells.reading import limits
from napari_pixcell.cells.reading.gathering import BROKEN, FLAT, SHAPELESS, CellsFile, Gatherer
from napari_pixcell.cells.reading.json_stream import items, open_json
from napari_pixcell.errors import PixCellError

TRACED_AT_ONCE = 256  # run-length masks
NAMES_SHOWN = 5
MOST_DECODED = 50_000_000_000  # px of all run-length masks together; takes some minutes


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
            value.get("id"): str(value.get("name", ""))
            for value in items(file, "categories.item")
            if isinstance(value, dict)
        }
    chosen = _choose(path.name, images, image)
    shape = _shape(chosen)
    gatherer, runs = Gatherer(), _Runs()
    with open_json(path) as file:
        for value in items(file, "annotations.item"):
            if not isinstance(value, dict):
                gatherer.drop(BROKEN)
            elif chosen is None or value.get("image_id") == chosen.get("id"):
                _take(gatherer, runs, value, names.get(value.get("category_id"), ""))
            if len(runs.masks) >= TRACED_AT_ONCE:
                gatherer.add_shapes(*runs.trace())
    gatherer.add_shapes(*runs.trace())
    return gatherer.finish(path.name, shape)


def _choose(file: str, images: list[dict[str, Any]], wanted: str) -> dict[str, Any] | None:
    if len(images) < 2:
        return images[0] if images else None
    fitting = [one for one in images if wanted and _stem(one.get("file_name")) == _stem(wanted)]
    if len(fitting) == 1:
        return fitting[0]
    shown = ", ".join(_name(one.get("file_name")) for one in images[:NAMES_SHOWN])
    more = f" and {len(images) - NAMES_SHOWN:,} more" if len(images) > NAMES_SHOWN else ""
    raise PixCellError(
        f"{file} has the cells of {len(images):,} images ({shown}{more}). Choose one of them."
    )


def _name(value: Any) -> str:
    return PureWindowsPath(str(value)).name  # splits at either slash


def _stem(value: Any) -> str:
    return PurePosixPath(_name(value)).stem.lower()


def _shape(image: dict[str, Any] | None) -> tuple[int, int] | None:
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
    try:
        rings = [np.asarray(flat, np.float64).reshape(-1, 2) for flat in shape]
    except (TypeError, ValueError):
        gatherer.drop(BROKEN)
        return
    gatherer.add([[ring] for ring in rings], name)


class _Runs:
    """Run-length masks, decoded by pycocotools and traced together."""

    def __init__(self) -> None:
        self.masks: list[tuple[NDArray[np.uint8], int, int, str]] = []  # crop, left, top, class
        self.decoded = 0

    def add(self, value: dict[str, Any], name: str) -> str:
        """Decode a mask; return the reason if that fails, else an empty string."""
        from pycocotools import mask

        try:
            height, width = (int(n) for n in value["size"])
            limits.check_pixels("A run-length mask", (height, width))
            self.decoded += height * width
            if self.decoded > MOST_DECODED:
                raise PixCellError(
                    "The run-length masks are too large to decode. Export polygons instead."
                )
            counts = value["counts"]
            if isinstance(counts, list):
                counts = [int(n) for n in counts]
                if min(counts) < 0 or sum(counts) != height * width:
                    return BROKEN
                runs = mask.frPyObjects({"size": [height, width], "counts": counts}, height, width)
            else:
                runs = {"size": [height, width], "counts": str(counts).encode()}
            full = mask.decode(runs)
            if full.max(initial=0) > 1 or int(full.sum(dtype=np.int64)) != int(mask.area(runs)):
                return BROKEN  # shorter than the picture
        except (KeyError, TypeError, ValueError, OverflowError):
            return BROKEN
        rows, columns = np.flatnonzero(full.any(axis=1)), np.flatnonzero(full.any(axis=0))
        if not len(rows):
            return FLAT
        top, left = int(rows[0]), int(columns[0])
        crop = full[top : rows[-1] + 1, left : columns[-1] + 1].copy()
        self.masks.append((crop, left, top, name))
        return ""

    def trace(self) -> tuple[NDArray[Any], list[str]]:
        """Return the outlines and class names of the masks added so far, and clear them."""
        masks, self.masks = self.masks, []
        if not masks:
            return np.empty(0, object), []
        starts = np.cumsum([0, *(len(crop) for crop, *_ in masks)])
        atlas = np.zeros((starts[-1], max(crop.shape[1] for crop, *_ in masks)), np.int32)
        for number, (crop, *_) in enumerate(masks):
            atlas[starts[number] : starts[number + 1], : crop.shape[1]] = crop * (number + 1)
        shapes = outlines_of(atlas).polygons
        points, owner = shapely.get_coordinates(shapes, return_index=True)
        shift = np.array([(left, top) for _, left, top, _ in masks]) - [(0, y) for y in starts[:-1]]
        return shapely.set_coordinates(shapes, points + shift[owner]), [one[-1] for one in masks]
