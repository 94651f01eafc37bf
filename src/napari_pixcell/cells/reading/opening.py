"""Which kind a file of cells is, told by its content, and who reads it."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

from napari_pixcell.cells.reading import limits
from napari_pixcell.cells.reading.cells_file import CellsFile
from napari_pixcell.cells.reading.json_stream import BOM, GZIP, open_json
from napari_pixcell.errors import PixCellError

NPY, ZIP, ROI = b"\x93NUMPY", b"PK", b"Iout"
PICTURES = (b"\x89PNG", b"GIF8", b"BM", b"\xff\xd8")
TIFFS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
EVENTS_SEEN = 200_000  # of a JSON file, until its kind must be clear
JSON_SUFFIXES = (".json", ".geojson", ".gz")
COCO_KEYS = ("images", "annotations", "categories", "licenses", "info")
CELLVIT_KEYS = ("cells", "wsi_metadata", "processed_patches", "type_map")
GEOMETRIES = ("Polygon", "MultiPolygon", "Point", "MultiPoint", "LineString", "MultiLineString")


def read_cells(path: Path | str, *, image: str = "", split_touching: bool = False) -> CellsFile:
    """Read cells out of any file that we know.

    QuPath GeoJSON (``.geojson``, ``.json``, ``.geojson.gz``), label images and masks (TIFF,
    OME-TIFF, PNG, NPY), Cellpose ``_seg.npy``, COCO, HoVer-Net and CellViT JSON, and ROIs of
    ImageJ (``.roi``, ``.zip``).

    Parameters
    ----------
    path : Path or str
    image : str
        Name of the picture that is meant, where a file has the cells of several.
    split_touching : bool
        Whether touching cells of a black and white mask are split at their waists.

    Returns
    -------
    CellsFile

    Raises
    ------
    PixCellError
        If it is missing, empty, too large, damaged, of another kind, or has no cells.
    """
    path = Path(path)
    limits.check_file(path)
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(NPY):
        return _labels(path, "npy", split_touching)
    if head.startswith(TIFFS):
        return _labels(path, "tiff", split_touching)
    if head.startswith((ZIP, ROI)):
        from napari_pixcell.cells.reading.imagej import read_rois

        return read_rois(path)
    text = head.removeprefix(BOM).lstrip()
    if head.startswith(PICTURES):
        return _labels(path, "picture", split_touching)
    if head.startswith(GZIP) or text[:1] in (b"{", b"[") or path.suffix.lower() in JSON_SUFFIXES:
        return _read_json(path, image)
    return _labels(path, "picture", split_touching)


def _labels(path: Path, kind: str, split_touching: bool) -> CellsFile:
    from napari_pixcell.cells.reading.label_images import read_labels

    return read_labels(path, kind, split_touching)


def _read_json(path: Path, image: str) -> CellsFile:
    kind, prefix = _json_kind(path)
    if kind == "geojson":
        from napari_pixcell.cells.reading.geojson import read_geojson

        return read_geojson(path, prefix)
    if kind == "coco":
        from napari_pixcell.cells.reading.coco import read_coco

        return read_coco(path, image)
    from napari_pixcell.cells.reading.contours import read_cellvit, read_hovernet

    return read_cellvit(path) if kind == "cellvit" else read_hovernet(path, prefix)


def _json_kind(path: Path) -> tuple[str, str]:
    """Give the kind of a JSON file and where ijson finds its cells, from its first few keys."""
    import ijson

    with open_json(path) as file:
        for prefix, event, value in islice(ijson.parse(file), EVENTS_SEEN):
            found = _kind_by(prefix, event, value)
            if found is not None:
                return found
    raise PixCellError(
        f"{path.name} is JSON, but not of cells that we know; export GeoJSON from QuPath, COCO, or "
        "the JSON of HoVer-Net or CellViT."
    )


def _kind_by(prefix: str, event: str, value: Any) -> tuple[str, str] | None:
    """Tell the kind from one event of ijson, or go on."""
    if prefix == "" and event == "map_key":
        if value in COCO_KEYS:
            return "coco", ""
        if value in CELLVIT_KEYS:
            return "cellvit", ""
        places = {"features": "features.item", "geometries": "geometries.item"}
        if value in places:
            return "geojson", places[value]
        if value in ("geometry", "coordinates"):
            return "geojson", ""
        return ("hovernet", "nuc") if value == "nuc" else None
    if prefix == "type" and value in ("Feature", *GEOMETRIES):
        return "geojson", ""
    if event == "start_map" and prefix == "item":
        return "geojson", "item"
    if event == "map_key" and value == "contour" and prefix and "." not in prefix:
        return "hovernet", ""
    return None
