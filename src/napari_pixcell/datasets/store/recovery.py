"""Pairs and files without a row: pairs are read back from their images, nothing is deleted."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.marks import Marked, read_marked
from napari_pixcell.datasets.store.dataset import (
    MOST_FILE_BYTES,
    Dataset,
    DatasetLayout,
    DatasetStyle,
)
from napari_pixcell.datasets.store.plan import PlannedPair
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.record import Record, pixels_sha256
from napari_pixcell.errors import PixCellError
from napari_pixcell.untrusted import read_bounded

LEFTOVER = "leftover"  # folder for files that belong to no pair
NOTHING = b""  # digest of “no style” or of no layout
_UNFINISHED = re.compile(
    r"\..+\.\w{1,16}\.part"
)  # as write_whole names a file until it is complete


class RecoveredPair(NamedTuple):
    """A pair whose row is missing: all that its image holds."""

    image: NDArray[np.uint8]
    record: Record


def recover_pair(
    dataset: Dataset, pair: PlannedPair, style: DatasetStyle, layout: DatasetLayout | None
) -> RecoveredPair | None:
    """Return a planned pair that is complete in the folder, although it has no row.

    Parameters
    ----------
    style, layout
        Those of the pair. Its record must have been made with them.

    Returns
    -------
    RecoveredPair or None
        None if there is no such image, or it is not the planned one.
    """
    for apart in (False, True):
        name, _ = dataset.pair_names(pair.index, apart)
        path = dataset.folder / name
        if not path.is_file():
            continue
        try:
            marked = read_marked(read_bounded(path, MOST_FILE_BYTES), name)
            record = Record.from_dict(marked.record or {})
        except (PixCellError, OSError, ValueError):
            continue
        if marked.synthetic and _is_planned(marked, record, pair, style, layout):
            return RecoveredPair(marked.pixels, record)
    return None


def _is_planned(
    marked: Marked,
    record: Record,
    pair: PlannedPair,
    style: DatasetStyle,
    layout: DatasetLayout | None,
) -> bool:
    request = record.request
    return (
        0 <= request.seed - pair.seed < pair.candidates
        and packed_digest(request.embedding) == array_digest(style.embedding)
        and packed_digest(request.layout) == array_digest(layout.labels if layout else None)
        and record.sha256 == pixels_sha256(marked.pixels)
    )


def array_digest(array: NDArray[Any] | None) -> bytes:
    """Return 32 bytes that depend on the values of an array, but not on the width of its type."""
    if array is None:
        return NOTHING
    if not np.issubdtype(array.dtype, np.integer):  # a tile's embeddings may be flat or a grid
        return hashlib.sha256(np.ascontiguousarray(array, np.float32).tobytes()).digest()
    values = np.ascontiguousarray(array, np.int64)
    return hashlib.sha256(repr(values.shape).encode() + values.tobytes()).digest()


def packed_digest(packed: PackedArray | None) -> bytes:
    """Return :func:`array_digest` of an array of a request."""
    return array_digest(packed.view() if packed is not None else None)


def is_unfinished(name: str) -> bool:
    """Return True for the name of a file that a killed process did not complete."""
    return name.startswith(".") and _UNFINISHED.fullmatch(name) is not None


def names_below(folder: Path, name: str, deep: bool = True) -> Iterator[str]:
    """Iterate over the files and links in a folder of a dataset; none if it is missing.

    Parameters
    ----------
    folder : Path
        Of the dataset.
    name : str
        Path of the folder in it, with “/” between its parts; empty for the dataset itself.
    deep : bool
        Also those in its subfolders.

    Yields
    ------
    str
        Path in the dataset. There may be millions, so none is an object of its own.
    """
    inside = folder / name
    if not inside.is_dir():
        return
    within = f"{name}/" if name else ""
    with os.scandir(inside) as entries:
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                yield f"{within}{entry.name}"
            elif deep:
                yield from names_below(folder, f"{within}{entry.name}")


def unfinished_in(folder: Path, deep: bool = False) -> Iterator[Path]:
    """Iterate over the files in a folder, or also below it, that a process did not complete."""
    for name in names_below(folder, "", deep):
        if not is_unfinished(name.rpartition("/")[2]):
            continue
        path = folder / name
        if path.is_file() and not path.is_symlink():
            yield path


def set_aside(folder: Path, name: str) -> str:
    """Move a file of a dataset to the folder of leftovers, and return its new name."""
    new = free_place(folder, name)
    (folder / name).rename(new)
    return new.relative_to(folder).as_posix()


def free_place(folder: Path, name: str) -> Path:
    """Return an unused path among the leftovers for a file of a dataset."""
    new, number = folder / LEFTOVER / name, 1
    new.parent.mkdir(parents=True, exist_ok=True)
    stem, suffix = new.stem, new.suffix
    while new.exists() or new.is_symlink():
        number += 1
        new = new.with_name(f"{stem}-{number}{suffix}")
    return new
