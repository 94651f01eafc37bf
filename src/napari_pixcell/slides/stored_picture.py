"""Images too large for memory: zarr on disk, written by pixel rows and read by tiles."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import struct
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.errors import PixCellError
from napari_pixcell.files import private_folder, sha256_of, sync_folder, sync_tree, write_whole
from napari_pixcell.folders import cache_folder
from napari_pixcell.preferences import PICTURE, megabytes
from napari_pixcell.slides.corrupt import CorruptTiles, Undecodable
from napari_pixcell.slides.levels import TiledLevel
from napari_pixcell.slides.resample import BLOCK, halve, level_sizes
from napari_pixcell.untrusted import check_regular, read_json

TILE = 512
KEPT_S = 14 * 24 * 3600
SUFFIX = ".zarr"
WHITE = 255
SUMS = "sums.json"  # hashes of the metadata; the pixels have checksums of their own
LONGEST = 1_000_000  # px along a side
MISSING = 2**64 - 1


def is_stored(size: tuple[int, int]) -> bool:
    """Whether an image of (height, width) px is generated on disk instead of in memory.

    The limit is :data:`~napari_pixcell.preferences.PICTURE`, by default about 9,200 × 9,200 px.
    """
    return 3 * size[0] * size[1] > megabytes(PICTURE)


def pictures_folder() -> Path:
    """Return the folder of finished images that are too large for memory."""
    return cache_folder() / "pictures"


class StoredPicture:
    """A finished image on disk: array-like, uint8, (height, width, 3).

    Attributes
    ----------
    levels : list of TiledLevel
        The image itself and its smaller levels, each half as large as the previous one.

    Tiles that the disk damaged are white in ``levels``, and counted. Pixels that are read from the
    picture itself are never wrong: a damaged tile raises PixCellError.

    Raises
    ------
    PixCellError
        If it is missing, incomplete, or not a picture of ours.
    """

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            verified = _verified(folder)
            group: Any = _group(folder, "r")
            arrays = [group[str(index)] for index in range(_levels(group))]
            sizes = level_sizes(arrays[0].shape[:2])
            if [tuple(array.shape) for array in arrays] != [(*size, 3) for size in sizes]:
                raise ValueError("its levels do not fit together")
            for array in arrays:
                _check_layout(array)
        except Exception as error:  # zarr raises anything on damaged metadata
            raise PixCellError(
                "A large image is missing from the cache folder, or damaged. Generate it again "
                "with the same seed and settings."
            ) from error
        self._corrupt = CorruptTiles("large image")
        self.levels = [
            _level(array, index, self._corrupt, folder / str(index), verified)
            for index, array in enumerate(arrays)
        ]
        self.shape = self.levels[0].shape

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        pixels = self.levels[0][key]
        self.check()
        return pixels

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        pixels = self.levels[0].__array__(dtype, copy)
        self.check()
        return pixels

    def check(self) -> None:
        """Raise PixCellError if a tile that was read so far is damaged."""
        if len(self._corrupt):
            raise PixCellError(
                "A large image is damaged on disk. Generate it again with the same seed and "
                "settings."
            )

    def small(self) -> NDArray[np.uint8]:
        """Return the smallest level: uint8, (height, width, 3)."""
        return np.asarray(self.levels[-1])

    def delete(self) -> None:
        """Delete the image from disk."""
        for level in self.levels:
            level.forget()
        shutil.rmtree(self.folder, ignore_errors=True)


Picture = NDArray[np.uint8] | StoredPicture


def create(folder: Path, size: tuple[int, int]) -> Any:
    """Create an image on disk, or reopen an unfinished one.

    Parameters
    ----------
    size : (height, width) in px

    Returns
    -------
    zarr.Array
        Its finest level, uint8, (height, width, 3), to be written by rows.
    """
    with contextlib.suppress(Exception):  # zarr raises anything on damaged metadata
        found: Any = _group(folder, "r+")["0"]
        _check_layout(found)
        if found.shape == (*size, 3):
            return found
    return _array(_group(folder, "w"), 0, size)


def drop_damaged(array: Any, folder: Path) -> None:
    """Delete the shards of an unfinished image that cannot be read; none could be written to.

    Their pixels are then white, as if they had never been written.
    """
    high, wide, _ = array.shards
    for top in range(0, array.shape[0], high):
        for left in range(0, array.shape[1], wide):
            try:
                array[top : top + high, left : left + wide]
            except Exception:  # each codec raises its own exceptions
                path = folder / "0" / "c" / str(top // high) / str(left // wide) / "0"
                path.unlink(missing_ok=True)


def finish(folder: Path) -> StoredPicture:
    """Add the smaller levels to a complete image and move it to :func:`pictures_folder`."""
    group = _group(folder, "r+")
    finest: Any = group["0"]
    level, sizes = finest, level_sizes(finest.shape[:2])
    for index, size in enumerate(sizes[1:], start=1):
        smaller = _array(group, index, size)
        halve(level, smaller)
        level = smaller
    group.attrs["levels"] = len(sizes)
    sums = {path.relative_to(folder).as_posix(): sha256_of(path) for path in _metadata(folder)}
    write_whole(folder / SUMS, json.dumps(sums), private=True)
    sync_tree(folder)
    finished = private_folder(pictures_folder()) / f"{uuid.uuid4().hex}{SUFFIX}"
    shutil.move(folder, finished)
    sync_folder(finished.parent)
    return StoredPicture(finished)


def drop_old_pictures() -> None:
    """Delete finished images older than ``KEPT_S``."""
    for path in pictures_folder().glob(f"*{SUFFIX}"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > KEPT_S:
                shutil.rmtree(path, ignore_errors=True)


def _group(folder: Path, mode: Any) -> Any:
    import zarr

    # White chunks are written too, so that a missing one is known to be lost.
    with zarr.config.set({"array.write_empty_chunks": True}):
        return zarr.open_group(folder, mode=mode)


def _levels(group: Any) -> int:
    count = group.attrs["levels"]
    if type(count) is not int or not 0 < count < 32:
        raise ValueError("its levels cannot be counted")
    return count


def _metadata(folder: Path) -> list[Path]:
    return sorted(folder.glob("**/zarr.json"))


def _verified(folder: Path) -> bool:
    """Return True if the metadata are as they were written, False if that is not known.

    Raises
    ------
    PixCellError, ValueError
        If they were changed.
    """
    path = folder / SUMS
    if not path.exists():  # of an earlier version
        return False
    sums = read_json(path)
    found = {one.relative_to(folder).as_posix(): sha256_of(one) for one in _metadata(folder)}
    if sums != found:
        raise ValueError("its metadata were changed")
    return True


def _check_layout(array: Any) -> None:
    """Raise ValueError unless an array is stored in the chunks that :func:`_array` writes."""
    sizes = (*BLOCK, 3), (TILE, TILE, 3)
    if array.dtype != np.uint8 or array.chunks != (TILE, TILE, 3) or array.shards not in sizes:
        raise ValueError("it is not stored as a large image")
    if len(array.shape) != 3 or array.shape[2] != 3 or max(array.shape) > LONGEST:
        raise ValueError("it has no size of an image")
    names = [type(codec).__name__ for codec in array.compressors]
    if names != ["ZstdCodec"] or array.filters or type(array.serializer).__name__ != "BytesCodec":
        raise ValueError("it is compressed in an unknown way")


def _array(group: Any, index: int, size: tuple[int, int]) -> Any:
    from zarr.codecs import ZstdCodec

    shards = BLOCK if min(size) >= TILE else (TILE, TILE)  # few files, written in whole blocks
    return group.create_array(
        str(index),
        shape=(*size, 3),
        chunks=(TILE, TILE, 3),
        shards=(*shards, 3),
        dtype="uint8",
        fill_value=WHITE,
        compressors=[ZstdCodec(level=0, checksum=True)],
        overwrite=True,
        config={"write_empty_chunks": True},
    )


def _level(array: Any, index: int, corrupt: CorruptTiles, folder: Path, whole: bool) -> TiledLevel:
    """Return a level; ``whole`` if white chunks were written too, so that none may be missing."""

    def fetch(row: int, column: int) -> NDArray[np.uint8]:
        top, left = row * TILE, column * TILE
        try:
            _check_chunk(folder, array.shards, row, column, whole)
            pixels: NDArray[np.uint8] = array[top : top + TILE, left : left + TILE]
        except Exception as error:  # each codec raises its own exceptions
            raise Undecodable("damaged data") from error
        return pixels

    return TiledLevel(array.shape[:2], (TILE, TILE), fetch, corrupt=corrupt, index=index)


def _check_chunk(folder: Path, shard: tuple[int, ...], row: int, column: int, whole: bool) -> None:
    """Raise ValueError or OSError if a chunk is missing, or unpacks to another size than a tile.

    A shard ends with the place and length of each chunk, and a checksum of these:
    https://zarr-specs.readthedocs.io/en/latest/v3/codecs/sharding-indexed
    """
    rows, columns = shard[0] // TILE, shard[1] // TILE
    path = folder / "c" / str(row // rows) / str(column // columns) / "0"
    if not whole and not path.exists():
        return
    number = row % rows * columns + column % columns
    check_regular(path)
    with path.open("rb") as file:
        file.seek(16 * number - 16 * rows * columns - 4, io.SEEK_END)
        place, length = struct.unpack("<2Q", file.read(16))
        if (place, length) == (MISSING, MISSING) and not whole:
            return
        if length > 2 * TILE * TILE * 3:
            raise ValueError("a chunk is too long")
        file.seek(place)
        if _unpacked_size(file.read(18)) != TILE * TILE * 3:
            raise ValueError("a chunk has another size than a tile")


def _unpacked_size(head: bytes) -> int:
    """Return the size that a Zstandard frame states (RFC 8878, 3.1.1.1)."""
    if head[:4] != b"\x28\xb5\x2f\xfd":
        raise ValueError("not a Zstandard frame")
    kind, single, dictionary = head[4] >> 6, head[4] >> 5 & 1, head[4] & 3
    start = 5 + (1 - single) + (0, 1, 2, 4)[dictionary]
    length = (single, 2, 4, 8)[kind]
    if not length:
        raise ValueError("it states no size")
    return int.from_bytes(head[start : start + length], "little") + (256 if length == 2 else 0)
