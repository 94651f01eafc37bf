"""Files of features, written as TRIDENT, CLAM and the published cohorts store them."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

SIZE = 1536
SIDE = 512  # of a patch at level 0: 256 px at 20× on a slide of 40×


def features_of(count: int, size: int = SIZE, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(count, size)).astype(np.float32)


def places(rows: int, columns: int, side: int = SIDE, start: tuple[int, int] = (0, 0)) -> Any:
    """Return x and y of patches row by row: int64, (rows × columns, 2)."""
    down, across = np.indices((rows, columns)).reshape(2, -1)
    return np.stack([start[0] + across * side, start[1] + down * side], -1).astype(np.int64)


def write_trident(
    path: Path,
    features: NDArray[Any],
    coords: NDArray[Any],
    encoder: str | None = "uni_v2",
    **stated: Any,
) -> Path:
    """Write a file as TRIDENT does: a chunk a row, and attributes of coords."""
    stated = {
        "patch_size": 256,
        "patch_size_level0": SIDE,
        "level0_magnification": 40,
        "target_magnification": 20,
        "overlap": 0,
        "name": "Doe 1954",
        "savetodir": "somewhere",
        "level0_width": int(coords[..., 0].max()) + SIDE if coords.size else SIDE,
        "level0_height": int(coords[..., 1].max()) + SIDE if coords.size else SIDE,
    } | stated
    with h5py.File(path, "w") as file:
        for name, values in (("features", features), ("coords", coords)):
            shape = values.shape
            data = file.create_dataset(
                name, shape, values.dtype, chunks=(1, *shape[1:]), maxshape=(None, *shape[1:])
            )
            data[:] = values
        own = {"name": "Doe 1954", "savetodir": "somewhere"}
        file["features"].attrs.update(own if encoder is None else own | {"encoder": encoder})
        file["coords"].attrs.update(stated)
    return path


def write_clam(path: Path, features: NDArray[Any], coords: NDArray[Any]) -> Path:
    """Write a file as CLAM does: 32 rows a chunk, and no attributes."""
    with h5py.File(path, "w") as file:
        for name, values in (("features", features), ("coords", coords.astype(np.int32))):
            shape = values.shape
            file.create_dataset(
                name, data=values, chunks=(32, *shape[1:]), maxshape=(None, *shape[1:])
            )
    return path


class CountedFile(io.FileIO):
    """A file that counts the bytes that are read from it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb")
        self.bytes = 0

    def readinto(self, buffer: Any) -> int:
        count = super().readinto(buffer) or 0
        self.bytes += count
        return count

    def read(self, size: int = -1) -> bytes:
        data = super().read(size) or b""
        self.bytes += len(data)
        return data


def make_endless(path: Path) -> None:
    """Damage a file of features so that HDF5 1.14 never ends when it opens it.

    The list of free places in its heap of names leads from the first one to itself.
    """
    data = bytearray(path.read_bytes())
    heap = data.find(b"HEAP")
    _, free, names = struct.unpack_from("<QQQ", data, heap + 8)
    struct.pack_into("<Q", data, names + free, free)
    path.write_bytes(data)
