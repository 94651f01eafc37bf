"""Parquet: GeoParquet of geopandas and SpatialData, Vizgen, and the boundaries of Xenium."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from napari_pixcell.cells.reading.gathering import BROKEN, SHAPELESS, CellsFile, Gatherer
from napari_pixcell.cells.reading.geojson import LINES_WORDS
from napari_pixcell.cells.reading.shapes import SIMPLE, Ring, ellipse
from napari_pixcell.cells.reading.vertex_tables import (
    MICRON,
    MOST_BYTES,
    MOST_ROWS,
    is_vertex_table,
    read_vertex_parquet,
)
from napari_pixcell.errors import PixCellError
from napari_pixcell.untrusted import LONGEST_NAME, parse_json

MOST_POINTS = 20_000_000  # with what each ring costs besides
PER_RING = 16
ROWS_AT_ONCE = 1024
CLASSES = ("classification", "class", "class_name", "cell_type")
RADIUS, PLANE, VIZGEN = "radius", "ZIndex", "EntityID"
POINT, POLYGON, MULTIPOLYGON = 1, 3, 6  # of well-known binary
HAS_Z, HAS_M, HAS_ID = 0x80000000, 0x40000000, 0x20000000


def read_parquet(path: Path) -> CellsFile:
    """Read the geometries of a table as cells.

    Coordinates are pixels of the slide, or µm in files of Xenium and Vizgen. Of several planes of
    Vizgen the middle one is read.

    Raises
    ------
    PixCellError
        If the table has no geometries, or is too large.
    """
    import pyarrow.parquet as pq

    limits = {"thrift_string_size_limit": 2**26, "thrift_container_size_limit": 2**20}
    with path.open("rb") as raw:
        file = pq.ParquetFile(raw, pre_buffer=False, **limits)
        names = file.schema_arrow.names
        _check(path.name, file)
        column = "" if is_vertex_table(names) else _geometry(path.name, file)
        raw.seek(0)
        # As dictionaries, repeated long values need no more memory than in the file.
        fields = [one.name for one in file.schema_arrow if str(one.type) in ("string", "binary")]
        file = pq.ParquetFile(raw, pre_buffer=False, read_dictionary=fields, **limits)
        if not column:
            return read_vertex_parquet(path, file)
        return _gathered(path.name, file, column)


def _check(name: str, file: Any) -> None:
    about = file.metadata
    groups = [about.row_group(place) for place in range(about.num_row_groups)]
    size = sum(group.total_byte_size for group in groups)
    rows = sum(group.num_rows for group in groups)
    if not 0 <= size <= MOST_BYTES or not 0 <= rows <= MOST_ROWS or about.num_rows != rows:
        raise PixCellError(
            f"“{name}” has {rows:,} rows, too many for a table of cells. Export the cells of a "
            "part of the slide."
        )


def _geometry(name: str, file: Any) -> str:
    """Return the column of geometries."""
    schema = file.schema_arrow
    try:
        about = parse_json((schema.metadata or {})[b"geo"], name)
        column, told = about["primary_column"], about["columns"]
        if column in schema.names and told[column].get("encoding", "WKB") != "WKB":
            raise PixCellError(
                f"The geometries of “{name}” are not encoded as WKB. Save the table with geopandas."
            )
    except (KeyError, TypeError, AttributeError):
        found = [one for one in schema.names if one.lower() in ("geometry", "wkb", "geom")]
        column = found[0] if found else None
    if column not in schema.names:
        shown = ", ".join(schema.names[:5])[:120]
        raise PixCellError(
            f"“{name}” is a Parquet table without outlines (columns {shown}). Export the "
            "boundaries of the cells, as GeoParquet or as cell_boundaries.parquet."
        )
    return str(column)


def _gathered(name: str, file: Any, column: str) -> CellsFile:
    names = file.schema_arrow.names
    kind = next((one for one in CLASSES if one in names), None)
    wanted = [one for one in (column, kind, RADIUS, PLANE) if one in names]
    plane = _plane(file) if PLANE in names else None
    gatherer, points = Gatherer(), 0
    for batch in file.iter_batches(ROWS_AT_ONCE, columns=wanted, use_threads=False):
        told = {one: batch.column(one) for one in wanted}
        for row, value in enumerate(told[column]):
            if plane is not None and told[PLANE][row].as_py() != plane:
                continue
            label = told[kind][row].as_py() if kind else None
            radius = told[RADIUS][row].as_py() if RADIUS in told else None
            try:
                shape = _shape(value.as_py(), radius)
            except (ValueError, TypeError, struct.error):
                gatherer.drop(BROKEN)
                continue
            if shape is None:
                gatherer.drop(LINES_WORDS if value.is_valid else SHAPELESS)
                continue
            gatherer.changed[SIMPLE] += RADIUS in told
            points += sum(len(ring) + PER_RING for rings in shape for ring in rings)
            if points > MOST_POINTS:
                raise PixCellError(
                    f"“{name}” has too many vertices. Export the cells of a part of the slide."
                )
            gatherer.add(shape, label[:LONGEST_NAME] if isinstance(label, str) else "")
    return gatherer.finish(name).with_mpp(MICRON if VIZGEN in names else None)


def _plane(file: Any) -> Any:
    """Return the middle plane, because each cell is there once in every plane."""
    planes: set[Any] = set()
    for batch in file.iter_batches(65_536, columns=[PLANE], use_threads=False):
        planes.update(one for one in batch.column(0).unique().to_pylist() if one is not None)
    ordered = sorted(planes)
    return ordered[len(ordered) // 2] if ordered else None


def _shape(value: Any, radius: Any) -> list[list[Ring]] | None:
    """Return the polygons of a geometry; None for one without area."""
    if value is None:
        return None
    binary = _Binary(value)
    if radius is not None:
        kind, dimensions = binary.kind()
        if kind != POINT:
            raise ValueError("a radius of no point")
        x, y = binary.points(1, dimensions)[0].tolist()
        return [[ellipse(x, y, float(radius), float(radius))]]
    return binary.polygons()


class _Binary:
    """Well-known binary of polygons; GEOS itself crashes on deeply nested geometries."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.order = data, 0, "<"

    def kind(self) -> tuple[int, int]:
        """Read the kind of the next geometry, and the number of its dimensions."""
        self.order = "<" if self.data[self.at : self.at + 1] == b"\x01" else ">"
        self.at += 1
        code = self._count()
        dimensions = 2 + bool(code & HAS_Z) + bool(code & HAS_M)
        if code & HAS_ID:
            self._count()
        thousands, kind = divmod(code & 0x0FFFFFFF, 1000)
        return kind, dimensions + (0, 1, 1, 2)[min(thousands, 3)]

    def polygons(self) -> list[list[Ring]] | None:
        """Read a polygon or several; return None for another kind."""
        kind, dimensions = self.kind()
        if kind == POLYGON:
            return [self._rings(dimensions)]
        if kind != MULTIPOLYGON:
            return None
        parts = []
        for _ in range(self._count()):
            kind, dimensions = self.kind()
            if kind != POLYGON:
                raise ValueError("not a polygon")
            parts.append(self._rings(dimensions))
        return parts

    def points(self, count: int, dimensions: int) -> Ring:
        """Read points, and return x and y of each."""
        size = count * dimensions
        values = np.frombuffer(self.data, f"{self.order}f8", size, self.at)
        self.at += size * 8
        return values.reshape(count, dimensions)[:, :2].astype(float)

    def _rings(self, dimensions: int) -> list[Ring]:
        return [self.points(self._count(), dimensions) for _ in range(self._count())]

    def _count(self) -> int:
        (count,) = struct.unpack_from(f"{self.order}I", self.data, self.at)
        self.at += 4
        return int(count)
