"""How long a generation will take, learnt from earlier ones."""

from __future__ import annotations

from functools import lru_cache

from napari_pixcell.engine.canvas.plan import Canvas
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.models.families import get_family
from napari_pixcell.studio.tasks import Clock


@lru_cache(maxsize=64)
def windows_of(size: tuple[int, int], tile: int, grid: int, steps: int) -> int:
    """Return the number of windows of all steps of a picture of (height, width) px."""
    canvas = Canvas(size, tile, grid)
    return canvas.count(canvas.turns(steps))


class Paces:
    """Seconds per window for each kind of generation seen in this session."""

    def __init__(self) -> None:
        self._seen: dict[tuple[object, ...], float] = {}

    def learn(self, request: GenerateRequest, clock: Clock) -> None:
        """Record the pace of a job."""
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
        windows = windows_of(size, family.tile, family.grid, request.steps)
        return pace * windows * request.count


def _way(request: GenerateRequest, layout: bool) -> tuple[object, ...]:
    """Return what decides the duration of one window."""
    return request.family, request.preset, layout, request.guidance > 1
