"""A job of the generation queue, and a canvas that was stopped on its way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.canvas.plan import cells_of
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.presets import EXACT
from napari_pixcell.engine.repair import REPAIRING
from napari_pixcell.engine.request_values import MAX_SEED, GenerateRequest
from napari_pixcell.models.families import get_family
from napari_pixcell.studio.generation.target import Start, Target
from napari_pixcell.studio.generation.timing import Paces
from napari_pixcell.studio.tasks import State, Task
from napari_pixcell.words import counted


@dataclass(eq=False, kw_only=True)
class Job(Task, ABC):
    """A task of the queue, of which the worker runs one at a time."""

    number: int  # never used twice in a session
    requests: list[Any]  # made one after another, all by value
    target: Target | None = None
    previews: bool = True
    on_end: Callable[[Job], None] | None = None
    section: str = "generate"
    state: State = "waiting"
    message: str = "Waiting for the model"
    live: bool = False  # its variants are shown, not kept
    gives_way: bool = False  # it stops for other jobs, and resumes when they are done
    giving_way: bool = False
    pictures: bool = True  # it makes variants for the gallery
    at: int = 0  # index of the running request
    made: int = 0  # variants of the running request
    kept: int = 0  # variants in all
    ready: bool = False  # its arrays are packed
    cancelled_at: float | None = None
    remarks: list[str] = field(default_factory=list)
    ended: datetime | None = None
    preview: tuple[int, NDArray[np.uint8]] | None = None

    @property
    def request(self) -> Any:
        """The running request, or the last one."""
        return self.requests[min(self.at, len(self.requests) - 1)]

    @property
    def part(self) -> float:
        """Fraction done, 0 to 1."""
        return 1.0 if self.state == "done" else self.done / max(1, self.total)

    def complete(self, labels: NDArray[Any] | None) -> None:
        """Add layout and start to the requests; runs in a thread."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Name of the region or dataset that it is for."""

    @abstractmethod
    def summary(self) -> str:
        """Return what it makes."""

    @abstractmethod
    def rest(self) -> list[Any]:
        """Return the requests that are left, for a retry."""

    @abstractmethod
    def retry(self) -> Job:
        """Return a job for what is left."""

    def learn(self, paces: Paces) -> None:
        """Record the pace of a request that ended."""

    def stopped(self) -> Stopped | None:
        """Return what can be resumed elsewhere than in the job itself."""
        return None

    def next_request(self) -> None:
        self.at, self.done, self.total, self.made = self.at + 1, 0, 0, 0
        self.clock.note(0, 0)

    def count_variant(self) -> bool:
        self.made += 1
        self.kept += 1
        return self.kept == 1


@dataclass(eq=False, kw_only=True)
class GenerationJob(Job):
    """A generation: one request, or a series of them."""

    target: Target
    title: str = ""
    start: Start | None = None  # until its requests are completed with it
    resumes: Stopped | None = None  # a stopped canvas that it resumes

    @property
    def name(self) -> str:
        return self.target.name

    @property
    def count(self) -> int:
        count: int = sum(request.count for request in self.requests)
        return count

    @property
    def canvas(self) -> bool:
        """True if its pictures are larger than a tile and can be resumed after a stop."""
        return bool(self.request.size)

    @property
    def part(self) -> float:
        if self.state == "done":
            return 1.0
        made: int = sum(request.count for request in self.requests[: self.at])
        now = self.done / self.total * self.request.count if self.total else self.made
        return min(1.0, (made + now) / self.count)

    def complete(self, labels: NDArray[Any] | None) -> None:
        if labels is not None:
            packed = PackedArray.pack(labels)
            self.requests = [replace(request, layout=packed) for request in self.requests]
        if self.start is not None:
            self.requests = self.start.complete(self.requests)
            self.start = None  # the requests hold it now

    def summary(self) -> str:
        """Return what it makes: “4 variants, seed 1234, 20 steps”."""
        first = self.requests[0]
        parts = [self.title or counted(self.count, "variant")]
        if not self.title:
            parts.append(f"seed {first.seed}")
        parts.append(f"{first.steps} steps")
        if first.preset != EXACT.name:
            parts.append(first.preset)
        if first.start is not None:
            parts.append(f"{first.strength:.0%} changes{' in an area' if first.part else ''}")
        if first.size is not None:
            parts.append(f"{first.size[1]} × {first.size[0]} px")
        return ", ".join(parts)

    def sentence(self) -> str:
        match self.state:
            case "waiting" | "done":
                return self.state
            case "failed":
                return self.problem
            case "cancelled":
                return f"cancelled, {self.kept} made" if self.kept else "cancelled"
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
        elif self.message.startswith(REPAIRING):
            parts.append(self.message[:1].lower() + self.message[1:])
        left = self.clock.left_with(self._work_after())
        if left:
            parts.append(left)
        return " · ".join(parts)

    def _work_after(self) -> int:
        now = self.request
        each: float = self.total / max(1, now.count * now.steps)
        later = self.requests[self.at + 1 :]
        later_steps: int = sum(request.count * request.steps for request in later)
        return round(each * later_steps)

    def rest(self) -> list[GenerateRequest]:
        now = _after(self.request, self.made)
        later = self.requests[self.at + 1 :]
        return [now, *later] if now is not None else later

    def retry(self) -> GenerationJob:
        return GenerationJob(
            number=self.number,
            requests=self.rest(),
            target=self.target,
            title=self.title,
            previews=self.previews,
            start=self.start,
            resumes=self.stopped(),
            kept=self.kept,
        )

    def learn(self, paces: Paces) -> None:
        paces.learn(self.request, self.clock)

    def stopped(self) -> Stopped | None:
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
    """Return the request for the variants after the first ``made``; None if there are none."""
    if made >= request.count:
        return None
    return replace(request, seed=(request.seed + made) % (MAX_SEED + 1), count=request.count - made)


@dataclass(frozen=True)
class Stopped:
    """A stopped canvas: its finished rows are on disk, and the same request resumes it."""

    request: GenerateRequest
    target: Target
    part: float  # fraction that is done, 0 to 1

    def sentence(self) -> str:
        """Return how far it came, and how to resume it."""
        percent = min(99, max(1, int(100 * self.part)))
        return f"Stopped at {percent} %. Generate again with the same settings to resume."


def picture_of(preview: NDArray[np.uint8], request: GenerateRequest) -> NDArray[np.uint8]:
    """Crop a preview to the picture.

    Parameters
    ----------
    preview : array, uint8, (h, w, 3)
        Preview of the whole canvas, which consists of whole cells and may be larger.
    request : GenerateRequest
        The request of the picture.

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
