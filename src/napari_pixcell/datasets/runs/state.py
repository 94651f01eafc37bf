"""The state of the run that makes a dataset: read from its log, its owner and its files."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import psutil

from napari_pixcell.datasets.parallel.joining import FAILED
from napari_pixcell.datasets.runs import log
from napari_pixcell.datasets.runs.log import RunHead, log_of
from napari_pixcell.datasets.store.dataset import DESCRIPTION, MANIFEST, Dataset
from napari_pixcell.datasets.store.lock import LockOwner, read_owner
from napari_pixcell.datasets.store.rows import read_rows
from napari_pixcell.engine.events import Event, Failure, Finished, Notice, Progress, event_of
from napari_pixcell.errors import PixCellError
from napari_pixcell.words import counted

Stage = Literal["running", "elsewhere", "died", "complete", "cancelled", "failed", "none"]
SAME_START = 2.0  # seconds by which the systems' notes of the start of a process may differ
BLOCK = 1 << 20


@dataclass(frozen=True)
class RunState:
    """What is known of the run that makes a dataset, and of its pairs.

    Parameters
    ----------
    folder : Path
        Of the dataset.
    stage : str
        ``running``; ``elsewhere``: it runs on another machine, or was killed there; ``died``: its
        process is gone without a word; ``complete``, ``cancelled`` or ``failed``: how it ended;
        ``none``: nothing is known of any run.
    head : RunHead, optional
        None without a log, for a process that keeps none for this user.
    owner : LockOwner, optional
        The process that runs.
    done, total : int
        Complete pairs of those planned; the total is 0 while it is not known.
    message : str
        What the run reports: its progress, or why it failed.
    notices : tuple of str
    dashboard : str
        Address of Dask's dashboard.
    failed : int
        Pairs that could not be made.
    sign : datetime, optional
        Last sign of life.
    """

    folder: Path
    stage: Stage
    head: RunHead | None = None
    owner: LockOwner | None = None
    done: int = 0
    total: int = 0
    message: str = ""
    notices: tuple[str, ...] = ()
    dashboard: str = ""
    failed: int = 0
    sign: datetime | None = None

    @property
    def live(self) -> bool:
        """Whether the run has not ended, as far as this machine can tell."""
        return self.stage in ("running", "elsewhere")

    @property
    def name(self) -> str:
        """Name of the dataset's folder."""
        return self.folder.name

    @property
    def pairs(self) -> str:
        """The pairs made, in words."""
        if not self.total:
            return "no pairs yet" if not self.done else counted(self.done, "pair")
        return f"{self.done:,} of {counted(self.total, 'pair')}"

    def sentence(self) -> str:
        """Return the state in a line."""
        match self.stage:
            case "running":
                return self._running
            case "elsewhere":
                seen = f", last sign of life {self.sign:%d %B, %H:%M}" if self.sign else ""
                host = self.owner.host if self.owner is not None else "another machine"
                return f"on {host}{seen}: {self._running}"
            case "died":
                return f"its process has died, {self.pairs} complete. Resume it"
            case "complete":
                return f"done, {self.pairs}{self._failures}"
            case "cancelled":
                return f"cancelled, {self.pairs}"
            case "failed":
                return self.message
        return f"not running, {self.pairs}"

    @property
    def _running(self) -> str:
        started = self.pairs if self.total else "starting"
        return f"{self.message or started}{self._failures}"

    @property
    def _failures(self) -> str:
        return f", {counted(self.failed, 'pair')} failed" if self.failed else ""


def run_of(folder: Path) -> RunState:
    """Return the state of the newest run that makes a dataset.

    Parameters
    ----------
    folder : Path
        Of the dataset.

    Raises
    ------
    PixCellError
        If nothing is known of it: it holds no dataset, and no run was begun in it.
    """
    folder = folder.resolve()
    logged, owner = read_log(log_of(folder)), read_owner(folder)
    if logged is not None and (logged.live or owner is None or not _owns(owner)):
        return logged
    if owner is not None:
        return _owned(folder, owner)
    done, total = _pairs(folder)
    if logged is None and not (folder / DESCRIPTION).exists():
        Dataset(folder)  # raises
    return logged or RunState(folder, "none", done=done, total=total)


