"""Tables of vertices in µm: the boundaries of cells and nuclei of Xenium, CSV or Parquet."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.reading.gathering import CellsFile, Gatherer
from napari_pixcell.cells.reading.plain import MARKS, chunks
from napari_pixcell.errors import PixCellError

MOST_BYTES = 1 * 2**30  # of a table, uncompressed
MOST_TEXT = 512 * 2**20
LOOKED_AT = 4096
MOST_ROWS = 10_000_000  # vertices; the cells of the largest slides
ROWS_AT_ONCE = 65_536
CELL, PIECE, X, Y = "cell_id", "label_id", "vertex_x", "vertex_y"
NEEDED = (CELL, X, Y)
MICRON = 1.0


def is_vertex_table(names: Iterable[str]) -> bool:
    """True if a table with these columns holds boundaries of cells."""
    return set(NEEDED) <= set(names)


def read_vertex_csv(path: Path, coding: str, delimiter: str) -> CellsFile:
    """Read ``cell_boundaries.csv`` or ``nucleus_boundaries.csv``, perhaps compressed.

    Coordinates are in µm from the corner of the instrument's own image. They are therefore read
    as pixels of 1 µm.
    """
    import pyarrow as pa
    import pyarrow.csv as csv

    data = b"".join(chunks(path, MOST_TEXT)).removeprefix(MARKS[0][0])
    if coding.startswith("utf-16") or coding.startswith("utf-32"):
        data = data.decode(coding).encode()
    commas = b"," in data[:LOOKED_AT].partition(b"\n")[2]
    # From memory, because pyarrow reads files of Python in threads that outlive a failure.
    reader = csv.open_csv(
        pa.BufferReader(data),
        csv.ReadOptions(use_threads=False, block_size=2**20),
        csv.ParseOptions(delimiter=delimiter),
        csv.ConvertOptions(
            column_types={CELL: pa.string(), PIECE: pa.string(), X: pa.float64(), Y: pa.float64()},
            include_columns=[CELL, PIECE, X, Y],
            include_missing_columns=True,
            decimal_point="," if commas and delimiter != "," else ".",
        ),
    )
    return _gathered(path.name, reader)


def read_vertex_parquet(path: Path, file: Any) -> CellsFile:
    """Read ``cell_boundaries.parquet`` or ``nucleus_boundaries.parquet``; see the CSV."""
    names = [name for name in (CELL, PIECE, X, Y) if name in file.schema_arrow.names]
    return _gathered(path.name, file.iter_batches(ROWS_AT_ONCE, columns=names, use_threads=False))


def _gathered(name: str, batches: Iterable[Any]) -> CellsFile:
    """Return the cells of batches of rows; rows of one cell need not be together."""
    known: dict[str, dict[Any, int]] = {CELL: {}, PIECE: {}}
    numbers, points, rows = [], [], 0
    for batch in batches:
        rows += batch.num_rows
        if rows > MOST_ROWS:
            raise PixCellError(
                f"“{name}” has more than {MOST_ROWS:,} vertices. Export the cells of a part of the "
                "slide."
            )
        number = _numbered(batch, CELL, known)
        if PIECE in batch.schema.names:  # a cell can have several nuclei
            number = number << 32 | _numbered(batch, PIECE, known)
        numbers.append(number)
        xy = [np.asarray(batch.column(one).to_numpy(zero_copy_only=False), float) for one in (X, Y)]
        points.append(np.stack(xy, axis=1))
    gatherer = Gatherer()
    if rows:
        number, vertices = np.concatenate(numbers), np.concatenate(points)
        order = np.argsort(number, kind="stable")
        starts = np.flatnonzero(np.diff(number[order]) != 0) + 1
        for ring in np.split(vertices[order], starts):
            gatherer.add([[ring]])
    return gatherer.finish(name).with_mpp(MICRON)


def _numbered(batch: Any, column: str, known: dict[str, dict[Any, int]]) -> NDArray[np.int64]:
    """Return the value of each row as a number, which is the same in all batches."""
    values = batch.column(column)
    if not hasattr(values, "indices"):
        values = values.dictionary_encode(null_encoding="encode")
    seen = known[column]
    of_code = [seen.setdefault(one, len(seen)) for one in [*values.dictionary.to_pylist(), None]]
    codes = values.indices.fill_null(len(of_code) - 1).to_numpy(zero_copy_only=False)
    numbers: NDArray[np.int64] = np.array(of_code, np.int64)[codes]
    return numbers
