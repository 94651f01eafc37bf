"""The embeddings of a dataset's pictures, so that their distribution is known without a model.

``embeddings.jsonl`` has a row for each pair: its number, and one embedding of its picture as unit
vector, base64 of float16. With UNI2-h that is 4 KB a pair. Of a picture of several tiles it is one
tile, another one for each pair. The last row of a pair counts. It is written before the row of the
manifest, and says nothing about real tissue.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.processes import Answer, Processes, Work
from napari_pixcell.datasets.store.rows import (
    JsonRow,
    append_rows,
    as_line,
    read_offsets,
    read_rows,
    row_at,
    row_ranges,
)
from napari_pixcell.files import write_whole

EMBEDDINGS = "embeddings.jsonl"


def keep_embedding(folder: Path, index: int, values: NDArray[Any]) -> None:
    """Store the embedding of a pair's picture in the folder of its dataset.

    See :func:`embedding_row`. Raises OSError if it cannot be written; the file is unchanged then.
    """
    row = embedding_row(index, values)
    if row is not None:
        append_rows(folder / EMBEDDINGS, [row])


def embedding_row(index: int, values: NDArray[Any]) -> JsonRow | None:
    """Return the embedding of a pair's picture as a row.

    Parameters
    ----------
    index : int
        Number of the pair.
    values : array, float, (..., dimension)
        Embeddings of the tiles of its picture.

    Returns
    -------
    dict or None
        None if it holds values that are not finite.
    """
    if not np.isfinite(values).all():
        return None
    tiles = values.reshape(-1, values.shape[-1])
    tile = tiles[index % len(tiles)].astype(np.float64)
    tile /= max(float(np.linalg.norm(tile)), 1e-9)
    text = base64.b64encode(tile.astype("<f2").tobytes()).decode()
    return {"index": index, "synthetic": True, "embedding": text}


class KeptEmbeddings:
    """The embeddings of a dataset's pictures, which stay on disk until they are read.

    Parameters
    ----------
    folder : Path
        Of the dataset.
    pairs : int
        Number of planned pairs.
    processes : Processes, optional
        Parse the rows.

    Attributes
    ----------
    known : array, bool, (pairs,)
        True for the pairs with an embedding.
    damaged : int
        Number of rows that cannot be read.
    """

    def __init__(self, folder: Path, pairs: int, processes: Processes | None = None) -> None:
        self._path = folder / EMBEDDINGS
        self._offsets = np.full(pairs, -1, np.int64)
        self.damaged = 0
        settings = {"path": str(self._path), "pairs": pairs}
        for answer in (processes or Processes()).map(_begin, settings, row_ranges(self._path)):
            self.damaged += answer.value
            indices, offsets = np.frombuffer(answer.data, np.int64).reshape(2, -1)
            self._offsets[indices] = offsets
        self.known = self._offsets >= 0

    def read(self, indices: NDArray[Any], dimension: int) -> NDArray[np.float32]:
        """Return the embeddings of pairs: float32, (pairs, dimension).

        A pair without an embedding of this dimension gets NaN.
        """
        found = np.full((len(indices), dimension), np.nan, np.float32)
        for position, index in enumerate(indices):
            if self.known[index]:
                row = row_at(self._path, int(self._offsets[index]))
                values = _values(row or {}, len(self.known))
                if values is not None and len(values) == dimension:
                    found[position] = values
        return found


def _begin(settings: dict[str, Any]) -> Work:
    path, pairs = Path(settings["path"]), settings["pairs"]

    def parse(task: tuple[int, int]) -> Answer:
        found: dict[int, int] = {}  # the last row of a pair counts
        damaged = 0
        for offset, row in read_offsets(path, *task):
            if row is None or _values(row, pairs) is None:
                damaged += 1
            else:
                found[row["index"]] = offset
        return Answer(damaged, np.array([list(found), list(found.values())], np.int64).tobytes())

    return parse


def mend_embeddings(folder: Path, pairs: int) -> KeptEmbeddings:
    """Open the embeddings of a dataset; damaged rows, which hold nothing of use, are removed."""
    kept, path = KeptEmbeddings(folder, pairs), folder / EMBEDDINGS
    if not kept.damaged:
        return kept

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            for row in read_rows(path):
                if _values(row, pairs) is not None:
                    file.write(as_line(row))

    write_whole(path, write)
    return KeptEmbeddings(folder, pairs)


def _values(row: JsonRow, pairs: int) -> NDArray[np.float16] | None:
    """Return the embedding in a row; None if the row is damaged."""
    index, text = row.get("index"), row.get("embedding")
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < pairs:
        return None
    if not isinstance(text, str):
        return None
    try:
        values = np.frombuffer(base64.b64decode(text, validate=True), "<f2")
    except ValueError:
        return None
    return values if len(values) and np.isfinite(values).all() else None
