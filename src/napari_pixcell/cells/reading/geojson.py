"""GeoJSON of QuPath, CellViT and geopandas."""

from __future__ import annotations

import json
import re
from ast import literal_eval
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from napari_pixcell.cells.reading.gathering import (
    BROKEN,
    FIRST_PLANE,
    SHAPELESS,
    CellsFile,
    Gatherer,
    Plane,
)
from napari_pixcell.cells.reading.json_stream import items, open_json

NOT_CELLS = {"tmacore": "of TMA cores", "tile": "of tiles", "root": "of whole slides"}
KINDS = ("annotation", "detection", "cell", *NOT_CELLS)
NO_LETTER = re.compile("[^a-z]")
CLASS_KEYS = ("classification", "type_str", "class")  # of QuPath and others
LONGEST_CLASS = 1000  # characters of a class that was written as the text of an object
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
            for one in _with_children(value):
                _add_feature(gatherer, one)
    return gatherer.finish(path.name)


def _with_children(value: Any) -> Iterator[Any]:
    """Iterate over an object of QuPath's hierarchy and all those inside it."""
    yield value
    if isinstance(value, dict):
        inside = _list(value.get("childObjects")) or _list(_properties(value).get("childObjects"))
        for child in inside:
            yield from _with_children(child)


def _properties(value: dict[str, Any]) -> dict[str, Any]:
    properties = value.get("properties")
    return properties if isinstance(properties, dict) else {}


def _kind(value: dict[str, Any], properties: dict[str, Any]) -> str:
    """Return the type of a QuPath object, one of ``KINDS``, or "".

    It is written as ``tmaCore``, ``tma_core`` or ``TMA core``. QuPath 0.2 has the name of a Java
    class as the id: ``TMACoreObject``, ``PathCellObject``.
    """
    names = properties.get("objectType"), properties.get("object_type"), value.get("id")
    for name in names:
        if isinstance(name, str):
            kind = NO_LETTER.sub("", name.lower()).removeprefix("path").removesuffix("object")
            if kind in KINDS:
                return kind
    return ""


def _plane(geometry: Any) -> Plane:
    """Return the plane (z, t) that QuPath writes with a geometry."""
    plane = geometry.get("plane") if isinstance(geometry, dict) else None
    if not isinstance(plane, dict):
        return FIRST_PLANE
    z, t = (plane.get(axis, 0) for axis in "zt")
    whole = all(isinstance(n, int | float) and abs(n) < 2**31 for n in (z, t))
    return (int(z), int(t)) if whole else FIRST_PLANE


def _add_feature(gatherer: Gatherer, value: Any) -> None:
    if not isinstance(value, dict):
        gatherer.drop(BROKEN)
        return
    if value.get("type") != "Feature" and ("coordinates" in value or "geometries" in value):
        value = {"geometry": value}
    properties = _properties(value)
    kind = _kind(value, properties)
    if kind in NOT_CELLS:
        gatherer.drop(NOT_CELLS[kind])
        return
    shape = value.get("nucleusGeometry") or properties.get("nucleusGeometry")
    polygons, why = _polygons(shape or value.get("geometry"))
    if not polygons:
        gatherer.drop(why)
        return
    name = next(filter(None, (class_name(properties.get(key)) for key in CLASS_KEYS)), "")
    plane = _plane(value.get("geometry"))
    around = kind == "annotation"
    if around and len(polygons) > 1:
        gatherer.changed["taken out of annotations of many cells"] += len(polygons)
        for polygon in polygons:
            gatherer.add([polygon], name, around, plane)
    else:
        gatherer.add(polygons, name, around, plane)


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
        if values and _is_ring(values[0]):
            values = [values]
    elif kind == "MultiPolygon" and values and all(_is_ring(ring) for ring in values):
        values = [[ring] for ring in values]
    elif kind != "MultiPolygon":
        return [], "of an unknown kind"
    if not all(isinstance(rings, list) for rings in values):
        return [], BROKEN
    return values, SHAPELESS


def _is_ring(values: Any) -> bool:
    """Whether a value is a list of points, not of rings."""
    point = values[0] if isinstance(values, list) and values else None
    if not isinstance(point, list) or not point or len(values) < 3:
        return False
    return isinstance(point[0], int | float)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def class_name(value: Any) -> str:
    """Return the class name as written by any version of QuPath.

    Parameters
    ----------
    value : dict, list, str or int
        ``{"name": "Tumor"}``, ``{"names": ["Tumor", "Positive"]}``, the names alone, or the name.
        geopandas writes each of them as text.
    """
    if isinstance(value, str) and value[:1] in ("{", "[") and len(value) <= LONGEST_CLASS:
        value = _parsed(value)
    if isinstance(value, dict):
        value = value.get("name") or value.get("names")
    if isinstance(value, list):
        return ": ".join(str(part) for part in value if not isinstance(part, list | dict))
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else ""


def _parsed(text: str) -> Any:
    """Return the value of a JSON or Python literal, or the text if it is none."""
    for parse in (json.loads, literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
    return text
