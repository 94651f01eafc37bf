"""A canvas on disk, so that it can exceed memory and an interrupted one can resume.

Latents, the clean latents of the previous step and the image are plain arrays in memory-mapped
files. An image above the memory limit is zarr instead, and stays on disk when it is finished. Each
row of windows is first written to a journal, then to the arrays. After any interruption, the
journal says where to resume.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from napari_pixcell.engine.canvas.plan import Canvas
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import write_whole
from napari_pixcell.folders import cache_folder
from napari_pixcell.slides.stored_picture import Picture, create, finish, is_stored
from napari_pixcell.words import file_size

log = logging.getLogger(__name__)

KEPT_S = 14 * 24 * 3600  # seconds for which an interrupted canvas can be resumed
JOURNAL = "journal.npz"

Arrays = dict[str, NDArray[Any]]


def canvases_folder() -> Path:
    """Return the folder of unfinished canvases."""
    return cache_folder() / "canvases"


def bytes_on_disk(canvas: Canvas, channels: int, planes: int = 2) -> int:
    """Return the bytes of a canvas: planes of float32 latents, and the image with its levels."""
    latents = planes * 4 * channels * canvas.height * canvas.width
    height, width = canvas.size
    return latents + (4 if is_stored(canvas.size) else 3) * height * width


class CanvasStore:
    """The arrays of one canvas.

    Parameters
    ----------
    key : str
        Name of its folder. The same work has the same key.
    channels : int
        Number of latent channels.
    folder : Path, optional
        Parent folder. By default in the cache folder.
    with_start : bool
        Store the latents of a start image as well.

    Attributes
    ----------
    latents, clean : array, float32, (channels, height, width)
        At the current step. Rows above the journal's are one step further.
    start : array, float32, (channels, height, width)
        Latents of the start image, if there is one.
    picture : array-like, uint8, (height, width, 3)
        The image, written by rows as they are decoded.
    step, row : int
        Where to resume: the first unfinished row of windows. After the last step, the first row
        that is not decoded.
    carried : dict of str to array
        Values of the previous row that this row needs.

    Raises
    ------
    PixCellError
        If the disk is too full, or another process is generating the same canvas.
    """

    latents: NDArray[np.float32]
    clean: NDArray[np.float32]
    start: NDArray[np.float32]

    def __init__(
        self,
        key: str,
        canvas: Canvas,
        channels: int,
        folder: Path | None = None,
        with_start: bool = False,
    ) -> None:
        self.folder = (folder or canvases_folder()) / key
        self._lock = FileLock(f"{self.folder}.lock")
        shape = channels, canvas.height, canvas.width
        self.step, self.row = -1, 0
        self.carried: Arrays = {}
        self._planes = ["latents", "clean"] + ["start"] * with_start
        self._check_room(bytes_on_disk(canvas, channels, len(self._planes)))
        try:
            self._lock_folder()
            fresh = not self._journalled(shape)
            (self.folder / JOURNAL).unlink(missing_ok=True) if fresh else None
            for name in self._planes:
                setattr(self, name, self._array(f"{name}.npy", shape, np.float32, fresh))
            if not fresh:
                self._replay()
            self._open_picture(canvas.size)
        except OSError as error:
            self._lock.release()
            raise self._no_room(error) from error

    @property
    def resumed(self) -> bool:
        """True if the canvas resumes earlier work."""
        return self.step >= 0

    def begin(self, step: int = 0) -> None:
        """Record that the latents are ready for the first step to run."""
        self.done(step, 0, {}, {}, 0)

    def done(self, step: int, row: int, rows: Arrays, carried: Arrays, top: int) -> None:
        """Store finished rows of latents. A restart then resumes after them.

        Parameters
        ----------
        step, row : int
            Next step and row.
        rows : dict of str to array
            New rows of the arrays of these names, all from row ``top`` on.
        carried : dict of str to array
            Values that the next row of windows needs.
        top : int
            First new row.
        """
        head = np.array([step, row, top])
        parts: dict[str, Any] = {f"rows {k}": v for k, v in rows.items()} | {
            f"carried {k}": v for k, v in carried.items()
        }

        def write(path: Path) -> None:
            with path.open("wb") as file:
                np.savez(file, head=head, **parts)

        try:
            write_whole(self.folder / JOURNAL, write)
        except OSError as error:
            raise self._no_room(error) from error
        self._apply(rows, top)
        self.step, self.row, self.carried = step, row, carried

    def put(self, top: int, pixels: NDArray[np.uint8]) -> None:
        """Write rows of the image from row ``top`` on."""
        try:
            self.picture[top : top + len(pixels)] = pixels
        except OSError as error:
            raise self._no_room(error) from error

    def finish(self) -> Picture:
        """Return the finished image, in memory or stored on disk."""
        if self._stored is None:
            return np.array(self.picture)
        del self.picture
        try:
            return finish(self._stored)
        except OSError as error:
            raise self._no_room(error) from error

    def close(self, remove: bool) -> None:
        """Close the files, and delete them if ``remove``."""
        for name in (*self._planes, "picture"):
            if hasattr(self, name):
                delattr(self, name)
        self.carried = {}
        if remove:
            shutil.rmtree(self.folder, ignore_errors=True)
            with contextlib.suppress(OSError):  # Windows does not remove open files
                Path(self._lock.lock_file).unlink(missing_ok=True)
        self._lock.release()

    def _lock_folder(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise PixCellError(
                "Another napari-pixcell is generating the same image. Wait until it is done, or "
                "choose another seed."
            ) from error

    def _open_picture(self, size: tuple[int, int]) -> None:
        self._stored = self.folder / "picture.zarr" if is_stored(size) else None
        plain = self.folder / "picture.npy"
        path = self._stored or plain
        if self._stored is None:
            fresh = not plain.exists() or np.load(plain, mmap_mode="r").shape != (*size, 3)
            self.picture: Any = self._array(plain.name, (*size, 3), np.uint8, fresh)
        else:
            fresh = not path.exists()
            self.picture = create(self._stored, size)
        self.picture_begun = not fresh

    def _apply(self, rows: Arrays, top: int) -> None:
        for name, values in rows.items():
            getattr(self, name)[:, top : top + values.shape[1]] = values

    def _journalled(self, shape: tuple[int, ...]) -> bool:
        """Whether all files of earlier work exist and fit."""
        names = (*(f"{name}.npy" for name in self._planes), JOURNAL)
        if not all((self.folder / name).exists() for name in names):
            return False
        with contextlib.suppress(OSError, ValueError):
            return bool(np.load(self.folder / "latents.npy", mmap_mode="r").shape == shape)
        return False

    def _replay(self) -> None:
        """Apply the journal, as its rows may not have reached the arrays."""
        with np.load(self.folder / JOURNAL) as journal:
            step, row, top = (int(n) for n in journal["head"])
            parts: dict[str, Arrays] = {"rows": {}, "carried": {}}
            for name in journal.files:
                kind, _, rest = name.partition(" ")
                if rest:
                    parts[kind][rest] = journal[name]
        self._apply(parts["rows"], top)
        self.step, self.row, self.carried = step, row, parts["carried"]

    def _array(self, name: str, shape: tuple[int, ...], dtype: Any, fresh: bool) -> NDArray[Any]:
        path = self.folder / name
        if not fresh:
            return np.lib.format.open_memmap(path, "r+")
        array = np.lib.format.open_memmap(path, "w+", dtype, shape)
        if hasattr(os, "posix_fallocate"):
            # If the disk fills up later, a write to an unallocated page would kill the process.
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        return array

    def _check_room(self, needed: int) -> None:
        parent = self.folder
        while not parent.exists():
            parent = parent.parent
        held = sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file())
        free = shutil.disk_usage(parent).free + held
        if needed > 0.95 * free:
            raise PixCellError(
                f"An image of this size needs {file_size(needed)} on disk while it is generated, "
                f"but the cache folder has {file_size(free)} free. Choose a smaller region, or set "
                "PIXCELL_CACHE_DIR to another folder."
            )

    def _no_room(self, error: OSError) -> PixCellError:
        return PixCellError(
            f"The image cannot be stored while it is generated ({error.strerror or error}). Make "
            "room in the cache folder, or set PIXCELL_CACHE_DIR to another one. Finished parts are "
            "kept."
        )


def drop_old(folder: Path | None = None) -> None:
    """Remove canvases that were not resumed for long."""
    for path in (folder or canvases_folder()).glob("*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > KEPT_S:
                log.info("an unfinished canvas was removed after %d days", KEPT_S // 86400)
                path.unlink() if path.is_file() else shutil.rmtree(path, ignore_errors=True)
