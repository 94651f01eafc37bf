"""A generation that waits or runs, and one that was stopped on its way."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.canvas import cells_of
from napari_pixcell.engine.request import MAX_SEED, GenerateRequest
from napari_pixcell.models.catalogue import get_family
from napari_pixcell.studio.results import JobHandle, Target
from napari_pixcell.studio.times import Clock


@dataclass(eq=False)
class GenerationJob:
    """A queued or running generation."""

    number: int
    request: GenerateRequest
    target: Target
    handle: JobHandle | None = None
    done: int = 0
    total: int = 0
    message: str = "Waiting for the model"
    made: int = 0
    cancelled: bool = False
    clock: Clock = field(default_factory=Clock)
    preview: tuple[int, NDArray[np.uint8]] | None = None
    # What was stopped before and goes on here.
    resumes: Stopped | None = None

    @property
    def canvas(self) -> bool:
        """Whether it makes pictures larger than a tile, which can go on after a stop."""
        return self.request.size is not None

    def sentence(self) -> str:
        """Say what is going on and how long it will take."""
        if self.cancelled:
            return "Cancelling…"
        if not self.total or self.done == 0:
            return f"{self.message}…"
        count = self.request.count
        parts = [f"{min(self.made + 1, count)} of {count}"]
        if self.canvas:
            # A canvas that has all its windows is being decoded.
            each = self.total // count
            whole = self.done - self.made * each >= each
            parts.append("finishing" if whole else self.message[:1].lower() + self.message[1:])
        if self.clock.left:
            parts.append(self.clock.left)
        return " · ".join(parts)

    def stopped(self) -> Stopped | None:
        """Give what is left to do, if there is something that can go on."""
        request, made = self.request, self.made
        if not self.canvas or made >= request.count:
            return None
        each = self.total / request.count
        if not each or self.done <= made * each:
            return self.resumes if not made else None
        seed, count = (request.seed + made) % (MAX_SEED + 1), request.count - made
        rest = replace(request, seed=seed, count=count)
        return Stopped(rest, self.target, (self.done - made * each) / (each * count))


@dataclass(frozen=True)
class Stopped:
    """A canvas that was stopped: its finished rows are kept, and the same request goes on.

    Parameters
    ----------
    request : GenerateRequest
        What is left to do.
    target : Target
        Where it lands.
    part : float
        How much of it is done, 0 to 1.
    """

    request: GenerateRequest
    target: Target
    part: float

    def sentence(self) -> str:
        """Say how far it came and what can be done."""
        percent = min(99, max(1, int(100 * self.part)))
        return f"Stopped at {percent} %. Generate again with the same settings to go on from there."


def picture_of(preview: NDArray[np.uint8], request: GenerateRequest) -> NDArray[np.uint8]:
    """Cut a preview to what it shows of the picture.

    Parameters
    ----------
    preview : array, uint8, (h, w, 3)
        Of the whole canvas, which is made of whole cells and may reach beyond the picture.
    request : GenerateRequest
        Whose preview.

    Returns
    -------
    array, uint8, (height, width, 3)
    """
    if request.size is None:
        return preview
    family = get_family(request.family)
    cells = cells_of(request.size, family.tile, family.grid)
    side = family.tile // family.grid
    rows, columns = (
        max(1, min(has, round(has * wanted / (count * side))))
        for has, wanted, count in zip(preview.shape, request.size, cells, strict=False)
    )
    return preview[:rows, :columns]
