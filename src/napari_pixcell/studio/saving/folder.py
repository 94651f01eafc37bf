"""Session folders: one JSON file, and a file for each array that it names.

The file of an array is named after the hash of its content. Only changed arrays are written, and
damaged ones are recognised. All of them are written before the JSON that names them, which is then
replaced in one step. Files that no JSON names are removed last. If the process is killed at any
moment, the previous session is still complete.
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

from napari_pixcell.files import UNFINISHED, write_whole

SUFFIX = ".pixcell"
FILE = "session.json"
BEFORE = "session.before.json"  # previous version, in case the disk damages the other
FILES = "files"
LOCK = "lock"


def is_session(path: Path) -> bool:
    """Return True if a path is the folder of a session, or the JSON file in it."""
    folder = folder_of(path)
    return folder.suffix == SUFFIX and folder.is_dir()


def folder_of(path: Path) -> Path:
    """Return the folder of a session, given the folder or its JSON file."""
    path = Path(path)
    return path.parent if path.name == FILE else path


class SessionFolder:
    """The files of one session.

    Parameters
    ----------
    path : Path
        Its folder, which need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = path / FILES
        self._lock = FileLock(path / LOCK, thread_local=False)

    def create(self) -> None:
        """Create the folder, which must not exist, and lock it.

        Raises
        ------
        OSError
            If it cannot be created.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.mkdir()
        self.take()

    def take(self, seconds: float = 0.0) -> bool:
        """Lock the folder against other windows; True if that worked within ``seconds``."""
        try:
            self._lock.acquire(timeout=seconds)
        except Timeout:
            return False
        return True

    def release(self) -> None:
        self._lock.release()

    def put(self, data: bytes, suffix: str) -> str:
        """Write the file of an array, unless it exists, and return its name."""
        name = f"{_hash(data)}{suffix}"
        path = self.files / name
        if not path.is_file() or path.stat().st_size != len(data):
            self.files.mkdir(parents=True, exist_ok=True)
            write_whole(path, data)
        return name

    def get(self, name: str) -> bytes:
        """Read the file of an array.

        Raises
        ------
        OSError
            If it is missing.
        ValueError
            If its content has changed.
        """
        path = self.files / Path(name).name  # never outside, whoever wrote the session
        data = path.read_bytes()
        if _hash(data) != path.stem:
            raise ValueError(f"{path.name} is damaged")
        return data

    def copy_from(self, other: SessionFolder, name: str) -> None:
        """Copy a file or folder from another session, unless it exists."""
        there, here = other.files / name, self.files / name
        if here.exists() or other.path == self.path:
            return
        if there.is_dir():
            self.put_folder(there, name)
        else:
            self.put(there.read_bytes(), there.suffix)

    def put_folder(self, source: Path, name: str) -> None:
        """Copy a folder, such as a picture too large for memory, unless it exists."""
        if not (self.files / name).exists():
            self.files.mkdir(parents=True, exist_ok=True)
            unfinished = self.files / f"{uuid.uuid4().hex}{UNFINISHED}"
            try:
                shutil.copytree(source, unfinished)
                unfinished.replace(self.files / name)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)

    def all(self) -> set[str]:
        try:
            return {entry.name for entry in os.scandir(self.files)}
        except OSError:
            return set()

    def commit(self, text: str, names: Collection[str]) -> None:
        """Replace the session's JSON, keep its previous version, and remove unused files.

        Parameters
        ----------
        text : str
            The JSON.
        names : collection of str
            Files that this JSON or the previous one names.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        _sync(self.files)  # the arrays are on disk before the JSON that names them
        with contextlib.suppress(OSError):  # some file systems have no links
            unfinished = self.path / f"{uuid.uuid4().hex}{UNFINISHED}"
            os.link(self.path / FILE, unfinished)
            unfinished.replace(self.path / BEFORE)
        write_whole(self.path / FILE, text)
        _sync(self.path)
        with contextlib.suppress(OSError):
            for entry in os.scandir(self.files):
                if entry.name not in names:
                    with contextlib.suppress(OSError):  # another program may have it open
                        path = Path(entry.path)
                        shutil.rmtree(path) if path.is_dir() else path.unlink()

    def read(self, name: str = FILE) -> Any:
        """Read the session's JSON, or its previous version.

        Raises
        ------
        OSError, ValueError
            If it is missing or damaged.
        """
        return json.loads((self.path / name).read_text("utf-8"))


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _sync(folder: Path) -> None:
    """Force the names of new files in a folder to disk."""
    with contextlib.suppress(OSError):  # folders cannot be opened on every system
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
