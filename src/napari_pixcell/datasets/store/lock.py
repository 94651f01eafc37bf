"""One process at a time works on a dataset; the others are told which one does."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from napari_pixcell.errors import PixCellError

LOCK = ".lock"
OWNER = ".owner.json"


@contextmanager
def locked(folder: Path, what: str | None = None) -> Iterator[None]:
    """Keep other processes from changing a dataset while the block lasts.

    The system lets go of the lock of a process that was killed. Who holds it is a number of a
    process and a time: names of people and machines do not belong into a dataset.

    Parameters
    ----------
    folder : Path
    what : str, optional
        What the folder is, for whom it is refused; its dataset by default.

    Raises
    ------
    PixCellError
        If another process holds it.
    """
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise PixCellError(
            f"{_owner(folder)} is working on {what or f'the dataset {folder.name}'}; wait until it "
            "is done, or cancel it there."
        ) from None
    owner = folder / OWNER
    try:
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        owner.write_text(json.dumps({"process": os.getpid(), "since": now}))
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def _owner(folder: Path) -> str:
    try:
        owner = json.loads((folder / OWNER).read_text())
        since = datetime.fromisoformat(owner["since"])
        return f"Process {owner['process']} (since {since:%d %B, %H:%M})"
    except (OSError, ValueError, KeyError, TypeError):  # it is only just beginning, or done
        return "Another process"
