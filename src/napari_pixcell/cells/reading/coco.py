"""COCO annotations: polygons and run lengths."""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from napari_pixcell.cells.outlines import outlines_of
from napari_pixcell.cells.reading import limits
from napari_pixcell.cells.reading.cells_file import CellsFile
from napari_pixcell.cells.reading.gathering import BROKEN, FLAT, SHAPELESS, Gatherer
from napari_pixcell.cells.reading.json_stream import items, open_json
from napari_pixcell.errors import PixCellError

TRACED_AT_ONCE = 256  # run lengths
NAMES_SHOWN = 5
MOST_DECODED = 50_000_000_000  # px of all run lengths together: some minutes


def read_coco(path: Path, image: str = "") -> CellsFile:
    """Read the annotations of one image as cells, with categories as classes.

    Parameters
    ----------
    path : Path
    image : str
        Name of the picture that is meant, where the file has several; its suffix does not matter.

    Raises
    ------
    PixCellError
        If the file is of several pictures and none of them has that name.
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
    gatherer, runs = Gatherer(), _Runs(shape)
    with open_json(path) as file:
        for value in items(file, "annotations.item"):
            if not isinstance(value, dict):
                gatherer.drop(BROKEN)
            elif chosen is None or value.get("image_id") == chosen.get("id"):
                _take(gatherer, runs, value, names.get(value.get("category_id"), ""))
            if len(runs.found) >= TRACED_AT_ONCE:
                gatherer.add_shapes(*runs.trace())
    gatherer.add_shapes(*runs.trace())
    outlines, report = gatherer.finish(path.name)
    return CellsFile(path.name, report, outlines=outlines, shape=shape)


def _choose(file: str, images: list[dict[str, Any]], wanted: str) -> dict[str, Any] | None:
    if len(images) < 2:
        return images[0] if images else None
    fitting = [one for one in images if wanted and _stem(one.get("file_name")) == _stem(wanted)]
    if len(fitting) == 1:
        return fitting[0]
    shown = ", ".join(_name(one.get("file_name")) for one in images[:NAMES_SHOWN])
    more = f" and {len(images) - NAMES_SHOWN:,} more" if len(images) > NAMES_SHOWN else ""
    raise PixCellError(
        f"{file} has the cells of {len(images):,} pictures ({shown}{more}); say which one is meant."
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
    """Masks as run lengths, which pycocotools decodes and we trace together."""

    def __init__(self, shape: tuple[int, int] | None) -> None:
        self.shape = shape
        self.found: list[tuple[NDArray[np.uint8], int, int, str]] = []
        self.decoded = 0

    def add(self, value: dict[str, Any], name: str) -> str:
        """Decode one; if that fails, say why."""
        from pycocotools import mask

        try:
            height, width = (int(n) for n in value["size"])
            limits.check_pixels("A run-length mask", (height, width))
            self.decoded += height * width
            if self.decoded > MOST_DECODED:
                raise PixCellError(
                    "The run-length masks are too large to be decoded one by one; export polygons "
                    "instead."
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
        self.found.append((crop, left, top, name))
        return ""

    def trace(self) -> tuple[NDArray[Any], list[str]]:
        """Give the outlines of those that were added, and forget them."""
        found, self.found = self.found, []
        if not found:
            return np.empty(0, object), []
        starts = np.cumsum([0, *(len(crop) for crop, *_ in found)])
        atlas = np.zeros((starts[-1], max(crop.shape[1] for crop, *_ in found)), np.int32)
        for number, (crop, *_) in enumerate(found):
            atlas[starts[number] : starts[number + 1], : crop.shape[1]] = crop * (number + 1)
        shapes = outlines_of(atlas).polygons
        points, owner = shapely.get_coordinates(shapes, return_index=True)
        shift = np.array([(left, top) for _, left, top, _ in found]) - [(0, y) for y in starts[:-1]]
        return shapely.set_coordinates(shapes, points + shift[owner]), [one[-1] for one in found]
