"""A generation in the queue, and one that was stopped on its way."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.canvas.plan import cells_of
from napari_pixcell.engine.presets import EXACT
from napari_pixcell.engine.request import MAX_SEED, GenerateRequest
from napari_pixcell.models.families import get_family
from napari_pixcell.studio.generation.pace import Clock
from napari_pixcell.studio.results.results import JobHandle, Target

State = Literal["waiting", "running", "done", "failed", "cancelled"]


@dataclass(eq=False)
class GenerationJob:
    """A generation: one request, or several of a series that are made one after another.

    Parameters
    ----------
    number : int
        Identifies it; never used twice in a session.
    requests : list of GenerateRequest
        All by value.
    target : Target
        Where its variants land.
    title : str
        What it is, where it is more than variants of one request.
    live : bool
        Its variants are shown, not kept.
    previews : bool
        Whether it shows how its pictures look by now.
    """

    number: int
    requests: list[Any]
    target: Target
    title: str = ""
    live: bool = False
    previews: bool = True
    state: State = "waiting"
    at: int = 0  # which request is made now
    ready: bool = False  # its arrays are packed
    handle: JobHandle | None = None
    done: int = 0
    total: int = 0
    message: str = "Waiting for the model"
    made: int = 0  # variants of the present request
    kept: int = 0  # variants in all
    cancelled: bool = False
    cancelled_at: float | None = None
    problem: str = ""
    remarks: list[str] = field(default_factory=list)
    ended: datetime | None = None
    clock: Clock = field(default_factory=Clock)
    preview: tuple[int, NDArray[np.uint8]] | None = None
    # What was stopped before and goes on here.
    resumes: Stopped | None = None

    @property
    def request(self) -> GenerateRequest:
        """The request that is made now, or was last."""
        return self.requests[min(self.at, len(self.requests) - 1)]

    @property
    def count(self) -> int:
        """Variants it makes in all."""
        return sum(request.count for request in self.requests)

    @property
    def canvas(self) -> bool:
        """Whether it makes pictures larger than a tile, which can go on after a stop."""
        return self.request.size is not None

    @property
    def over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state in ("done", "failed", "cancelled")

    @property
    def part(self) -> float:
        """How much of it is done, 0 to 1."""
        if self.state == "done":
            return 1.0
        made = sum(request.count for request in self.requests[: self.at])
        now = self.done / self.total * self.request.count if self.total else self.made
        return min(1.0, (made + now) / self.count)

    def summary(self) -> str:
        """Say what it makes: “4 variants, seed 1234, 20 steps”."""
        first = self.requests[0]
        parts = [self.title or ("1 variant" if self.count == 1 else f"{self.count:,} variants")]
        if not self.title:
            parts.append(f"seed {first.seed}")
        parts.append(f"{first.steps} steps")
        if first.preset != EXACT.name:
            parts.append(first.preset)
        if first.start is not None:
            parts.append(f"{first.strength:.0%} changes{' in a part' if first.part else ''}")
        if first.size is not None:
            parts.append(f"{first.size[1]} × {first.size[0]} px")
        return ", ".join(parts)

    def sentence(self) -> str:
        """Say how it stands, and while it runs how long it will take."""
        match self.state:
            case "waiting":
                return "waiting"
            case "done":
                return "done"
            case "failed":
                return self.problem
            case "cancelled":
                kept = f", {self.kept} made" if self.kept else ""
                return f"cancelled{kept}"
        if self.cancelled:
            return "Cancelling…"
        if not self.total or self.done == 0:
            return f"{self.message}…"
        before = sum(request.count for request in self.requests[: self.at])
        parts = [f"{min(before + self.made + 1, self.count)} of {self.count}"]
        if self.canvas:
            # A canvas that has all its windows is being decoded.
            each = self.total // self.request.count
            whole = self.done - self.made * each >= each
            parts.append("finishing" if whole else self.message[:1].lower() + self.message[1:])
        left = self.clock.left_with(self._work_after())
        if left:
            parts.append(left)
        return " · ".join(parts)

    def _work_after(self) -> int:
        """Give the steps or windows of the requests that come after this one, about."""
        now = self.request
        each = self.total / max(1, now.count * now.steps)
        later = self.requests[self.at + 1 :]
        return round(sum(each * request.count * request.steps for request in later))

    def rest(self) -> list[GenerateRequest]:
        """Give what is left to make, for another try."""
        now = _after(self.request, self.made)
        later = self.requests[self.at + 1 :]
        return [now, *later] if now is not None else later

    def stopped(self) -> Stopped | None:
        """Give what is left to do, if there is something that can go on."""
        request, made = self.request, self.made
        if not self.canvas or len(self.requests) > 1 or self.live:
            return None
        rest = _after(request, made)
        each = self.total / request.count
        if rest is None:
            return None
        if not each or self.done <= made * each:
            return self.resumes if not made else None
        return Stopped(rest, self.target, (self.done - made * each) / (each * rest.count))


def _after(request: GenerateRequest, made: int) -> GenerateRequest | None:
    """Give the request for the variants after the first ``made``; None if there are none."""
    if made >= request.count:
        return None
    return replace(request, seed=(request.seed + made) % (MAX_SEED + 1), count=request.count - made)


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
