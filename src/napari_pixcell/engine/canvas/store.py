"""A canvas on disk, so that it can exceed memory and an interrupted one can resume.

Latents, the clean latents of the previous step and the image are plain arrays in memory-mapped
files. An image above the memory limit is zarr instead, and stays on disk when it is finished. Each
row of windows is first written to a journal, then to the arrays. After any interruption, the
journal says where to resume, and has a hash of every row. A row that reads back otherwise was
damaged, and is never used.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
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
from napari_pixcell.files import private_folder, write_whole
from napari_pixcell.folders import cache_folder
from napari_pixcell.slides.stored_picture import (
    Picture,
    StoredPicture,
    create,
    drop_damaged,
    finish,
    is_stored,
    pictures_folder,
)
from napari_pixcell.untrusted import path_inside, read_json
from napari_pixcell.words import file_size

log = logging.getLogger(__name__)

KEPT_S = 14 * 24 * 3600  # seconds for which an interrupted canvas can be resumed
FINISHED_KEPT_S = 24 * 3600  # and a finished one of a process that was killed
JOURNAL = "journal.npz"
FINISHED = "finished.json"
MARK = b"napari-pixcell journal 2\n"  # followed by a hash of the rest; earlier ones had neither

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
    damaged : dict of str to list of int
        Rows of latents, by their array, that are not as they were stored.
    finished : array-like or None
        The image, if it was finished before. Nothing else is there then.

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
        self._lock = FileLock(f"{self.folder}.lock", mode=0o600)
        self._shape = channels, canvas.height, canvas.width
        self._planes = ["latents", "clean"] + ["start"] * with_start
        self._forget()
        self.finished: Picture | None = None
        self._check_room(bytes_on_disk(canvas, channels, len(self._planes)))
        try:
            self._lock_folder()
            self.finished = finished_picture(self.folder, canvas.size)
            if self.finished is None:
                self._open(self._journal())
                self._open_picture(canvas.size)
        except OSError as error:
            self._lock.release()
            raise self._no_room(error) from error

    def _forget(self) -> None:
        self.step, self.row = -1, 0
        self.carried: Arrays = {}
        self.damaged: dict[str, list[int]] = {}
        self._sums = {name: np.zeros(self._shape[1], np.uint64) for name in self._planes}
        self._picture_sums: dict[int, tuple[int, int]] | None = {}  # first row: rows, hash

    def _open(self, journal: Arrays | None) -> None:
        if journal is None:
            (self.folder / JOURNAL).unlink(missing_ok=True)
        for name in self._planes:
            array = self._array(f"{name}.npy", self._shape, np.float32, journal is None)
            setattr(self, name, array)
        if journal is not None:
            self._replay(journal)

    def restart(self) -> None:
        """Forget the earlier work, of which too much is damaged."""
        log.warning("a part of an unfinished image was damaged on disk. It is generated again.")
        self._forget()
        try:
            self._open(None)
        except OSError as error:
            raise self._no_room(error) from error

    @property
    def resumed(self) -> bool:
        """True if the canvas resumes earlier work."""
        return self.step >= 0

    def begin(self, step: int = 0) -> None:
        """Record that the latents are ready for the first step to run."""
        for name in self._planes:
            self._sums[name] = _sums(getattr(self, name))
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
        rows = {name: np.asarray(values, np.float32) for name, values in rows.items()}
        for name, values in rows.items():
            self._sums[name][top : top + values.shape[1]] = _sums(values)
        parts: dict[str, Any] = {"head": np.array([step, row, top])}
        parts |= {f"rows {name}": values for name, values in rows.items()}
        parts |= {f"carried {name}": values for name, values in carried.items()}
        parts |= {f"sums {name}": values for name, values in self._sums.items()}
        if self._picture_sums is not None:
            sums = [(first, *about) for first, about in self._picture_sums.items()]
            parts["sums picture"] = np.array(sums, np.uint64).reshape(-1, 3)
        content = io.BytesIO()
        try:
            np.savez(content, **parts)
            data = content.getbuffer()
            # The rows of the previous journal must be on disk before it is replaced.
            self._sync()
            write_whole(
                self.folder / JOURNAL, MARK + hashlib.sha256(data).digest() + data, private=True
            )
        except OSError as error:
            raise self._no_room(error) from error
        self._apply(rows, top)
        self.step, self.row, self.carried = step, row, carried

    def put(self, top: int, pixels: NDArray[np.uint8]) -> None:
        """Write rows of the image from row ``top`` on."""
        if self._picture_sums is not None:
            self._picture_sums[top] = len(pixels), _sum(pixels)
        try:
            self.picture[top : top + len(pixels)] = pixels
        except OSError as error:
            raise self._no_room(error) from error

    def holds(self, top: int) -> bool:
        """Return True if the rows of the image that were put at ``top`` are still as they were."""
        if self._picture_sums is None or top >= self.picture.shape[0]:
            return True
        rows, expected = self._picture_sums.get(top, (0, -1))
        try:
            return rows > 0 and _sum(self.picture[top : top + rows]) == expected
        except Exception as error:  # each codec raises its own exceptions
            log.info("a stored part of an image cannot be decoded (%s)", type(error).__name__)
            return False

    def finish(self) -> Picture:
        """Return the finished image, in memory or stored on disk.

        It is kept until the folder is removed, so that it is not generated again if the process is
        killed before the image has been used.
        """
        try:
            if self._stored is None:
                self.picture.flush()
                pixels = np.array(self.picture)
                image: Picture = pixels
                about: dict[str, Any] = {"sum": _sum(pixels)}
            else:
                del self.picture
                image = finish(self._stored)
                about = {"picture": str(image.folder)}
            write_whole(self.folder / FINISHED, json.dumps(about), private=True)
        except OSError as error:
            raise self._no_room(error) from error
        return image

    def close(self, remove: bool) -> None:
        """Close the files, and delete them if ``remove``."""
        for name in (*self._planes, "picture"):
            if hasattr(self, name):
                delattr(self, name)
        self.carried = {}
        if remove:
            remove_canvas(self.folder)
        elif (self.folder / FINISHED).exists():
            for name in (JOURNAL, *(f"{name}.npy" for name in self._planes)):
                with contextlib.suppress(OSError):
                    (self.folder / name).unlink(missing_ok=True)
        self._lock.release()

    def _lock_folder(self) -> None:
        private_folder(self.folder)
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
            fresh = not _is_array(plain, (*size, 3), np.uint8)
            self.picture: Any = self._array(plain.name, (*size, 3), np.uint8, fresh)
        else:
            fresh = not path.exists()
            self.picture = create(self._stored, size)
            if not fresh and self._picture_sums is not None:
                drop_damaged(self.picture, self._stored)
        self.picture_begun = not fresh

    def _apply(self, rows: Arrays, top: int) -> None:
        for name, values in rows.items():
            getattr(self, name)[:, top : top + values.shape[1]] = values

    def _sync(self) -> None:
        for name in (*self._planes, "picture"):
            array = getattr(self, name, None)
            if isinstance(array, np.memmap):
                array.flush()

    def _journal(self) -> Arrays | None:
        """Return the journal of earlier work; None unless all its files exist and fit."""
        if not all(
            _is_array(self.folder / f"{name}.npy", self._shape, np.float32) for name in self._planes
        ):
            return None
        try:
            data = (self.folder / JOURNAL).read_bytes()
            if data.startswith(MARK):
                start = len(MARK) + hashlib.sha256().digest_size
                if hashlib.sha256(data[start:]).digest() != data[len(MARK) : start]:
                    raise ValueError("it was changed")
                data = data[start:]
            with np.load(io.BytesIO(data), allow_pickle=False) as journal:  # of earlier versions
                return {name: journal[name] for name in journal.files}
        except FileNotFoundError:
            return None
        except Exception as error:  # of the zip file, of arrays in it
            log.warning("the journal of an unfinished image is damaged: %s", error)
            return None

    def _replay(self, journal: Arrays) -> None:
        """Apply the journal, as its rows may not have reached the arrays, and verify these."""
        parts: dict[str, Arrays] = {"rows": {}, "carried": {}, "sums": {}}
        for name, values in journal.items():
            kind, _, rest = name.partition(" ")
            if rest:
                parts[kind][rest] = values
        self.step, self.row, top = (int(n) for n in journal["head"])
        self.carried = parts["carried"]
        self._apply(parts["rows"], top)
        pictured = parts["sums"].pop("picture", None)
        self._picture_sums = None
        if pictured is not None:
            self._picture_sums = {int(a): (int(b), int(c)) for a, b, c in pictured}
        for name in self._planes:
            now = _sums(getattr(self, name))
            self._sums[name] = parts["sums"].get(name, now)
            self.damaged[name] = np.flatnonzero(self._sums[name] != now).tolist()

    def _array(self, name: str, shape: tuple[int, ...], dtype: Any, fresh: bool) -> NDArray[Any]:
        path = self.folder / name
        if not fresh:
            return np.lib.format.open_memmap(path, "r+")
        path.unlink(missing_ok=True)
        path.touch(0o600)
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


def finished_picture(folder: Path, size: tuple[int, int]) -> Picture | None:
    """Return the finished image of a canvas, (height, width) px, if it is there and intact."""
    try:
        about = read_json(folder / FINISHED)
        if "picture" in about:
            stored = StoredPicture(
                path_inside(pictures_folder(), Path(about["picture"]).name, "image")
            )
            return stored if stored.shape == (*size, 3) else None
        plain = folder / "picture.npy"
        image = np.array(np.load(plain)) if _is_array(plain, (*size, 3), np.uint8) else None
        return image if image is not None and _sum(image) == about["sum"] else None
    except (PixCellError, OSError, TypeError, KeyError, ValueError):
        return None


def remove_canvas(folder: Path) -> None:
    """Delete the files of a canvas."""
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):  # Windows does not remove open files
        folder.with_name(f"{folder.name}.lock").unlink(missing_ok=True)


def _sum(values: NDArray[Any]) -> int:
    digest = hashlib.blake2b(np.ascontiguousarray(values).data, digest_size=8)
    return int.from_bytes(digest.digest(), "little")


def _sums(values: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Return a hash of each row of (channels, rows, width) latents."""
    return np.array([_sum(values[:, row]) for row in range(values.shape[1])], np.uint64)


def _is_array(path: Path, shape: tuple[int, ...], dtype: Any) -> bool:
    """Return True if a file holds a whole array of this shape and type."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception:  # NumPy raises nearly anything for a damaged header
        return False
    plain = isinstance(array, np.memmap) and array.flags.c_contiguous
    return plain and array.shape == shape and array.dtype == dtype


def drop_old(folder: Path | None = None) -> None:
    """Remove canvases that were not resumed for long."""
    for path in (folder or canvases_folder()).glob("*"):
        with contextlib.suppress(OSError):
            kept = FINISHED_KEPT_S if (path / FINISHED).exists() else KEPT_S
            if time.time() - path.stat().st_mtime > kept:
                log.info("an unfinished canvas was removed after %d days", KEPT_S // 86400)
                path.unlink() if path.is_file() else shutil.rmtree(path, ignore_errors=True)
