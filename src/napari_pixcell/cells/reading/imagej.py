"""ROIs of ImageJ, Fiji and StarDist, single or zipped."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from napari_pixcell.cells.reading import limits
from napari_pixcell.cells.reading.gathering import BROKEN, CellsFile, Gatherer
from napari_pixcell.cells.reading.geojson import LINES_WORDS
from napari_pixcell.errors import PixCellError

MAGIC = b"Iout"
NO_AREA = ("LINE", "FREELINE", "POLYLINE", "ANGLE", "POINT", "NOROI")
LABELS = ("TEXT", "ARROW", "IMAGE")


def read_rois(path: Path) -> CellsFile:
    """Read area ROIs as cells, with their group as class.

    Like ours, ImageJ's coordinates count from pixel corners.
    """
    gatherer = Gatherer()
    for data in _entries(path):
        if data is None or not data.startswith(MAGIC):
            gatherer.drop("that are not ROIs")
            continue
        _add_roi(gatherer, data)
    return gatherer.finish(path.name)


def _entries(path: Path) -> Iterator[bytes | None]:
    if not zipfile.is_zipfile(path):
        data = path.read_bytes()
        if not data.startswith(MAGIC):  # starts like a zip file but is cut short
            raise _broken(path)
        yield data
        return
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [one for one in archive.infolist() if not one.filename.endswith("/")]
            limits.check_bytes(path.name, sum(entry.file_size for entry in entries))
            for entry in entries:
                yield archive.read(entry) if entry.filename.lower().endswith(".roi") else None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise _broken(path) from error


def _broken(path: Path) -> PixCellError:
    return PixCellError(f"{path.name} is not a complete zip of ROIs. Export or copy it again.")


def _add_roi(gatherer: Gatherer, data: bytes) -> None:
    from roifile import ImagejRoi

    try:
        roi = ImagejRoi.frombytes(data)
        if roi.subtype.name in LABELS or roi.roitype.name in NO_AREA:
            gatherer.drop(LINES_WORDS)
            return
        paths = [np.asarray(path, np.float64) for path in roi.coordinates(multi=True)]
    except (ValueError, TypeError, IndexError, struct.error, NotImplementedError, RuntimeError):
        gatherer.drop(BROKEN)
        return
    name = f"group {roi.group}" if roi.group else ""
    gatherer.add(_even_odd(paths) if len(paths) > 1 else [[path] for path in paths], name)


def _even_odd(paths: list[Any]) -> list[list[Any]]:
    """Return the polygons of a composite ROI, where an overlap of two paths is a hole."""
    usable = [path for path in paths if len(path) > 2 and np.isfinite(path).all()]
    areas = [shapely.make_valid(shapely.Polygon(path)) for path in usable]
    shape = shapely.symmetric_difference_all(areas)
    return [
        [shapely.get_coordinates(ring) for ring in (part.exterior, *part.interiors)]
        for part in shapely.get_parts(shape)
        if part.geom_type == "Polygon" and not part.is_empty
    ]
