"""A lock that lets one process at a time work on a dataset, and names it to the others."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from napari_pixcell.errors import PixCellError
from napari_pixcell.files import write_whole

LOCK = ".lock"
OWNER = ".owner.json"


class LockedElsewhere(PixCellError):
    """Another process works on a dataset."""


@contextmanager
def locked(folder: Path, subject: str | None = None) -> Iterator[None]:
    """Keep other processes from changing a dataset for the duration of the block.

    The system releases the lock of a killed process, on file systems that know of locks of other
    machines. On others, the record of the owner shows that one is working: process number, machine
    and time. It is removed at the end, because a dataset must not name people or machines.

    Parameters
    ----------
    folder : Path
    subject : str, optional
        Content of the folder, for the message to other processes; a dataset by default.

    Raises
    ------
    LockedElsewhere
        If another process holds the lock, or one on another machine began and did not end.
    """
    lock, what = FileLock(folder / LOCK), subject or f"the dataset {folder.name}"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        owner = read_owner(folder)
        raise LockedElsewhere(
            f"{owner.words if owner else 'Another process'} is working on {what}. Wait until it "
            "has finished, or cancel it there."
        ) from None
    try:
        owner, own = read_owner(folder), platform.node()
        if owner is not None and owner.host != own:
            raise LockedElsewhere(
                f"{owner.words} is working on {what}, or was killed there. Wait until it has "
                f"finished. If it no longer runs, delete {OWNER} in the folder."
            )
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        record = {"process": os.getpid(), "host": own, "since": now}
        write_whole(folder / OWNER, json.dumps(record))
        try:
            yield
        finally:
            (folder / OWNER).unlink(missing_ok=True)
    finally:
        lock.release()


class LockOwner(NamedTuple):
    """The process that works on a dataset. Earlier versions did not record its machine."""

    process: int
    since: datetime
    host: str

    @property
    def words(self) -> str:
        """The process in words, with its machine if it is another one."""
        where = f" on {self.host}" if self.host != platform.node() else ""
        return f"Process {self.process}{where} (since {self.since:%d %B, %H:%M})"


def read_owner(folder: Path) -> LockOwner | None:
    """Return the process that works on a dataset, or was killed while it did; None if none is."""
    try:
        owner = json.loads((folder / OWNER).read_text()[:1000])
        host = str(owner.get("host", platform.node()))[:100]
        return LockOwner(int(owner["process"]), datetime.fromisoformat(owner["since"]), host)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None  # it has only just started, or finished
