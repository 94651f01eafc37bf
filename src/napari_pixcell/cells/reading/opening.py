"""Recognise a file of cells by its content, and read it."""

from __future__ import annotations

import zipfile
from itertools import islice
from pathlib import Path
from typing import Any

import ijson

from napari_pixcell.cells.reading import limits
from napari_pixcell.cells.reading.coco import read_coco, read_coco_results
from napari_pixcell.cells.reading.contours import read_cellvit, read_hovernet, read_hovernet_list
from napari_pixcell.cells.reading.foreign import read_foreign
from napari_pixcell.cells.reading.gathering import CellsFile
from napari_pixcell.cells.reading.geojson import read_geojson
from napari_pixcell.cells.reading.imagej import broken_zip, read_rois
from napari_pixcell.cells.reading.json_stream import (
    BOM,
    BROKEN_ZIP,
    GZIP,
    check_unpacked,
    open_json,
    visible,
)
from napari_pixcell.cells.reading.label_images import read_labels
from napari_pixcell.cells.reading.labelme import read_labelme
from napari_pixcell.errors import PixCellError
from napari_pixcell.untrusted import reading

NPY, ZIP, ROI = b"\x93NUMPY", b"PK", b"Iout"
PICTURES = (b"\x89PNG", b"GIF8", b"BM", b"\xff\xd8")
TIFFS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
EVENTS_SEEN = 200_000  # JSON events after which recognition is given up
JSON_SUFFIXES = (".json", ".geojson", ".gz")
COCO_KEYS = ("images", "annotations", "categories", "licenses", "info")
COCO_RESULT_KEYS = ("image_id", "category_id", "segmentation")
UNDECIDED_KEYS = ("id", "bbox", "score", "area", "iscrowd")  # of GeoJSON and COCO alike
CELLVIT_KEYS = ("cells", "wsi_metadata", "processed_patches", "type_map")
GEOMETRIES = ("Polygon", "MultiPolygon", "Point", "MultiPoint", "LineString", "MultiLineString")


def read_cells(path: Path | str, *, image: str = "", split_touching: bool = False) -> CellsFile:
    """Read cells from a file of any supported format.

    These are QuPath GeoJSON (``.geojson``, ``.json``, ``.geojson.gz``, ``.geojson.zip``), label
    images, masks and class maps (TIFF, OME-TIFF, PNG, NPY, NPZ), Cellpose ``_seg.npy`` and
    ``_rois.zip``, COCO annotations and results, HoVer-Net and CellViT JSON, ROIs of ImageJ
    (``.roi``, ``.zip``), Labelme, and the formats of :mod:`.foreign`: XML of Aperio, ASAP and
    CVAT, polygons of YOLO and Cellpose, labels of OME-Zarr, boundaries of Xenium, GeoParquet, and
    ``.mat`` of HoVer-Net.

    Parameters
    ----------
    image : str
        Name of the image to choose if the file has the cells of several.
    split_touching : bool
        Whether to split touching cells of a binary mask at their waists.

    Raises
    ------
    PixCellError
        If the file is missing, empty, too large, damaged, of an unknown format, or has no cells.
    """
    path = Path(path)
    foreign = read_foreign(path, image, split_touching)
    if foreign is not None:
        return foreign
    limits.check_file(path)
    with reading(path.name, "Export or copy it again."):
        return _read(path, image, split_touching)


def _read(path: Path, image: str, split_touching: bool) -> CellsFile:
    with path.open("rb") as file:
        head = file.read(4096)
    text = head.removeprefix(BOM).lstrip()
    if head.startswith(ZIP):
        return _read_zip(path, image, split_touching)
    if head.startswith(ROI):
        return read_rois(path)
    is_image = head.startswith((NPY, *TIFFS, *PICTURES))
    is_json = head.startswith(GZIP) or text[:1] in (b"{", b"[")
    if not is_image and (is_json or path.suffix.lower() in JSON_SUFFIXES):
        return _read_json(path, image)
    kind = "npy" if head.startswith(NPY) else "tiff" if head.startswith(TIFFS) else "picture"
    return read_labels(path, kind, split_touching)


def _read_zip(path: Path, image: str, split_touching: bool) -> CellsFile:
    """Read a zip by the names in it: arrays, JSON, or ROIs."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [one.filename.lower() for one in visible(archive)]
    except BROKEN_ZIP as error:
        raise broken_zip(path.name) from error
    if any(name.endswith(".npy") for name in names):
        return read_labels(path, "npz", split_touching)
    if any(name.endswith((".json", ".geojson")) for name in names) and not any(
        name.endswith(".roi") for name in names
    ):
        return _read_json(path, image)
    return read_rois(path)


def _read_json(path: Path, image: str) -> CellsFile:
    check_unpacked(path)
    kind, prefix = _json_kind(path)
    if kind == "geojson":
        return read_geojson(path, prefix)
    if kind == "labelme":
        return read_labelme(path)
    if kind == "coco":
        return read_coco(path, image)
    if kind == "coco results":
        return read_coco_results(path, image)
    if kind == "hovernet list":
        return read_hovernet_list(path)
    return read_cellvit(path) if kind == "cellvit" else read_hovernet(path, prefix)


def _json_kind(path: Path) -> tuple[str, str]:
    """Return the format of a JSON file and the ijson prefix of its cells, from its first keys."""
    with open_json(path) as file:
        for prefix, event, value in islice(ijson.parse(file), EVENTS_SEEN):
            kind = _kind_by(prefix, event, value)
            if kind is not None:
                return kind
    raise PixCellError(
        f"{path.name} is JSON of an unknown format. Export GeoJSON from QuPath, COCO, or the JSON "
        "of HoVer-Net or CellViT."
    )


def _kind_by(prefix: str, event: str, value: Any) -> tuple[str, str] | None:
    """Return the format if one ijson event identifies it, else None."""
    if prefix == "" and event == "map_key":
        if value in COCO_KEYS:
            return "coco", ""
        if value in CELLVIT_KEYS:
            return "cellvit", ""
        if value == "shapes":
            return "labelme", ""
        if value in ("features", "geometries"):
            return "geojson", f"{value}.item"
        if value in ("geometry", "coordinates"):
            return "geojson", ""
        return None
    if prefix == "nuc" and event == "start_map":
        return "hovernet", "nuc"
    if prefix == "type" and value in ("Feature", *GEOMETRIES):
        return "geojson", ""
    if prefix == "item" and event == "map_key" and value in COCO_RESULT_KEYS:
        return "coco results", ""
    if prefix == "item" and event == "map_key" and value not in UNDECIDED_KEYS:
        return "geojson", "item"
    if prefix == "item" and event == "end_map":
        return "geojson", "item"
    if prefix == "nuc" and event == "start_array":
        return "hovernet list", ""
    if event == "map_key" and value == "contour" and prefix and "." not in prefix:
        return "hovernet", ""
    return None
