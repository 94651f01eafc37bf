"""Files written whole or not at all, and their hashes: the one place where files are replaced."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

Write = Callable[[Path], None]  # writes the file at the path it is given
UNFINISHED = ".part"  # suffix of files that are not whole yet


def write_whole(path: Path, write: Write | bytes | str) -> str:
    """Write a file so that it is there whole or not at all, even after a power cut.

    Parameters
    ----------
    path : Path
        Its folder exists. The old file stays in place until the new one is complete.
    write : callable, bytes or str
        The content (text as UTF-8), or a function that writes the file at the path it is given.

    Returns
    -------
    str
        sha256 of the file.

    Raises
    ------
    OSError
        If it cannot be written; nothing is left behind then.
    """
    # A name that no other process or thread uses; a killed process leaves it to those who sweep.
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=UNFINISHED, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        if callable(write):
            write(temporary)
        else:
            temporary.write_bytes(write.encode() if isinstance(write, str) else write)
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        # mkstemp makes files that only their owner can read; these are as any other file.
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return digest


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _umask() -> int:
    return _UMASK


# Read once, because reading the mask sets it, which other threads would notice.
_UMASK = os.umask(0o077)
os.umask(_UMASK)
