"""Cells that are being made in the background: how far, and that they are no longer wanted."""

from __future__ import annotations

import time
from collections.abc import Callable

TOLD_EVERY_S = 0.15


class Stopped(Exception):
    """Raised in the background to end what nobody waits for."""


class Making:
    """One making of cells.

    Parameters
    ----------
    words : str
        What is done, as "Inventing".
    tell : callable
        Called now and then, in the background, when there is something new to show.

    Attributes
    ----------
    done, total : int
        Cells; 0 of 0 while that is not known.
    cancelled : bool
        Whether it is no longer wanted.
    """

    def __init__(self, words: str, tell: Callable[[], None]) -> None:
        self.words = words
        self.done = self.total = 0
        self.cancelled = False
        self._tell = tell
        self._told = time.monotonic()

    def progress(self, done: int, total: int) -> None:
        """Note how far it is.

        Raises
        ------
        Stopped
            If it was cancelled.
        """
        if self.cancelled:
            raise Stopped
        self.done, self.total = done, total
        if time.monotonic() - self._told > TOLD_EVERY_S:
            self._told = time.monotonic()
            self._tell()

    def sentence(self) -> str:
        """Say what happens, for the user."""
        if not self.done:
            return f"{self.words}…"
        return f"{self.words}… {self.done:,} of {self.total:,} cells"
