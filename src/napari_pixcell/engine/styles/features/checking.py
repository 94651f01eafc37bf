"""Reads a file of features in a process of its own first: HDF5 may hang or crash on a damaged one.

HDF5 keeps Python's lock while it reads. A file that makes it loop would freeze the whole window,
and no thread could end it. A process that reads the file can be killed, and ends by itself in time.
"""

from __future__ import annotations

import faulthandler
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from napari_pixcell.engine.styles.features.file import SUFFIXES, FeatureFile, holds_features
from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.content import WHOLE, content_key
from napari_pixcell.untrusted import check_regular, reading

LIMIT_S = 60  # until the process ends itself; files on slow drives take long
GLANCE_S = 10  # the same, while the window waits
EXTRA_S = 5  # until it is left behind: a drive that does not answer keeps it alive
MOST_BYTES = 2 * 2**30  # of memory, which some loops of HDF5 fill
POLL_S, LINGERS_S = 0.02, 1.0
READ, NO_FEATURES = 0, 3  # exit codes
_checked: set[tuple[str, int]] = set()  # files that were read to their end


class Abandoned(Exception):
    """The user no longer wants the file."""


def check_readable(path: Path, cancelled: Callable[[], bool] = lambda: False) -> None:
    """Read what opening reads, in a process of its own, and wait until it has ended.

    Parameters
    ----------
    path : Path
        A file that is refused for other reasons passes; opening it says why.
    cancelled : callable
        Whether the process shall be killed; asked again and again.

    Raises
    ------
    PixCellError
        If reading does not end, ends the process, or takes too much memory.
    Abandoned
        If it was cancelled.
    """
    key = _key(path)
    if key in _checked:
        return
    code = _end_of(_start(path, LIMIT_S), cancelled)
    if code is None:
        raise Abandoned
    if code not in (READ, NO_FEATURES):
        raise PixCellError(
            f"“{path.name}” cannot be read: it is damaged, or its drive does not answer. Download "
            "or copy it again."
        )
    _checked.add(key)


def seems_features(path: Path) -> bool:
    """Whether a file holds features of patches, or cannot be read to its end: opening says so."""
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return False
    process, end = _start(path, GLANCE_S), time.monotonic() + GLANCE_S + EXTRA_S
    return _end_of(process, lambda: time.monotonic() > end) != NO_FEATURES


def _end_of(process: subprocess.Popen[bytes], cancelled: Callable[[], bool]) -> int | None:
    """Wait until a process has ended, and return its exit code; None if it was cancelled."""
    while True:
        with suppress(subprocess.TimeoutExpired):
            return process.wait(POLL_S)
        if cancelled():
            process.kill()
            with suppress(subprocess.TimeoutExpired):
                process.wait(LINGERS_S)
            return None
        with suppress(psutil.Error):  # it has just ended
            if psutil.Process(process.pid).memory_info().rss > MOST_BYTES:
                process.kill()


def _key(path: Path) -> tuple[str, int]:
    """Return what changes with the content of a file; of large ones, only parts are compared."""
    with reading(path.name, "Download or copy it again."):
        check_regular(path)
        facts = path.stat()
        return content_key(path), facts.st_mtime_ns if facts.st_size > WHOLE else 0


def _start(path: Path, limit: int) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", __name__, str(limit), str(path.absolute())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        raise PixCellError(
            f"The process that reads “{path.name}” cannot be started ({error.strerror}). Close "
            "other programs and try again."
        ) from error


def _read(path: Path) -> int:
    """Read what opening reads, and where the rows are. Return the exit code."""
    try:
        if not holds_features(path):
            return NO_FEATURES
        with FeatureFile(path) as features:
            _ = features.coords, features.side
            features.walk()
    except Exception:
        return READ  # opening it says why
    return READ


def main() -> None:
    """Read a file with a limit in seconds, which also ends a loop inside of HDF5."""
    limit, path = sys.argv[1:]
    faulthandler.dump_traceback_later(float(limit), exit=True)
    sys.exit(_read(Path(path)))


if __name__ == "__main__":
    main()
