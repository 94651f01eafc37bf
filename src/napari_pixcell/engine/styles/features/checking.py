"""Reads a file of features in a process of its own first: HDF5 may hang or crash on a damaged one.

HDF5 keeps Python's lock while it reads. A file that makes it loop would freeze the whole window,
and no thread could end it. A process that reads the file can be killed, and ends by itself in time.
"""

from __future__ import annotations

import faulthandler
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from napari_pixcell.engine.styles.features.file import SUFFIXES, FeatureFile, holds_features
from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.content import WHOLE, content_key
from napari_pixcell.untrusted import check_regular, reading

LIMIT_S = 120  # until the process ends itself; files on slow drives take long
GLANCE_S = 10  # the same, while the window waits
EXTRA_S = 5  # until it is left behind: a drive that does not answer keeps it alive
POLL_S = 0.02
ENDED, NO_FEATURES = 0, 3  # exit codes
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
        If reading does not end, or ends the process.
    Abandoned
        If it was cancelled.
    """
    key = _key(path)
    if key in _checked:
        return
    process = _start(path, LIMIT_S)
    while process.poll() is None:
        if cancelled():
            process.kill()
            raise Abandoned
        try:
            process.wait(POLL_S)
        except subprocess.TimeoutExpired:
            continue
    if process.returncode not in (ENDED, NO_FEATURES):
        raise PixCellError(
            f"“{path.name}” cannot be read: it is damaged, or its drive does not answer. Download "
            "or copy it again."
        )
    _checked.add(key)


def seems_features(path: Path) -> bool:
    """Whether a file holds features of patches, or cannot be read to its end: opening says so."""
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return False
    process = _start(path, GLANCE_S)
    try:
        return process.wait(GLANCE_S + EXTRA_S) != NO_FEATURES
    except subprocess.TimeoutExpired:
        process.kill()
        return True


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
        return ENDED  # opening it says why
    return ENDED


def main() -> None:
    """Read a file with a limit in seconds, which also ends a loop inside of HDF5."""
    limit, path = sys.argv[1:]
    faulthandler.dump_traceback_later(float(limit), exit=True)
    sys.exit(_read(Path(path)))


if __name__ == "__main__":
    main()
