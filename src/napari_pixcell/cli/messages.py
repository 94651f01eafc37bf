"""Messages beside the result: on stderr, and with time stamps in the file of ``--log-file``.

Commands print their result on stdout. Everything else is a message here, so that ``--json`` leaves
one document on stdout, ``--quiet`` silences the rest, and the log file holds it all.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

LOG_FILE = "PIXCELL_LOG_FILE"  # environment variables of worker processes
QUIET = "PIXCELL_QUIET"
FORMAT = "%(asctime)s %(levelname)s %(name)s[%(process)d] %(message)s"
PACKAGE = logging.getLogger("napari_pixcell")
log = logging.getLogger("napari_pixcell.cli")


def note(text: str) -> None:
    """Print a message that is not part of the result."""
    log.info("%s", text)


@contextmanager
def messages(
    quiet: bool = False, debug: bool = False, log_file: Path | None = None
) -> Iterator[None]:
    """Show messages as the options of a command ask, here and in the worker processes it starts.

    Parameters
    ----------
    quiet : bool
        Show no messages. Errors are shown by the command.
    debug : bool
        Show every step of this package.
    log_file : Path, optional
        File to which every step is added.

    Raises
    ------
    OSError
        If the log file cannot be written.
    """
    root, level = logging.getLogger(), PACKAGE.level
    handlers = _handlers(quiet, debug, log_file)
    variables = {QUIET: "1" if quiet else None}
    variables[LOG_FILE] = str(log_file.absolute()) if log_file is not None else None
    with ExitStack() as ends:
        for handler in handlers:
            root.addHandler(handler)
            ends.callback(handler.close)
            ends.callback(root.removeHandler, handler)
        PACKAGE.setLevel(logging.DEBUG if debug or log_file else logging.INFO)
        ends.callback(PACKAGE.setLevel, level)
        ends.enter_context(environment(variables))
        yield


def worker_messages() -> None:
    """Show the messages of a worker process as the process that started it does."""
    root, file = logging.getLogger(), os.environ.get(LOG_FILE)
    if any(isinstance(handler, _ShownMessages) for handler in root.handlers):
        return
    for handler in _handlers(QUIET in os.environ, False, Path(file) if file else None):
        root.addHandler(handler)
    PACKAGE.setLevel(logging.DEBUG if file else logging.INFO)


@contextmanager
def environment(variables: Mapping[str, str | None]) -> Iterator[None]:
    """Set environment variables for this process and those that it starts.

    A variable whose value is None stays as it is.
    """
    wanted = {name: value for name, value in variables.items() if value is not None}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _handlers(quiet: bool, debug: bool, log_file: Path | None) -> list[logging.Handler]:
    shown = _ShownMessages(debug)
    shown.setLevel(logging.ERROR if quiet else logging.NOTSET)
    if log_file is None:
        return [shown]
    written = logging.FileHandler(log_file, encoding="utf-8", errors="backslashreplace")
    written.setFormatter(logging.Formatter(FORMAT))
    return [shown, written]


class _ShownMessages(logging.Handler):
    """Prints messages of commands and warnings on stderr; all else only for debugging."""

    def __init__(self, debug: bool) -> None:
        super().__init__()
        self._debug = debug
        if debug:
            self.setFormatter(logging.Formatter(logging.BASIC_FORMAT))

    def emit(self, record: logging.LogRecord) -> None:
        ours = record.name == log.name and record.levelno >= logging.INFO
        if not (self._debug or ours or record.levelno >= logging.WARNING):
            return
        with suppress(OSError, ValueError):  # nobody reads it any more; the work continues
            print(self.format(record), file=sys.stderr, flush=True)
