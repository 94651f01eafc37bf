"""The log of a run: what a process that makes a dataset reports to those who follow it.

The log is in the user's own data folder, under a name that only the path of the dataset determines,
because it may name files and machines, and a dataset must not. Each line is an event in the line
protocol of the worker; the first describes the run. Lines are appended, and a log that has grown
too large is replaced by a short one, so that a reader may read it whole at any time.

A request to stop is a file in the folder of the dataset, where processes of other machines see it.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from napari_pixcell.datasets.store.lock import LockedElsewhere
from napari_pixcell.engine.events import Event, Failure, Finished, Notice, Progress, summary
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import private_folder, write_whole
from napari_pixcell.folders import data_folder
from napari_pixcell.serialization import from_json, to_json

DETACHED = "PIXCELL_DETACHED"  # environment variable of a detached process: the id of its run
STOP = ".stop"
RUN, DASHBOARD = "run", "dashboard"  # events of a log beside those of the engine
MOST_BYTES = 64 * 1024
KEPT = 20  # notices that remain when a log is shortened
LONGEST = 2000  # characters of a notice
SHOWN_EVERY = 0.5  # seconds between lines of progress, and between looks for a request to stop
TOUCHED_EVERY = 20  # of these looks, the log gets a new time as a sign of life
LETS_GO = 1.0  # seconds in which a run that has written its last line releases its lock
MOST_LOGS = 200  # of earlier runs


@dataclass(frozen=True)
class RunHead:
    """The first line of a log: which process makes which dataset.

    Parameters
    ----------
    id : str
    folder : str
        Absolute path of the dataset.
    process : int
        Its number.
    began : float
        Start of the process, in seconds since 1970, by which it differs from later ones of the
        same number.
    host : str
    since : str
        Start of the run, in ISO 8601.
    arguments : tuple of str
        Of the command.
    working : str
        Working directory of the command.
    place : tuple of str
        Those of the arguments that say by which processes pairs are made.
    earlier : int
        Number of notices that the log no longer holds.
    """

    id: str
    folder: str
    process: int
    began: float
    host: str
    since: str
    arguments: tuple[str, ...] = ()
    working: str = ""
    place: tuple[str, ...] = ()
    earlier: int = 0

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> RunHead:
        """Read the value of a log. Raises PixCellError if it is not valid."""
        return from_json(cls, value, "The log of the run is not valid ({detail}).")


def runs_folder() -> Path:
    """Return the folder of the logs; it may not exist."""
    return data_folder() / "runs"


def log_of(folder: Path) -> Path:
    """Return the path of the log of the newest run that makes a dataset; it may not exist."""
    name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    return runs_folder() / f"{name}.jsonl"


def recipe_of(folder: Path) -> Path:
    """Return the path of a recipe that a run is started with; the run removes it at its end."""
    return log_of(folder).with_suffix(".recipe")


class RunLog:
    """Writes the log of this process, and looks for requests to stop it.

    Parameters
    ----------
    folder : Path
        Of the dataset; it may not exist yet.
    arguments, place : sequence of str
        See :class:`RunHead`.

    Attributes
    ----------
    stop_wanted : bool
        Whether the run was asked to stop.

    Raises
    ------
    LockedElsewhere
        If another process of the user is making this dataset.
    """

    def __init__(
        self, folder: Path, arguments: Sequence[str] = (), place: Sequence[str] = ()
    ) -> None:
        self.folder, self.path = folder.resolve(), log_of(folder)
        self.stop_wanted = False
        self._head = RunHead(
            os.environ.get(DETACHED) or uuid.uuid4().hex,
            str(self.folder),
            os.getpid(),
            psutil.Process().create_time(),
            platform.node(),
            datetime.now().astimezone().isoformat(timespec="seconds"),
            tuple(arguments),
            str(Path.cwd()),
            tuple(place),
        )
        self._notices: list[str] = []
        self._dropped = 0
        self._dashboard = ""
        self._progress: Progress | None = None
        self._pending = False  # the progress is not in the log yet
        self._shown = 0.0
        self._writing = threading.Lock()
        self._ended = threading.Event()
        self._lock = FileLock(self.path.with_suffix(".lock"), thread_local=False)
        self._begin()
        self._watch = threading.Thread(target=self._watching, name="pixcell-run", daemon=True)
        self._watch.start()

    def _begin(self) -> None:
        # A run does not depend on its log; some file systems have no locks.
        with suppress(OSError, NotImplementedError):
            private_folder(self.path.parent)
            try:
                self._lock.acquire(timeout=LETS_GO)
            except Timeout:
                raise LockedElsewhere(
                    f"Another process is making the dataset {self.folder.name}. Follow it with "
                    "“napari-pixcell dataset status”, or stop it with “napari-pixcell dataset "
                    "stop”."
                ) from None
            forget_old(self.path)
            self._shorten()
        self._remove_request()

    def add(self, event: Event) -> None:
        """Append a ``Progress`` or a ``Notice``; other events are left out."""
        with self._writing:
            match event:
                case Progress():
                    self._progress, self._pending = event, True
                    if time.monotonic() - self._shown >= SHOWN_EVERY:
                        self._flush()
                case Notice(message):
                    self._notices.append(message[:LONGEST])
                    self._append(summary(Notice(message[:LONGEST])))

    def add_dashboard(self, address: str) -> None:
        """Append the address of Dask's dashboard."""
        with self._writing:
            self._dashboard = address
            self._append({"event": DASHBOARD, "address": address})

    def close(self, last: Finished | Failure) -> None:
        """End the log with how the run ended: its last act, but for the release of a lock."""
        self._ended.set()
        self._watch.join()
        self._remove_request()
        with suppress(OSError):
            recipe_of(self.folder).unlink(missing_ok=True)
        with self._writing:
            self._flush()
            self._append(summary(last))
        self._lock.release()

    # -- in the background -----------------------------------------------------------------

    def _watching(self) -> None:
        looks = 0
        while not self._ended.wait(SHOWN_EVERY):
            looks += 1
            self.stop_wanted = self.stop_wanted or (self.folder / STOP).exists()
            with self._writing:
                self._flush()
                if looks % TOUCHED_EVERY == 0:
                    with suppress(OSError):
                        os.utime(self.path)

    def _remove_request(self) -> None:
        with suppress(OSError):
            (self.folder / STOP).unlink(missing_ok=True)

    # -- lines -----------------------------------------------------------------------------

    def _flush(self) -> None:
        if self._pending and self._progress is not None:
            self._pending, self._shown = False, time.monotonic()
            self._append(summary(self._progress))

    def _append(self, message: dict[str, Any]) -> None:
        with suppress(OSError):  # a full disk, which ends the run by itself if it must
            with self.path.open("ab") as file:
                file.write(_line(message))
                size = file.tell()
            if size > MOST_BYTES:
                self._shorten()

    def _shorten(self) -> None:
        """Write the log anew: what a reader needs to know, and the last notices."""
        self._dropped += max(0, len(self._notices) - KEPT)
        self._notices = self._notices[-KEPT:]
        head = to_json(self._head) | {"earlier": self._dropped}
        lines = [_line({"event": RUN, "run": head})]
        if self._dashboard:
            lines.append(_line({"event": DASHBOARD, "address": self._dashboard}))
        lines += [_line(summary(Notice(text))) for text in self._notices]
        if self._progress is not None:
            lines.append(_line(summary(self._progress)))
        write_whole(self.path, b"".join(lines), private=True)


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def request_stop(folder: Path) -> None:
    """Ask the process that makes a dataset to stop, on whichever machine; complete pairs are kept.

    Raises
    ------
    PixCellError
        If the folder cannot be written to.
    """
    try:
        (folder / STOP).touch()
    except OSError as error:
        raise PixCellError(
            f"The run cannot be asked to stop: {folder.name} is not writable ({error.strerror}). "
            "Stop it where it was started."
        ) from error


def forget_old(path: Path) -> None:
    """Remove the oldest logs, if there are many beside this one."""
    logs = [log for log in path.parent.glob("*.jsonl") if log != path]
    logs.sort(key=lambda log: log.stat().st_mtime)
    for log in logs[: max(0, len(logs) - MOST_LOGS)]:
        for file in log.parent.glob(f"{log.stem}.*"):
            file.unlink(missing_ok=True)
