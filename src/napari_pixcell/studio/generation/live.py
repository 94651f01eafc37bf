"""When to generate a quick picture of what is being painted."""

from __future__ import annotations

import time

# Seconds without a stroke after which the picture is due, and after the first one at most.
PAUSE = 0.25
LONGEST = 3.0
MOST_TILES = 4  # tiles of a region that is fast enough


class Live:
    """Waits for a pause in painting, up to a limit."""

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
        """Return whether the picture is due; the next one needs another stroke."""
        if self._first is None:
            return False
        now = time.monotonic()
        if now - self._last < PAUSE and now - self._first < LONGEST:
            return False
        self._first = None
        return True

    def forget(self) -> None:
        self._first = None
