"""A folder that holds a session: one JSON file, and a file for each array that it names.

Files of arrays are named after the hash of what is in them, so that only what changed is written,
and a damaged one is known for what it is. They are written before the JSON that names them, which
replaces the one before in one step; what no session names any more is removed afterwards. Whoever
is killed in between leaves the session before, whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Collection
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

SUFFIX = ".pixcell"
FILE = "session.json"
BEFORE = "session.before.json"  # as it was one save ago, should the disk damage the other
FILES = "files"
LOCK = "lock"
UNFINISHED = ".tmp"


def is_session(path: Path) -> bool:
    """Whether a path is the folder of a session, or the JSON file in it."""
    path = Path(path)
    if path.name == FILE:
        path = path.parent
    return path.suffix == SUFFIX and path.is_dir()


def folder_of(path: Path) -> Path:
    """Give a session's folder, whether it or its JSON file is named."""
    path = Path(path)
    return path.parent if path.name == FILE else path


class SessionFolder:
    """The files of one session.

    Parameters
    ----------
    path : Path
        Its folder, which need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(path / LOCK, thread_local=False)

    @property
    def files(self) -> Path:
        """Where its arrays lie."""
        return self.path / FILES

    def create(self) -> None:
        """Make the folder, which must not be there, and keep others out of it.

        Raises
        ------
        OSError
            If that does not work.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.mkdir()
        self.take()

    def take(self, seconds: float = 0.0) -> bool:
        """Keep other windows from writing to it; whether it is ours."""
        try:
            self._lock.acquire(timeout=seconds)
        except Timeout:
            return False
        return True

    def release(self) -> None:
        """Let other windows write to it."""
        self._lock.release()

    def put(self, data: bytes, suffix: str) -> str:
        """Write the file of an array, unless it is there; give its name."""
        name = f"{hashlib.sha256(data).hexdigest()[:32]}{suffix}"
        path = self.files / name
        if not path.is_file() or path.stat().st_size != len(data):
            self.files.mkdir(parents=True, exist_ok=True)
            _write(path, data)
        return name

    def get(self, name: str) -> bytes:
        """Read the file of an array.

        Raises
        ------
        OSError
            If it is not there.
        ValueError
            If it is not what was written.
        """
        path = self.files / Path(name).name  # never outside, whoever wrote the session
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest()[:32] != path.stem:
            raise ValueError(f"{path.name} is damaged")
        return data

    def copy_from(self, other: SessionFolder, name: str) -> None:
        """Take a file or folder over from another session, unless it is here."""
        there, here = other.files / name, self.files / name
        if here.exists() or other.path == self.path:
            return
        self.put_folder(there, name) if there.is_dir() else self.put(
            there.read_bytes(), there.suffix
        )

    def put_folder(self, source: Path, name: str) -> None:
        """Copy a folder, such as a picture too large for memory."""
        if not (self.files / name).exists():
            self.files.mkdir(parents=True, exist_ok=True)
            unfinished = self.files / f"{uuid.uuid4().hex}{UNFINISHED}"
            try:
                shutil.copytree(source, unfinished)
                unfinished.replace(self.files / name)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)

    def all(self) -> set[str]:
        """Give the names of all files that are there."""
        try:
            return {entry.name for entry in os.scandir(self.files)}
        except OSError:
            return set()

    def commit(self, text: str, names: Collection[str]) -> None:
        """Replace the session's JSON, which is kept as it was, and remove needless files.

        Parameters
        ----------
        text : str
            The JSON.
        names : collection of str
            Files that it or the JSON before it names.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):  # some disks know no links
            unfinished = self.path / f"{uuid.uuid4().hex}{UNFINISHED}"
            os.link(self.path / FILE, unfinished)
            unfinished.replace(self.path / BEFORE)
        _write(self.path / FILE, text.encode())
        with contextlib.suppress(OSError):
            for entry in os.scandir(self.files):
                if entry.name not in names:
                    with contextlib.suppress(OSError):  # another program may be looking at it
                        _remove(Path(entry.path))

    def read(self, name: str = FILE) -> Any:
        """Read the session's JSON, or the one before it.

        Raises
        ------
        OSError, ValueError
            If it is not there, or damaged.
        """
        return json.loads((self.path / name).read_text("utf-8"))


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _write(path: Path, data: bytes) -> None:
    """Write a file such that it is there whole, or as it was before."""
    unfinished = path.with_name(f"{uuid.uuid4().hex}{UNFINISHED}")
    try:
        with unfinished.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise
    with contextlib.suppress(OSError):  # folders cannot be opened everywhere
        handle = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
