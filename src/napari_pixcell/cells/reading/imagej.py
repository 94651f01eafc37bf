"""ROIs of ImageJ, Fiji and StarDist, single or zipped."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from napari_pixcell.cells.reading import limits
from napari_pixcell.cells.reading.gathering import BROKEN, FARTHEST, CellsFile, Gatherer, closed
from napari_pixcell.cells.reading.geojson import LINES_WORDS
from napari_pixcell.cells.reading.json_stream import BROKEN_ZIP, visible
from napari_pixcell.cells.reading.repairing import even_odd
from napari_pixcell.errors import PixCellError

MAGIC = b"Iout"
LARGEST_ROI = 16 * 2**20  # bytes
NO_AREA = ("LINE", "FREELINE", "POLYLINE", "ANGLE", "POINT", "NOROI")
LABELS = ("TEXT", "ARROW", "IMAGE")


def read_rois(path: Path) -> CellsFile:
    """Read area ROIs as cells, with their group as class.

    Like ours, ImageJ's coordinates count from pixel corners. Those of Cellpose's ``_rois.zip``
    are the centres of a cell's outermost pixels.
    """
    rois = [_parsed(data) for data in _entries(path)]
    chains = [one.paths for one in rois if one.paths]
    gatherer = Gatherer(on_centres=_is_cellpose(chains, path.name))
    for roi in rois:
        if roi.why:
            gatherer.drop(roi.why)
        else:
            gatherer.add(_polygons(roi.paths), roi.name)
    return gatherer.finish(path.name)


class _Roi(NamedTuple):
    paths: list[NDArray[np.float64]]
    name: str = ""
    freehand: bool = False
    why: str = ""  # it is left out


def _entries(path: Path) -> Iterator[bytes | None]:
    if not zipfile.is_zipfile(path):
        data = path.read_bytes()
        if not data.startswith(MAGIC):  # starts like a zip file but is cut short
            raise broken_zip(path.name)
        yield data
        return
    try:
        with zipfile.ZipFile(path) as archive:
            entries = visible(archive)
            total = sum(entry.file_size for entry in entries)
            limits.check_bytes(path.name, total, path.stat().st_size)
            for entry in entries:
                if not entry.filename.lower().endswith(".roi"):
                    yield None
                    continue
                with archive.open(entry) as file:  # a header may state a wrong size
                    data = file.read(LARGEST_ROI + 1)
                yield data if len(data) <= LARGEST_ROI else b""
    except BROKEN_ZIP as error:
        raise broken_zip(path.name) from error


def broken_zip(name: str) -> PixCellError:
    """Return the error for a damaged zip."""
    return PixCellError(f"{name} is not a complete zip file. Export or copy it again.")


def _parsed(data: bytes | None) -> _Roi:
    from roifile import ImagejRoi

    if data is None or not data.startswith(MAGIC):
        return _Roi([], why="that are not ROIs")
    try:
        roi = ImagejRoi.frombytes(data)
        if roi.subtype.name in LABELS or roi.roitype.name in NO_AREA:
            return _Roi([], why=LINES_WORDS)
        paths = [np.asarray(path, np.float64) for path in roi.coordinates(multi=True)]
    except Exception:  # roifile raises anything on damaged data
        return _Roi([], why=BROKEN)
    name = f"group {roi.group}" if roi.group else ""
    return _Roi(paths, name, roi.roitype.name == "FREEHAND")


def _is_cellpose(chains: list[list[NDArray[np.float64]]], name: str) -> bool:
    """Whether outlines step from pixel to pixel, diagonally too, as Cellpose writes them.

    Outlines along pixel edges, such as those of ImageJ's wand, have no diagonal steps.
    """
    diagonal = name.lower().endswith("_rois.zip")
    for paths in chains:
        if len(paths) != 1 or len(paths[0]) < 2:
            return False
        steps = np.abs(np.diff(paths[0], axis=0, append=paths[0][:1]))
        if not np.isin(steps, (0, 1)).all():
            return False
        diagonal = diagonal or bool((steps.sum(axis=1) == 2).any())
    return bool(chains) and diagonal


def _polygons(paths: list[NDArray[np.float64]]) -> list[list[Any]]:
    """Return the polygons of a ROI; in a composite one, an overlap of two paths is a hole."""
    if len(paths) < 2:
        return [[path] for path in paths]
    usable = [path for path in paths if len(path) > 2 and (np.abs(path) < FARTHEST).all()]
    if not usable:
        return []
    shape = even_odd([closed(path) for path in usable])
    return [
        [shapely.get_coordinates(ring) for ring in (part.exterior, *part.interiors)]
        for part in shapely.get_parts(shape)
        if part.geom_type == "Polygon" and not part.is_empty
    ]
