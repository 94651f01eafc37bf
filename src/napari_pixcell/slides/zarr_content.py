"""Fingerprints of Zarr folders, without reading all of their many files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from itertools import islice
from math import prod
from pathlib import Path

from napari_pixcell.zarr_files import FILES, is_zarr

MOST_CHUNKS, MOST_FOLDERS, DEEPEST = 256, 64, 4  # that are read; folders within folders
MOST_METADATA, PART = 4 * 2**20, 16384  # bytes that are read of a file


def zarr_file(path: Path) -> Path:
    """Return the metadata file of a Zarr if a path is its folder, else the path."""
    files = (path / name for name in FILES) if path.is_dir() else ()
    return next((one for one in files if one.is_file()), path)


def zarr_key(folder: Path) -> str:
    """Return a fingerprint of metadata and smallest image: 32 hexadecimal digits.

    Labels that are added do not change it.
    """
    digest, arrays = hashlib.sha256(b"zarr"), []
    for place in islice(_zarr_folders(folder, DEEPEST), MOST_FOLDERS):
        for name in FILES:
            path = place / name
            if path.is_file():
                with path.open("rb") as file:
                    data = file.read(MOST_METADATA)
                digest.update(f"{place.relative_to(folder).as_posix()}/{name} {len(data)}".encode())
                digest.update(data)
                arrays += [(size, place) for size in _sizes(data)]
    if arrays:
        for path in islice(_files(min(arrays)[1]), MOST_CHUNKS):
            with path.open("rb") as file:
                digest.update(file.read(PART))
    return digest.hexdigest()[:32]


def _zarr_folders(folder: Path, depth: int) -> Iterator[Path]:
    """Iterate over the groups and arrays of a Zarr, without its labels."""
    yield folder
    if depth and not any((folder / name).is_file() and _is_array(folder / name) for name in FILES):
        for one in sorted(folder.iterdir()):
            if one.name != "labels" and is_zarr(one):
                yield from _zarr_folders(one, depth - 1)


def _is_array(path: Path) -> bool:
    with path.open("rb") as file:
        return bool(_sizes(file.read(MOST_METADATA)))


def _sizes(data: bytes) -> list[int]:
    """Return the size of the array that metadata describes, if it describes one."""
    try:
        shape = json.loads(data)["shape"]
        return [prod(int(n) for n in shape)]
    except (ValueError, TypeError, KeyError, RecursionError):
        return []


def _files(folder: Path) -> Iterator[Path]:
    for one in sorted(folder.iterdir()):
        if one.is_dir() and not one.is_symlink():
            yield from _files(one)
        elif one.is_file() and one.name not in FILES:
            yield one
