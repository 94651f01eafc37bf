"""The exit codes of all commands."""

from __future__ import annotations

from enum import IntEnum

from napari_pixcell.errors import PixCellError


class ExitCode(IntEnum):
    """How a command ended, for scripts. ``docs/reference/exit-codes.md`` explains each."""

    DONE = 0
    FAILED = 1  # after one sentence that says why
    USAGE = 2  # of argparse: an option is unknown, missing or malformed
    FINDINGS = 3  # the command did its work, and what it checked is not in order
    CANCELLED = 130  # 128 + SIGINT, as in shells

    @classmethod
    def of_check(cls, passed: bool) -> ExitCode:
        """Return the exit code of a check."""
        return cls.DONE if passed else cls.FINDINGS


class FindingsError(PixCellError):
    """What a check has found, in words."""
