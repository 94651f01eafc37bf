"""A canvas on disk, so that memory follows its windows and a stopped one can go on.

Latents, the clean latents of the step before and the picture are plain arrays in files, mapped
into memory: the system keeps in memory what there is room for. A picture above the limit for
memory is zarr instead, and stays on disk when it is finished. A row of windows is first written
to a journal, then to the arrays; whatever is interrupted, the journal says where to go on.
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
from napari_pixcell.folders import cache_folder
from napari_pixcell.slides.stored_picture import Picture, create, finish, is_stored

log = logging.getLogger(__name__)

KEPT_S = 14 * 24 * 3600  # how long a canvas that was stopped waits to go on
JOURNAL = "journal.npz"

Arrays = dict[str, NDArray[Any]]


def canvases_folder() -> Path:
    """Where canvases lie while they are made."""
    return cache_folder() / "canvases"


def bytes_on_disk(canvas: Canvas, channels: int, planes: int = 2) -> int:
    """Say what a canvas needs: planes of float32 latents, and the picture with its levels."""
    latents = planes * 4 * channels * canvas.height * canvas.width
    height, width = canvas.size
    return latents + (4 if is_stored(canvas.size) else 3) * height * width


class CanvasStore:
    """The arrays of one canvas.

    Parameters
    ----------
    key : str
        Name of its folder; the same work has the same key.
    canvas : Canvas
        Its sizes.
    channels : int
        Of the latents.
    folder : Path, optional
        Where to put it; the cache folder by default.
    with_start : bool
        Keep the latents of a picture to start from as well.

    Attributes
    ----------
    latents, clean : array, float32, (channels, height, width)
        At the step that is under way; rows before the journal's are a step further.
    start : array, float32, (channels, height, width)
        Latents of the picture to start from, if there is one.
    picture : array-like, uint8, (height, width, 3)
        Of the size asked for, written by rows when decoded.
    step, row : int
        Where to go on: the first row of windows that is not done; behind the last step, the
        first row that is not decoded.
    carried : dict of str to array
        What that row needs of the one before.

    Raises
    ------
    PixCellError
        If there is no room for it, or another process is at it.
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
            self._take()
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
        """Whether work was found that can go on."""
        return self.step >= 0

    def begin(self, step: int = 0) -> None:
        """Note that the latents hold their noise, for the first step that is taken."""
        self.done(step, 0, {}, {}, 0)

    def done(self, step: int, row: int, rows: Arrays, carried: Arrays, top: int) -> None:
        """Store rows of latents that are finished; afterwards a restart begins behind them.

        Parameters
        ----------
        step, row : int
            What comes next.
        rows : dict of str to array
            New rows for the arrays of these names, all from row ``top`` on.
        carried : dict of str to array
            What the next row of windows needs.
        top : int
            First row that is new.
        """
        head = np.array([step, row, top])
        parts: dict[str, Any] = {f"rows {k}": v for k, v in rows.items()} | {
            f"carried {k}": v for k, v in carried.items()
        }
        try:
            temporary = self.folder / f"next {JOURNAL}"
            np.savez(temporary, head=head, **parts)
            temporary.replace(self.folder / JOURNAL)
        except OSError as error:
            raise self._no_room(error) from error
        self._apply(rows, top)
        self.step, self.row, self.carried = step, row, carried

    def put(self, top: int, pixels: NDArray[np.uint8]) -> None:
        """Write rows of the picture from row ``top`` on."""
        try:
            self.picture[top : top + len(pixels)] = pixels
        except OSError as error:
            raise self._no_room(error) from error

    def finish(self) -> Picture:
        """Give the picture when all of it is written: in memory, or where it stays on disk."""
        if self._stored is None:
            return np.array(self.picture)
        del self.picture
        try:
            return finish(self._stored)
        except OSError as error:
            raise self._no_room(error) from error

    def close(self, remove: bool) -> None:
        """Let go of the files; ``remove`` deletes them."""
        for name in (*self._planes, "picture"):
            if hasattr(self, name):
                delattr(self, name)
        self.carried = {}
        if remove:
            shutil.rmtree(self.folder, ignore_errors=True)
            with contextlib.suppress(OSError):  # Windows removes no file that is open
                Path(self._lock.lock_file).unlink(missing_ok=True)
        self._lock.release()

    def _take(self) -> None:
        """Make the folder and keep other processes out of it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise PixCellError(
                "The same picture is being made by another napari-pixcell right now; wait until "
                "that is done, or choose another seed."
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
        """Whether the files of earlier work are all there and fit."""
        names = (*(f"{name}.npy" for name in self._planes), JOURNAL)
        if not all((self.folder / name).exists() for name in names):
            return False
        with contextlib.suppress(OSError, ValueError):
            return np.load(self.folder / "latents.npy", mmap_mode="r").shape == shape
        return False

    def _replay(self) -> None:
        """Take the journal over; its rows may not have reached the arrays."""
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
            # A disk that others fill would otherwise kill the process at some later write.
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
                f"A picture of this size needs {needed / 1e9:.1f} GB on disk while it is made, and "
                f"{free / 1e9:.1f} GB are free in the cache folder; choose a smaller region, or "
                "name another folder in PIXCELL_CACHE_DIR."
            )

    def _no_room(self, error: OSError) -> PixCellError:
        return PixCellError(
            f"The picture cannot be stored while it is made ({error.strerror or error}); make "
            "room in the cache folder, or name another in PIXCELL_CACHE_DIR; what is finished is "
            "kept."
        )


def drop_old(folder: Path | None = None) -> None:
    """Remove canvases that nobody went on with for long."""
    for path in (folder or canvases_folder()).glob("*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > KEPT_S:
                log.info("an unfinished canvas was removed after %d days", KEPT_S // 86400)
                path.unlink() if path.is_file() else shutil.rmtree(path, ignore_errors=True)
