"""Atomic writes, private folders and file hashes: the only module that replaces files."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

Write = Callable[[Path], None]  # writes the file at the path it is given
# The umask can only be read by setting it, which is not safe beside other threads.
UMASK = os.umask(0)
os.umask(UMASK)
UNFINISHED = ".part"  # suffix of files that are not complete yet
NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES, errno.EPERM)


def write_whole(
    path: Path,
    write: Write | bytes | str,
    private: bool = False,
    shared: bool = False,
    sync: bool = True,
) -> str:
    """Write a file atomically: after a power cut it is either the old or the new one.

    Once this returns, the new file survives a power cut, unless ``sync`` is False.

    Parameters
    ----------
    path : Path
        In an existing folder. An old file stays in place until the new one is complete.
    write : callable, bytes or str
        The content (text as UTF-8), or a function that writes it to the path it receives.
    private : bool
        Whether only the owner may read it, as everything that is derived from tissue or from the
        user's work.
    shared : bool
        Whether the group may read it under any umask, as weights that several people use.
    sync : bool
        False to leave that to :func:`sync_files`, which is faster for many files.

    Returns
    -------
    str
        sha256 of the file.

    Raises
    ------
    OSError
        If the file cannot be written; nothing is left behind then.
    """
    # Unique, so that processes and threads do not collide. A killed process leaves its file behind.
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=UNFINISHED, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        if callable(write):
            write(temporary)
        else:
            temporary.write_bytes(write.encode() if isinstance(write, str) else write)
        with temporary.open("r+b") as file:
            if sync:
                os.fsync(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        # mkstemp makes private files, but a function may have replaced its file.
        temporary.chmod(0o600 if private else 0o666 & ~UMASK | (0o440 if shared else 0))
        temporary.replace(path)
        if sync:
            sync_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return digest


def sync_folder(folder: Path) -> None:
    """Force the names of a folder's files to disk, as a new name is not safe without it.

    Raises
    ------
    OSError
        If the disk fails. Systems that cannot do this are skipped.
    """
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows; or a folder that may be written to but not read
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in NO_SYNC:
            raise
    finally:
        os.close(handle)


def sync_files(paths: Iterable[Path], root: Path) -> None:
    """Force files in a folder or its subfolders to disk, with the names of all of them.

    Raises
    ------
    OSError
        If the disk fails.
    """
    folders = {root}
    for path in paths:
        with path.open("r+b") as file:
            os.fsync(file.fileno())
        folders |= {parent for parent in path.parents if parent.is_relative_to(root)}
    for folder in sorted(folders):
        sync_folder(folder)


def sync_tree(folder: Path) -> None:
    """Force all files of a folder to disk, and let only their owner read them.

    Raises
    ------
    OSError
        If the disk fails.
    """
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            path.chmod(0o600)
            with path.open("r+b") as file:  # Windows syncs only what can be written
                os.fsync(file.fileno())
        Path(parent).chmod(0o700)
        sync_folder(Path(parent))


def private_folder(folder: Path) -> Path:
    """Create a folder that only its owner can enter, with its parents, and return it.

    A folder that exists is left as it is.

    Raises
    ------
    OSError
        If it cannot be created.
    """
    for path in (*reversed(folder.parents), folder):
        if not path.exists():
            path.mkdir(mode=0o700, exist_ok=True)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    return folder


def is_disk_full(error: OSError) -> bool:
    """Return True if a write failed for lack of space."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cached_sha256(path: Path) -> str:
    """Return the sha256 of a large file. An unchanged file is hashed once in a process."""
    status = path.stat()
    return _sha256(path, status.st_size, status.st_mtime_ns)


@cache
def _sha256(path: Path, _size: int, _modified: int) -> str:
    return sha256_of(path)
