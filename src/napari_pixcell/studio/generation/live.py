"""When to make a quick picture of what is being painted."""

from __future__ import annotations

import time

# Seconds without a stroke after which the picture is made, and after the first one at most.
PAUSE = 0.25
LONGEST = 3.0
MOST_TILES = 4  # of a region that is fast enough


class Live:
    """Waits for a pause in painting, but not for ever.

    Attributes
    ----------
    on : bool
        Whether the user wants live pictures.
    """

    def __init__(self) -> None:
        self.on = False
        self._first: float | None = None
        self._last = 0.0

    def touched(self) -> None:
        """Note a stroke, or another change that the picture depends on."""
        if self.on:
            self._last = time.monotonic()
            self._first = self._last if self._first is None else self._first

    def due(self) -> bool:
        """Whether the picture is to be made now; the next one needs another stroke."""
        if self._first is None:
            return False
        now = time.monotonic()
        if now - self._last < PAUSE and now - self._first < LONGEST:
            return False
        self._first = None
        return True

    def forget(self) -> None:
        """Make none of what was painted so far."""
        self._first = None
