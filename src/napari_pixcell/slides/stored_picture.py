"""Images too large for memory: zarr on disk, written by pixel rows and read by tiles."""

from __future__ import annotations

import contextlib
import shutil
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.errors import PixCellError
from napari_pixcell.folders import cache_folder
from napari_pixcell.preferences import megabytes
from napari_pixcell.slides.corrupt import CorruptTiles, Undecodable
from napari_pixcell.slides.levels import TiledLevel
from napari_pixcell.slides.resample import BLOCK, halve, level_sizes

TILE = 512
MEMORY_MB = 256.0
KEPT_S = 14 * 24 * 3600
SUFFIX = ".zarr"
WHITE = 255


def is_stored(size: tuple[int, int]) -> bool:
    """Whether an image of (height, width) px is generated on disk instead of in memory.

    The limit is ``PIXCELL_PICTURE_MB``, then the preference ``picture MB``, then 256 MB (about
    9,200 × 9,200 px).
    """
    return 3 * size[0] * size[1] > megabytes("PIXCELL_PICTURE_MB", "picture MB", MEMORY_MB)


def pictures_folder() -> Path:
    """Return the folder of finished images that are too large for memory."""
    return cache_folder() / "pictures"


class StoredPicture:
    """A finished image on disk: array-like, uint8, (height, width, 3).

    Attributes
    ----------
    levels : list of TiledLevel
        The image itself and its smaller levels, each half as large as the previous one.

    Raises
    ------
    PixCellError
        If it is missing or incomplete.
    """

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(self, folder: Path) -> None:
        import zarr

        self.folder = folder
        try:
            group: Any = zarr.open_group(folder, mode="r")
            arrays = [group[str(index)] for index in range(group.attrs["levels"])]
        except (OSError, KeyError, ValueError) as error:
            raise PixCellError(
                "A large image is missing from the cache folder. Generate it again with the same "
                "seed and settings."
            ) from error
        corrupt = CorruptTiles("large image")
        self.levels = [_level(array, index, corrupt) for index, array in enumerate(arrays)]
        self.shape = self.levels[0].shape

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        return self.levels[0][key]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self.levels[0].__array__(dtype, copy)

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
    import zarr

    shape = *size, 3
    with contextlib.suppress(OSError, KeyError, ValueError):
        found: Any = zarr.open_group(folder, mode="r+")["0"]
        if found.shape == shape:
            return found
    return _array(zarr.open_group(folder, mode="w"), 0, size)


def finish(folder: Path) -> StoredPicture:
    """Add the smaller levels to a complete image and move it to :func:`pictures_folder`."""
    import zarr

    group = zarr.open_group(folder, mode="r+")
    finest: Any = group["0"]
    level, sizes = finest, level_sizes(finest.shape[:2])
    for index, size in enumerate(sizes[1:], start=1):
        smaller = _array(group, index, size)
        halve(level, smaller)
        level = smaller
    group.attrs["levels"] = len(sizes)
    finished = pictures_folder() / f"{uuid.uuid4().hex}{SUFFIX}"
    finished.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(folder, finished)
    return StoredPicture(finished)


def drop_old_pictures() -> None:
    """Delete finished images older than ``KEPT_S``."""
    for path in pictures_folder().glob(f"*{SUFFIX}"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > KEPT_S:
                shutil.rmtree(path, ignore_errors=True)


def _array(group: Any, index: int, size: tuple[int, int]) -> Any:
    shards = BLOCK if min(size) >= TILE else (TILE, TILE)  # few files, written in whole blocks
    return group.create_array(
        str(index),
        shape=(*size, 3),
        chunks=(TILE, TILE, 3),
        shards=(*shards, 3),
        dtype="uint8",
        fill_value=WHITE,
        overwrite=True,
    )


def _level(array: Any, index: int, corrupt: CorruptTiles) -> TiledLevel:
    def fetch(row: int, column: int) -> NDArray[np.uint8]:
        top, left = row * TILE, column * TILE
        try:
            pixels: NDArray[np.uint8] = array[top : top + TILE, left : left + TILE]
        except Exception as error:  # each codec raises its own exceptions
            raise Undecodable("damaged data") from error
        return pixels

    return TiledLevel(array.shape[:2], (TILE, TILE), fetch, corrupt=corrupt, index=index)
