"""Output to terminals and pipes of every kind: old encodings, closed readers, full disks."""

from __future__ import annotations

import codecs
import os
import sys
from contextlib import suppress

from napari_pixcell.cli.exit_codes import ExitCode

PLAIN = "pixcell-plain"
# What messages use and Windows code pages or ASCII lack.
REPLACED = {
    "→": "->",
    "“": '"',
    "”": '"',
    "’": "'",
    "–": "-",
    "·": "-",
    "…": "...",
    "×": "x",
    "µ": "u",
    "²": "2",
    "\N{NO-BREAK SPACE}": " ",
}


def prepare_output() -> None:
    """Replace characters that an output cannot encode, instead of failing at them."""
    codecs.register_error(PLAIN, _replace)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=PLAIN)


def flush_output() -> None:
    """Write what is buffered, while errors can still be explained."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()


def output_failed(error: OSError) -> ExitCode:
    """Report that the output cannot be written, and return the exit code.

    Nothing is reported if its reader has closed it, as ``head`` does.
    """
    if not isinstance(error, BrokenPipeError):
        with suppress(OSError):
            print(f"The output cannot be written ({error.strerror}).", file=sys.stderr)
    with suppress(OSError, ValueError, AttributeError):
        # The interpreter flushes once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.FAILED


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(REPLACED.get(character, "?") for character in text), error.end