def read_log(path: Path) -> RunState | None:
    """Return the state of the run that a log describes; None if there is no valid one."""
    head: RunHead | None = None
    progress = Progress(0, 0, "")
    last: Finished | Failure | None = None
    notices, dashboard = list[str](), ""
    try:
        for row in read_rows(path):
            match row:
                case {"event": log.RUN, "run": dict() as value}:
                    head = RunHead.from_dict(value)
                case {"event": log.DASHBOARD, "address": str(address)}:
                    dashboard = address
                case _:
                    match _event(row):
                        case Progress(int(), int(), str()) as progress:
                            pass
                        case Notice(str(text)):
                            notices.append(text)
                        case Finished(bool()) | Failure(str()) as last:
                            pass
        if head is None:
            return None
        folder = Path(head.folder).resolve()  # fails if it cannot be one
        since = datetime.fromisoformat(head.since)
        sign = datetime.fromtimestamp(path.stat().st_mtime).astimezone()
    except (PixCellError, OSError, ValueError, OverflowError):
        return None
    stage, done, total, message = _stage(head, last), progress.done, progress.total, ""
    if stage in ("running", "elsewhere"):
        message = progress.message
    elif isinstance(last, Failure):
        message = last.message
    if stage not in ("running", "elsewhere") or not total:
        done, total = _pairs(folder)
    if stage == "complete" and not total:
        stage = "none"  # the folder was moved or removed
    return RunState(
        folder,
        stage,
        head,
        LockOwner(head.process, since, head.host),
        done,
        total,
        message,
        tuple(notices),
        dashboard,
        _lines(folder / FAILED),
        sign,
    )


def _event(row: dict[str, object]) -> Event | None:
    try:
        return event_of(row)
    except (ValueError, KeyError, TypeError):  # of a later version
        return None


def _stage(head: RunHead, last: Event | None) -> Stage:
    if isinstance(last, Finished):
        return "cancelled" if last.cancelled else "complete"
    if isinstance(last, Failure):
        return "failed"
    if head.host != platform.node():
        return "elsewhere"
    return "running" if _is_alive(head.process, head.began) else "died"


def _owned(folder: Path, owner: LockOwner) -> RunState:
    """Return the state of a process that keeps no log for this user."""
    done, total = _pairs(folder)
    stage: Stage = "elsewhere"
    if owner.host == platform.node():
        stage = "running" if _is_alive(owner.process) else "died"
    return RunState(folder, stage, None, owner, done, total, failed=_lines(folder / FAILED))


def _owns(owner: LockOwner) -> bool:
    return owner.host != platform.node() or _is_alive(owner.process)


def _is_alive(process: int, began: float | None = None) -> bool:
    """Return True if a process of this machine runs; ``began`` tells it from later ones."""
    try:
        found = psutil.Process(process)
        if found.status() == psutil.STATUS_ZOMBIE:
            return False
        return began is None or abs(found.create_time() - began) < SAME_START
    except (psutil.NoSuchProcess, ValueError):  # or no number of a process at all
        return False
    except psutil.Error:  # it exists, but belongs to somebody else
        return True


def _pairs(folder: Path) -> tuple[int, int]:
    """Return the number of complete pairs, and of those planned (0 if unknown)."""
    try:
        total = len(Dataset(folder).plan)
    except (PixCellError, OSError):  # not begun or not prepared, or gone
        return 0, 0
    return min(total, _lines(folder / MANIFEST)), total


def _lines(path: Path) -> int:
    """Return the number of lines of a file; 0 if there is none."""
    try:
        with path.open("rb") as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(BLOCK), b""))
    except OSError:
        return 0
