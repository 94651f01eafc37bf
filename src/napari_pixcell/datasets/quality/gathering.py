"""Gathers the real tiles of all styles of a dataset, of which there may be millions.

The tiles of many styles are written one after the other into a file for each kind of value. Every
process maps these files into memory, so that all of them share it and none reads a million files.
The files are private, like those they are made from.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from napari_pixcell.datasets.quality.alignment import SIDE, coarse
from napari_pixcell.datasets.quality.copies import OTHER_MODEL, RealTiles
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import private_folder, write_whole

MOST_HELD = 1000  # styles whose tiles are read into memory
STACKED = "stacked"  # folder beside that of the tiles
HEAD, LOCK = "stacked.json", ".lock"
KINDS: dict[str, np.dtype[Any]] = {  # of values, by the names of their files
    "embeddings": np.dtype("<f4"),
    "pictures": np.dtype("u1"),
    "coarse": np.dtype("<f4"),
}


def gather(folder: Path, most_held: int = MOST_HELD) -> RealTiles:
    """Read the tiles of all files that :meth:`RealTiles.save` wrote to a folder, in order.

    Parameters
    ----------
    folder : Path
    most_held : int
        If there are more files, their tiles are written to a folder beside it, and mapped.

    Raises
    ------
    PixCellError
        If a file is damaged, or several models embedded the tissue.
    """
    paths = sorted(path.name for path in folder.glob("*.npz"))
    if len(paths) <= most_held:
        whole = RealTiles()
        for one in _tiles(folder, paths):
            whole.extend(one)
        return whole
    stacked = folder.with_name(STACKED)
    try:
        private_folder(stacked)
        with FileLock(stacked / LOCK):  # one of all processes writes, the others wait
            state = _state(folder, paths)
            if _read_head(stacked).get("state") != state:
                _write(stacked, folder, paths, state)
            return _mapped(stacked, _read_head(stacked))
    except OSError as error:
        raise PixCellError(
            f"The real tissue cannot be stored in “{stacked}” ({error.strerror}). Free some space "
            "there, or set PIXCELL_DATA_DIR to another folder."
        ) from error


def _tiles(folder: Path, paths: list[str]) -> Iterator[RealTiles]:
    return (one for one in (RealTiles.load(folder / path) for path in paths) if len(one))


def _state(folder: Path, paths: list[str]) -> list[int]:
    """Return numbers that change if any of the files does."""
    found = [(folder / path).stat() for path in paths]
    return [len(paths), sum(one.st_size for one in found), max(one.st_mtime_ns for one in found)]


def _read_head(stacked: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((stacked / HEAD).read_text()))
    except (OSError, ValueError, TypeError):  # there is none yet, or it is damaged
        return {}


def _write(stacked: Path, folder: Path, paths: list[str], state: list[int]) -> None:
    """Write the tiles of all files, and then the head that makes them count."""
    (stacked / HEAD).unlink(missing_ok=True)
    for old in stacked.glob("*.bin"):
        old.unlink()
    tiles, dimension = 0, 0
    with ExitStack() as stack:
        files = {kind: stack.enter_context(_private(stacked / f"{kind}.bin")) for kind in KINDS}
        for one in _tiles(folder, paths):
            embeddings, pictures = one.embeddings, one.pictures
            if dimension not in (0, embeddings.shape[1]):
                raise PixCellError(OTHER_MODEL)
            tiles, dimension = tiles + len(one), embeddings.shape[1]
            arrays: list[NDArray[Any]] = [embeddings, pictures, coarse(pictures)]
            for (kind, dtype), values in zip(KINDS.items(), arrays, strict=True):
                files[kind].write(values.astype(dtype, copy=False).tobytes())
        for file in files.values():
            file.flush()
            os.fsync(file.fileno())
    head = {"state": state, "tiles": tiles, "dimension": dimension}
    write_whole(stacked / HEAD, json.dumps(head), private=True)


def _private(path: Path) -> Any:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def _mapped(stacked: Path, head: dict[str, Any]) -> RealTiles:
    tiles, dimension = head["tiles"], head["dimension"]
    if not tiles:
        return RealTiles()
    shapes = (tiles, dimension), (tiles, SIDE, SIDE), (tiles, SIDE**2 // 4)
    arrays = [
        np.asarray(np.memmap(stacked / f"{kind}.bin", KINDS[kind], "r", shape=shape))
        for kind, shape in zip(KINDS, shapes, strict=True)
    ]
    return RealTiles.of(*arrays)
