"""Blocks of shared memory, seen from outside."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from napari_pixcell.worker.blocks import PREFIX


def exists(name: str) -> bool:
    """Whether a block of shared memory can still be reached by its name."""
    if name.startswith("/proc"):
        with suppress(FileNotFoundError):
            return PREFIX in str(Path(name).readlink())  # else the number was used again
        return False
    return Path(name).exists()
