"""GeoJSON of QuPath, CellViT and geopandas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_pixcell.cells.reading.gathering import BROKEN, SHAPELESS, CellsFile, Gatherer
from napari_pixcell.cells.reading.json_stream import items, open_json

NOT_CELLS = {"tma_core": "of TMA cores", "tile": "of tiles", "root": "of whole slides"}
LINES = ("Point", "MultiPoint", "LineString", "MultiLineString")
LINES_WORDS = "lines or points"


def read_geojson(path: Path, prefix: str) -> CellsFile:
    """Read features as cells.

    The ``nucleusGeometry`` of a cell is preferred to its outline. Annotations are cells only if
    the file has no cells or detections. An annotation of several polygons is then several cells,
    because CellViT writes all cells of a class as one.

    Parameters
    ----------
    prefix : str
        ijson prefix of the features or geometries.
    """
    gatherer = Gatherer()
    with open_json(path) as file:
        for value in items(file, prefix):
            _add_feature(gatherer, value)
    return gatherer.finish(path.name)


def _add_feature(gatherer: Gatherer, value: Any) -> None:
    if not isinstance(value, dict):
        gatherer.drop(BROKEN)
        return
    if value.get("type") != "Feature" and ("coordinates" in value or "geometries" in value):
        value = {"geometry": value}
    properties = value.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    kind = properties.get("objectType", properties.get("object_type"))
    if isinstance(kind, str) and kind in NOT_CELLS:
        gatherer.drop(NOT_CELLS[kind])
        return
    shape = value.get("nucleusGeometry") or properties.get("nucleusGeometry")
    polygons, why = _polygons(shape or value.get("geometry"))
    if not polygons:
        gatherer.drop(why)
        return
    name = class_name(properties.get("classification"))
    around = kind == "annotation"
    if around and len(polygons) > 1:
        gatherer.changed["taken out of annotations of many cells"] += len(polygons)
        for polygon in polygons:
            gatherer.add([polygon], name, around)
    else:
        gatherer.add(polygons, name, around)


def _polygons(geometry: Any) -> tuple[list[Any], str]:
    """Return the polygons of a geometry, and the reason if there are none."""
    if not isinstance(geometry, dict):
        return [], SHAPELESS
    kind = geometry.get("type")
    if kind == "GeometryCollection":
        found: list[Any] = []
        for member in _list(geometry.get("geometries")):
            found += _polygons(member)[0]
        return found, LINES_WORDS if geometry.get("geometries") else SHAPELESS
    if kind in LINES:
        return [], LINES_WORDS
    values = _list(geometry.get("coordinates"))
    if kind == "Polygon":
        values = [values] if values else []
    elif kind != "MultiPolygon":
        return [], "of an unknown kind"
    if not all(isinstance(rings, list) for rings in values):
        return [], BROKEN
    return values, SHAPELESS


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def class_name(value: Any) -> str:
    """Return the class name as written by any version of QuPath.

    Parameters
    ----------
    value : dict, list or str
        ``{"name": "Tumor"}``, ``{"names": ["Tumor", "Positive"]}``, the names alone, or the name.
    """
    if isinstance(value, dict):
        value = value.get("name") or value.get("names")
    if isinstance(value, list):
        return ": ".join(str(part) for part in value)
    return value if isinstance(value, str) else ""
