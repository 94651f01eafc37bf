"""When live pictures are due, and how long generations take."""

from __future__ import annotations

import time
from functools import lru_cache

from napari_pixcell.engine.canvas.plan import Canvas
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.models.families import get_family
from napari_pixcell.studio.tasks import Clock

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


@lru_cache(maxsize=64)
def windows_of(
    size: tuple[int, int], tile: int, grid: int, steps: int, published: bool = False
) -> int:
    """Return the number of windows of all steps of a picture of (height, width) px."""
    canvas = Canvas(size, tile, grid, published)
    return canvas.count(canvas.turns(steps))


class Paces:
    """Seconds per window for each kind of generation seen in this session."""

    def __init__(self) -> None:
        self._seen: dict[tuple[object, ...], float] = {}

    def learn(self, request: GenerateRequest, clock: Clock) -> None:
        if clock.pace is not None:
            self._seen[_way(request, request.layout is not None)] = clock.pace

    def expect(self, request: GenerateRequest, layout: bool) -> float | None:
        """Return the expected duration of a request in seconds; None if nothing like it was seen.

        Parameters
        ----------
        request : GenerateRequest
            Its layout may still be missing: it is packed only when it is queued.
        layout : bool
            Whether it will have one.
        """
        pace, family = self._seen.get(_way(request, layout)), get_family(request.family)
        if pace is None:
            return None
        size = request.size or (family.tile, family.tile)
        windows = windows_of(size, family.tile, family.grid, request.steps, request.published)
        rounds = request.repair.rounds if request.repair is not None else 0
        return pace * windows * request.count * (1 + rounds)


def _way(request: GenerateRequest, layout: bool) -> tuple[object, ...]:
    """Return what decides the duration of one window. Of repairs, not all rounds are needed."""
    return request.family, request.preset, layout, request.guidance > 1, request.repair
