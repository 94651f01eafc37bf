"""A lock that lets one process at a time work on a dataset, and names it to the others."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from napari_pixcell.errors import PixCellError
from napari_pixcell.files import write_whole

LOCK = ".lock"
OWNER = ".owner.json"


@contextmanager
def locked(folder: Path, subject: str | None = None) -> Iterator[None]:
    """Keep other processes from changing a dataset for the duration of the block.

    The system releases the lock of a killed process. The owner is recorded as a process number and
    a time, because a dataset must not name people or machines.

    Parameters
    ----------
    folder : Path
    subject : str, optional
        Content of the folder, for the message to other processes; a dataset by default.

    Raises
    ------
    PixCellError
        If another process holds the lock.
    """
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise PixCellError(
            f"{_owner(folder)} is working on {subject or f'the dataset {folder.name}'}. Wait until "
            "it has finished, or cancel it there."
        ) from None
    owner = folder / OWNER
    try:
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        write_whole(owner, json.dumps({"process": os.getpid(), "since": now}))
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def _owner(folder: Path) -> str:
    try:
        owner = json.loads((folder / OWNER).read_text()[:1000])
        since = datetime.fromisoformat(owner["since"])
        return f"Process {owner['process']} (since {since:%d %B, %H:%M})"
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        OverflowError,
    ):  # it has only just started, or finished
        return "Another process"
