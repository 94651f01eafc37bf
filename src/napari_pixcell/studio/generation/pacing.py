"""How often progress and previews are drawn, so that the window stays quick under the hand."""

from __future__ import annotations

import time
from collections.abc import Callable

# Of the time, drawing progress and previews may take one part in this many.
SHARE = 5
ON_TIME_S = 0.06  # turns up to this apart are not late
LONGEST_S = 2.0  # between two drawings, however slow the window is


class DrawingPace:
    """Spaces drawings further apart while the turns of the event loop come late.

    A turn that follows a drawing comes late by what the drawing took, and by whatever else the
    window has to do, such as panning. After a late turn, drawing rests for ``SHARE`` times as long.

    Parameters
    ----------
    clock : callable
        Returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._turn: float | None = None
        self._rests_until = 0.0
        self._drew = False

    def turn(self) -> bool:
        """Note a turn of the event loop, and return True if it may draw."""
        now = self._clock()
        late = 0.0 if self._turn is None else now - self._turn
        self._turn = now
        if self._drew and late > ON_TIME_S:
            self._rests_until = now + min(SHARE * late, LONGEST_S)
        self._drew = False
        return now >= self._rests_until

    def drew(self) -> None:
        """Note that this turn draws."""
        self._drew = True
