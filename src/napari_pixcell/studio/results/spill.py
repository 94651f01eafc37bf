"""Variants that wait on the disk for their next look."""

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
from napari_pixcell.folders import cache_folder
from napari_pixcell.preferences import megabytes

MEMORY_MB = 512.0
DISK_MB = 2048.0
KEPT_S = 7 * 24 * 3600  # of a session that was killed
GONE = (
    "This variant is gone from the cache folder, or damaged there; generate it again with its seed "
    "and settings."
)


def memory_limit() -> int:
    """Bytes of pixels that variants which are not kept may hold in memory.

    ``PIXCELL_RESULTS_MB``, then the preference ``results MB``, then 512 MB.
    """
    return megabytes("PIXCELL_RESULTS_MB", "results MB", MEMORY_MB)


def disk_limit() -> int:
    """Bytes that they may hold on disk: ``PIXCELL_RESULTS_DISK_MB``, ``results disk MB``, 2 GB."""
    return megabytes("PIXCELL_RESULTS_DISK_MB", "results disk MB", DISK_MB)


def results_folder() -> Path:
    """Where each session has a folder for its own."""
    return cache_folder() / "results"


class Spill:
    """A folder of one session, made when first written to, gone when the session ends."""

    def __init__(self) -> None:
        self.folder = results_folder() / uuid.uuid4().hex
        self._closed = False

    def write(self, number: int, image: NDArray[np.uint8]) -> Path:
        """Write a picture so that it is there whole or not at all.

        Parameters
        ----------
        number : int
            Of the result.
        image : array, uint8, (height, width, 3)

        Raises
        ------
        PixCellError
            If it cannot be written; nothing of it is left.
        """
        path = self.folder / f"{number}.npy"
        temporary = path.with_suffix(".part")
        try:
            if not self.folder.exists():
                drop_old_results()
                self.folder.mkdir(parents=True)
            with temporary.open("wb") as file:
                np.save(file, image, allow_pickle=False)
            temporary.replace(path)
            os.utime(self.folder)  # a long session is not an old one
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise PixCellError(
                f"Older variants cannot move from memory to the disk ({error.strerror}); free some "
                "space, or discard variants that you do not need."
            ) from error
        if self._closed:  # meanwhile
            self.close()
        return path

    def close(self) -> None:
        """Remove everything."""
        self._closed = True
        shutil.rmtree(self.folder, ignore_errors=True)


def read_back(path: Path, record: Record) -> NDArray[np.uint8]:
    """Read a picture that was written, and see that it is still the one of its record.

    Returns
    -------
    array, uint8, (height, width, 3)

    Raises
    ------
    PixCellError
        If it is gone or damaged.
    """
    try:
        image: NDArray[np.uint8] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise PixCellError(GONE) from error
    if record.sha256 and pixels_sha256(image) != record.sha256:
        raise PixCellError(GONE)
    return image


def forget(path: Path) -> None:
    """Remove a picture, if it is there."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def drop_old_results() -> None:
    """Remove what sessions of long ago left because they were killed."""
    with contextlib.suppress(OSError):
        for folder in results_folder().iterdir():
            with contextlib.suppress(OSError):
                if time.time() - folder.stat().st_mtime > KEPT_S:
                    shutil.rmtree(folder, ignore_errors=True)
