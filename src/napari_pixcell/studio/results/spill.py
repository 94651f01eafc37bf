"""Variants whose pixels are moved from memory to disk."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import uuid
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.record import Record, pixels_sha256
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import private_folder, write_whole
from napari_pixcell.folders import cache_folder
from napari_pixcell.preferences import RESULTS, RESULTS_DISK, megabytes
from napari_pixcell.untrusted import MOST_ARRAY_BYTES, read_bounded, read_npy

KEPT_S = 7 * 24 * 3600  # files of a session that was killed
GONE = (
    "The pixels of this variant are missing from the cache, or damaged. Generate it again with the "
    "same seed and settings."
)


def memory_limit() -> int:
    """Return how many bytes of memory the pixels of variants without a star may use.

    See :data:`~napari_pixcell.preferences.RESULTS`.
    """
    return megabytes(RESULTS)


def disk_limit() -> int:
    """Return how many bytes they may use on disk.

    See :data:`~napari_pixcell.preferences.RESULTS_DISK`.
    """
    return megabytes(RESULTS_DISK)


def results_folder() -> Path:
    """Return the folder in which each session has a folder of its own."""
    return cache_folder() / "results"


class Spill:
    """The folder of one session: created by the first write, removed when the session ends."""

    def __init__(self) -> None:
        self.folder = results_folder() / uuid.uuid4().hex
        self._closed = False

    def write(self, number: int, image: NDArray[np.uint8]) -> Path:
        """Write the pixels of a variant, whole or not at all.

        Parameters
        ----------
        number : int
            Number of the variant.
        image : array, uint8, (height, width, 3)

        Raises
        ------
        PixCellError
            If they cannot be written.
        """

        def save(path: Path) -> None:
            with path.open("wb") as file:
                np.save(file, image, allow_pickle=False)

        path = self.folder / f"{number}.npy"
        try:
            if not self.folder.exists():
                drop_old_results()
                private_folder(self.folder)
            write_whole(path, save, private=True)
            os.utime(self.folder)  # a long session is not an old one
        except OSError as error:
            raise PixCellError(
                f"Older variants could not be moved from memory to disk ({error.strerror}). Free "
                "some disk space, or discard variants."
            ) from error
        if self._closed:  # while it was written
            self.close()
        return path

    def close(self) -> None:
        self._closed = True
        shutil.rmtree(self.folder, ignore_errors=True)


def read_back(path: Path, record: Record) -> NDArray[np.uint8]:
    """Read pixels from disk and compare them with the hash in the record.

    Returns
    -------
    array, uint8, (height, width, 3)

    Raises
    ------
    PixCellError
        If they are missing or damaged.
    """
    most = memory_limit() + MOST_ARRAY_BYTES
    try:
        image: NDArray[np.uint8] = read_npy(read_bounded(path, most), path.name, most)
    except PixCellError as error:
        raise PixCellError(GONE) from error
    fits = image.dtype == np.uint8 and image.ndim == 3 and image.shape[-1] == 3
    if not fits or (record.sha256 and pixels_sha256(image) != record.sha256):
        raise PixCellError(GONE)
    return image


def drop_old_results() -> None:
    """Remove the old folders of sessions that were killed."""
    with contextlib.suppress(OSError):
        for folder in results_folder().iterdir():
            with contextlib.suppress(OSError):
                if time.time() - folder.stat().st_mtime > KEPT_S:
                    shutil.rmtree(folder, ignore_errors=True)
