"""Starts commands as processes that outlive the window or terminal which started them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from napari_pixcell.datasets.runs.log import DETACHED, log_of
from napari_pixcell.datasets.runs.state import RunState, run_of
from napari_pixcell.datasets.store.dataset import DESCRIPTION
from napari_pixcell.errors import PixCellError
from napari_pixcell.files import private_folder

PROGRAM = (sys.executable, "-m", "napari_pixcell.cli")
LOOKS_EVERY = 0.05  # seconds
LOWER = 10  # niceness beside interactive work
MOST_OUTPUT = 4000  # characters of the output of a process that failed


def start_detached(
    folder: Path, arguments: Sequence[str], working: Path | None = None, lower: bool = False
) -> RunState:
    """Start a command that makes a dataset in a process of its own, and wait for its log.

    It has its own session (or console), no terminal, and its output goes to a file beside the log.
    So neither a closed terminal nor the end of this process ends it.

    Parameters
    ----------
    folder : Path
        Of the dataset.
    arguments : sequence of str
        Of ``napari-pixcell``.
    working : Path, optional
        Working directory.
    lower : bool
        Whether other work on this machine goes first.

    Raises
    ------
    PixCellError
        If the command fails before it has begun.
    """
    run, output = uuid.uuid4().hex, log_of(folder).with_suffix(".out")
    try:
        private_folder(output.parent)
        with output.open("wb") as file:
            output.chmod(0o600)
            process = _started(arguments, file.fileno(), os.environ | {DETACHED: run}, working)
    except OSError as error:
        raise PixCellError(
            f"The process cannot be started ({error.strerror}). Check that the folder of user data "
            "is writable (PIXCELL_DATA_DIR)."
        ) from error
    # Ended processes stay in the system's table until somebody has waited for them.
    threading.Thread(target=process.wait, name="pixcell-detached", daemon=True).start()
    if lower:
        with suppress(psutil.Error):
            _lower(process.pid)
    while True:
        ended = process.poll() is not None
        state = _begun(folder, run)
        if state is not None and state.stage != "failed":
            return state
        if state is not None:
            raise PixCellError(state.message)
        if ended:
            raise PixCellError(_reason(output))
        time.sleep(LOOKS_EVERY)


def is_detached() -> bool:
    """Return True if :func:`start_detached` started this process."""
    return DETACHED in os.environ


def resume_detached(state: RunState, lower: bool = False) -> RunState:
    """Start a run again that has ended early, with as many processes as before.

    Raises
    ------
    PixCellError
        If it is not known how it was started, or the command fails.
    """
    folder, head = state.folder, state.head
    if (folder / DESCRIPTION).exists():
        place = head.place if head is not None else ()
        return start_detached(folder, ["dataset", "resume", str(folder), *place], lower=lower)
    if head is None or not head.arguments:
        raise PixCellError(f"{folder.name} holds no dataset yet. Start the command again.")
    working = Path(head.working)
    return start_detached(folder, head.arguments, working if working.is_dir() else None, lower)


def _started(
    arguments: Sequence[str], output: int, environment: dict[str, str], working: Path | None
) -> subprocess.Popen[bytes]:
    command = [*PROGRAM, *arguments]
    if sys.platform != "win32":
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            cwd=working,
            start_new_session=True,
        )
    flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
    for job in (subprocess.CREATE_BREAKAWAY_FROM_JOB, 0):  # a job may forbid it
        with suppress(PermissionError):
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                cwd=working,
                creationflags=flags | job,
            )
    raise PermissionError(0, "the system forbids it")


def _lower(process: int) -> None:
    lower = psutil.BELOW_NORMAL_PRIORITY_CLASS if sys.platform == "win32" else LOWER
    psutil.Process(process).nice(lower)


def _begun(folder: Path, run: str) -> RunState | None:
    with suppress(PixCellError):  # nothing is there yet
        state = run_of(folder)
        if state.head is not None and state.head.id == run:
            return state
    return None


def _reason(output: Path) -> str:
    """Return the last line that a failed process printed."""
    with suppress(OSError):
        lines = output.read_text("utf-8", "replace")[-MOST_OUTPUT:].split("\n")
        said = [line.strip() for line in lines if line.strip()]
        if said:
            return said[-1]
    return "The process has ended without a word. Check the memory of this machine and try again."
