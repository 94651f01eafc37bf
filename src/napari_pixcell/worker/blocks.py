"""Blocks of memory that two processes share, on machines with and without shared memory.

On Linux a block has no name in any folder: it is a file in memory, which the other process opens
through ``/proc``. The system frees it with the last process that uses it, however that one ends,
and ``/dev/shm`` may be small, read-only or missing. Elsewhere a block is a private temporary file
that both processes map. Its name carries the process id of its owner, so that what a killed owner
left behind is recognised and removed.
"""

from __future__ import annotations

import mmap
import os
import re
import sys
import tempfile
import threading
import uuid
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from napari_pixcell.untrusted import check_array

PREFIX = "napari-pixcell-"
SUFFIX = ".block"
_NAME = re.compile(rf"{PREFIX}(\d+)-\w+{re.escape(SUFFIX)}")
_ZEROS = bytes(1 << 20)


class SharedBlock:
    """A block of shared memory; whoever creates it removes it.

    Parameters
    ----------
    size : int
        In bytes.
    name : str, optional
        Of an existing block to attach to; by default a new block is created.

    Raises
    ------
    OSError
        If there is no room for a new block, or the named one does not exist.
    """

    def __init__(self, size: int, name: str | None = None) -> None:
        self._path: Path | None = None  # of an owned file
        self._handle = -1  # of an owned block in memory
        self._removing = threading.Lock()
        if name is not None:
            place, _, mark = name.partition("#")
            with Path(place).open("r+b") as file:
                # The number of a closed file may be that of another one by now.
                if mark and mark not in os.readlink(f"/proc/self/fd/{file.fileno()}"):  # noqa: PTH115
                    raise FileNotFoundError(name)
                self._map = mmap.mmap(file.fileno(), 0)
            self.name = name
            return
        token = uuid.uuid4().hex
        handle, path = create(max(1, size), token)
        try:
            self._map = mmap.mmap(handle, max(1, size))
        except (OSError, ValueError, OverflowError) as error:
            os.close(handle)
            if path is not None:
                path.unlink()
            raise error if isinstance(error, OSError) else OSError(str(error)) from error
        if path is None:
            self._handle = handle
            self.name = f"{_through_proc(handle)}#{token}"
        else:
            os.close(handle)
            self._path = path
            self.name = str(path)

    def view(self, offset: int, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """Return a part of the block as an array.

        Raises
        ------
        ValueError
            If it is no array of numbers that lies in the block.
        """
        kind = np.dtype(dtype)
        size = prod(check_array(shape, kind, len(self._map))) * kind.itemsize
        if kind.kind not in "biuf" or not 0 <= offset <= len(self._map) - size:
            raise ValueError(f"no array of {kind} at {offset}")
        if not size:
            return np.empty(shape, kind)
        # Unlike an ndarray made directly, this one keeps the memory from being closed under it.
        numbers = np.frombuffer(self._map, np.uint8, size, offset).view(kind)
        return np.reshape(numbers, shape)

    def remove(self) -> None:
        """Remove the name of an owned block; its memory lasts until all processes close it."""
        with self._removing:  # two threads may end a request; it is closed when either returns
            if self._handle >= 0:
                os.close(self._handle)
                self._handle = -1
            if self._path is not None:
                with suppress(OSError):  # Windows keeps a file that is mapped until it is closed
                    self._path.unlink(missing_ok=True)
                    self._path = None

    def close(self) -> None:
        """Detach from the block, and remove it if it is owned."""
        self.remove()
        with suppress(BufferError):  # an array is still in use; its memory goes with it
            self._map.close()
        self.remove()


def create(size: int, token: str = "") -> tuple[int, Path | None]:
    """Create memory for a block, and return its file descriptor and its path, if it has one.

    The token tells it from a later one with the same number.

    Raises
    ------
    OSError
        If there is no room for it.
    """
    if sys.platform == "linux" and size <= psutil.virtual_memory().available:
        with suppress(OSError):  # some containers forbid it
            return _in_memory(size, token), None
    return _in_file(size)


def remove_leftovers(folder: Path | None = None) -> int:
    """Delete the blocks of processes that no longer run, and return their number."""
    removed = 0
    try:
        paths = list((folder or Path(tempfile.gettempdir())).glob(f"{PREFIX}*{SUFFIX}"))
    except OSError:
        return 0
    for path in paths:
        match = _NAME.fullmatch(path.name)
        # A number of a thousand digits is no process.
        if match and len(match[1]) < 11 and not psutil.pid_exists(int(match[1])):
            with suppress(OSError):
                path.unlink()
                removed += 1
    return removed


def _through_proc(handle: int) -> str:
    return f"/proc/{os.getpid()}/fd/{handle}"


def _in_memory(size: int, token: str) -> int:
    handle = os.memfd_create(f"{PREFIX}{token}")
    try:
        os.ftruncate(handle, size)
        Path(_through_proc(handle)).stat()  # there may be no /proc
    except OSError:
        os.close(handle)
        raise
    return handle


def _in_file(size: int) -> tuple[int, Path]:
    handle, name = tempfile.mkstemp(SUFFIX, f"{PREFIX}{os.getpid()}-")
    try:
        # All of it is reserved now: a write to a mapped file on a full disk kills the process.
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(handle, 0, size)
        else:
            for start in range(0, size, len(_ZEROS)):
                os.write(handle, _ZEROS[: size - start])
    except OSError:
        os.close(handle)
        Path(name).unlink()
        raise
    return handle, Path(name)
