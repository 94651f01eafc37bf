"""Session folders: one JSON file, and a file for each array that it names.

The file of an array is named after the hash of its content. Only changed arrays are written, and
damaged ones are recognised. All of them are written before the JSON that names them, which is then
replaced in one step. Files that no JSON names are removed last. If the process is killed at any
moment, the previous session is still complete.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Collection
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from napari_pixcell.files import UNFINISHED, private_folder, sync_folder, sync_tree, write_whole
from napari_pixcell.untrusted import MOST_JSON_BYTES, parse_json, path_inside, read_bounded

SUFFIX = ".pixcell"
FILE = "session.json"
BEFORE = "session.before.json"  # previous version, in case the disk damages the other
FILES = "files"
LOCK = "lock"
MOST_FILE_BYTES = 2**30
# The only files that are ever removed: a user may have put others beside them.
OWN_FILE = re.compile(r"[0-9a-f]{32}\..+|.*" + re.escape(UNFINISHED))


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
        self._lock = FileLock(path / LOCK, mode=0o600, thread_local=False)

    def create(self) -> None:
        """Create the folder, which must not exist, and lock it.

        Raises
        ------
        OSError
            If it cannot be created.
        """
        private_folder(self.path.parent)
        self.path.mkdir(mode=0o700)
        sync_folder(self.path.parent)
        self.take()

    def take(self, seconds: float = 0.0) -> bool:
        """Lock the folder against other windows; True if that worked within ``seconds``.

        A folder that cannot be written to cannot be locked either.
        """
        try:
            self._lock.acquire(timeout=seconds)
        except (Timeout, OSError):
            return False
        return True

    def release(self) -> None:
        self._lock.release()

    def put(self, data: bytes, suffix: str) -> str:
        """Write the file of an array, unless it exists, and return its name."""
        name = f"{_hash(data)}{suffix}"
        path = self.files / name
        if not self._holds(path, data):
            self._make_files()
            write_whole(path, data, private=True)
        return name

    def _holds(self, path: Path, data: bytes) -> bool:
        """Return True if a file has this content; one that the disk damaged has another."""
        try:
            return path.stat().st_size == len(data) and path.read_bytes() == data
        except OSError:
            return False

    def _make_files(self) -> None:
        if not self.files.is_dir():
            private_folder(self.files)
            sync_folder(self.path)

    def get(self, name: str) -> bytes:
        """Read the file of an array.

        Raises
        ------
        PixCellError
            If it is missing, too large, or outside the folder, whoever wrote the session.
        ValueError
            If its content has changed.
        """
        path = path_inside(self.files, name, "file of a session")
        data = read_bounded(path, MOST_FILE_BYTES, "file of a session")
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
            self._make_files()
            unfinished = self.files / f"{uuid.uuid4().hex}{UNFINISHED}"
            try:
                shutil.copytree(source, unfinished, ignore=_links)
                sync_tree(unfinished)
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
        private_folder(self.path)
        if self.files.is_dir():
            sync_folder(self.files)  # the arrays are on disk before the JSON that names them
        with contextlib.suppress(OSError):  # some file systems have no links
            unfinished = self.path / f"{uuid.uuid4().hex}{UNFINISHED}"
            os.link(self.path / FILE, unfinished)
            unfinished.replace(self.path / BEFORE)
        write_whole(self.path / FILE, text, private=True)
        if self.files.is_symlink():
            return
        with contextlib.suppress(OSError):
            for entry in os.scandir(self.files):
                if entry.name not in names and OWN_FILE.fullmatch(entry.name):
                    with contextlib.suppress(OSError):  # another program may have it open
                        path = Path(entry.path)
                        shutil.rmtree(path) if path.is_dir() else path.unlink()

    def read(self, name: str = FILE) -> Any:
        """Read the session's JSON, or its previous version.

        Raises
        ------
        PixCellError
            If it is missing or damaged.
        """
        data = read_bounded(self.path / name, MOST_JSON_BYTES, "session")
        return parse_json(data, name, lenient=True)


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _links(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if Path(folder, name).is_symlink()]
