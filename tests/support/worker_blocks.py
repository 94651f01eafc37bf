"""Blocks of shared memory, seen from outside."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def exists(name: str) -> bool:
    """Whether a block of shared memory can still be reached by its name."""
    path, _, token = name.partition("#")
    if token:
        with suppress(FileNotFoundError):
            return token in str(Path(path).readlink())  # else the number was used again
        return False
    return Path(path).exists()
