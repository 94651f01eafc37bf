"""How long things take, in words, and how long they will take, learnt from earlier ones."""

from __future__ import annotations

import time
from functools import lru_cache

from napari_pixcell.engine.canvas.plan import Canvas
from napari_pixcell.engine.request import GenerateRequest
from napari_pixcell.models.families import get_family


def duration(seconds: float) -> str:
    """Say how long that is: “40 s”, “3 min”, “2.5 h”."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


@lru_cache(maxsize=64)
def windows_of(size: tuple[int, int], tile: int, grid: int, steps: int) -> int:
    """Count the windows of all steps of a picture of (height, width) px."""
    canvas = Canvas(size, tile, grid)
    return canvas.count(canvas.turns(steps))


class Clock:
    """Times one job by its progress; what was done before it was started counts for nothing."""

    def __init__(self) -> None:
        self.since: float | None = None
        self._first = self._done = self._total = 0
        self._now = 0.0

    def note(self, done: int, total: int) -> None:
        """Take progress in; without a total it starts anew."""
        self._now = time.monotonic()
        if not total:
            self.since = None
        elif self.since is None:
            self.since, self._first = self._now, done
        self._done, self._total = done, total

    @property
    def pace(self) -> float | None:
        """Seconds for each step or window; None until there was one."""
        if self.since is None or self._done <= self._first:
            return None
        return (self._now - self.since) / (self._done - self._first)

    @property
    def left(self) -> str:
        """How long it will take, such as “30 s left”; empty if that is not known, or nothing."""
        return self.left_with(0)

    def left_with(self, more: int) -> str:
        """How long it and so many more steps or windows will take."""
        pace = self.pace
        seconds = 0.0 if pace is None else pace * (self._total - self._done + more)
        return f"{duration(seconds)} left" if seconds >= 0.5 else ""


class Paces:
    """Seconds for each window of the ways to generate that were seen in this session."""

    def __init__(self) -> None:
        self._seen: dict[tuple[object, ...], float] = {}

    def learn(self, request: GenerateRequest, clock: Clock) -> None:
        """Remember how fast a job was."""
        if clock.pace is not None:
            self._seen[_way(request, request.layout is not None)] = clock.pace

    def expect(self, request: GenerateRequest, layout: bool) -> float | None:
        """Give the seconds that a request will take; None if nothing like it was seen.

        ``layout`` says whether it will have one: that is packed only when it is queued.
        """
        pace, family = self._seen.get(_way(request, layout)), get_family(request.family)
        if pace is None:
            return None
        size = request.size or (family.tile, family.tile)
        windows = windows_of(size, family.tile, family.grid, request.steps)
        return pace * windows * request.count


def _way(request: GenerateRequest, layout: bool) -> tuple[object, ...]:
    """Name what decides how long one window takes."""
    return request.family, request.preset, layout, request.guidance > 1
