"""Files that are there whole or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

Write = Callable[[Path], None]  # writes the file of that path


def put_whole(path: Path, write: Write) -> str:
    """Have a file written so that it is there whole or not at all.

    Parameters
    ----------
    path : Path
        What was there before stays until the new one is whole.
    write : callable
        Writes the file of the path that it is given.

    Returns
    -------
    str
        sha256 of the file.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(temporary)
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return digest


def write_whole(path: Path, data: bytes) -> str:
    """Write bytes so that they are there whole or not at all, and give their sha256."""
    return put_whole(path, lambda temporary: put(temporary, data))


def put(path: Path, data: bytes) -> None:
    """Write bytes; a :data:`Write` without a result."""
    path.write_bytes(data)
