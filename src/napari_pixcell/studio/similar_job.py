"""What a search for similar tissue is doing, and what it found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.styles.similarity import Match, SurveyGrid
from napari_pixcell.engine.styles.survey import Survey, SurveyBatch
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides.region import Region
from napari_pixcell.studio.generation.pace import Clock
from napari_pixcell.studio.results.results import JobHandle

# Places of one request: at most as many as take a second, so that generations get in between. To
# write many pixels as JSON at once would make the window stutter.
FIRST_BATCH, LARGEST_BATCH, BATCH_S = 4, 8, 1.0


@dataclass(frozen=True, eq=False)
class Similar:
    """Where a slide looks like a region.

    Parameters
    ----------
    number, region : int, Region
        Of the region that the slide was compared with.
    slide : Slide
        That was looked at.
    grid : SurveyGrid
        Where it was looked at.
    heat : array, float32, (rows, columns)
        How alike each place is, 0 to 1; NaN where there is glass or nobody has looked yet.
    seen, total : int
        How many places were looked at, and how many there are.
    unreadable : int
        How many could not be read.
    best : list of (Match, pixels)
        The most alike places, best first, with their tissue: uint8 (side, side, 3).
    """

    number: int
    region: Region
    slide: Any
    grid: SurveyGrid
    heat: NDArray[np.float32]
    seen: int
    total: int
    unreadable: int
    best: list[tuple[Match, NDArray[np.uint8]]]

    @property
    def complete(self) -> bool:
        """Whether all places were looked at."""
        return self.seen + self.unreadable >= self.total

    def sentence(self, name: str) -> str:
        """Say what was found; ``name`` is the region's."""
        parts = [f"Most like {name}" if self.best else f"Nothing else here is like {name}"]
        if not self.complete:
            parts.append(f"{self.seen:,} of {self.total:,} places looked at")
        if self.unreadable:
            parts.append(f"{self.unreadable:,} could not be read")
        return " · ".join(parts)


@dataclass(eq=False)
class SimilarJob:
    """A search that is under way.

    Parameters
    ----------
    number, region : int, Region
        Of the region that the slide is compared with.
    slide : Slide
        That is looked at.
    family : Family
        Whose encoder looks.
    wanted : array, float32, (..., dimension)
        The region's embeddings.
    """

    number: int
    region: Region
    slide: Any
    family: Family
    wanted: NDArray[np.float32]
    survey: Survey | None = None  # once it has begun
    done: int = 0
    total: int = 0
    handle: JobHandle | None = None
    asked: float = 0.0  # when the last request was sent
    batch: int = FIRST_BATCH
    clock: Clock = field(default_factory=Clock)

    def note(self, done: int, total: int) -> None:
        """Take progress in."""
        self.done, self.total = done, total
        self.clock.note(done, total)

    def sentence(self) -> str:
        """Say how far it is."""
        if not self.total:
            return "Looking for tissue…"
        left = f" · {self.clock.left}" if self.clock.left else ""
        return f"Looking… {self.done:,} of {self.total:,} places{left}"


@dataclass(frozen=True, eq=False)
class Step:
    """What a search does next, and what it knows."""

    batch: SurveyBatch | None
    found: Similar | None
    done: int = 0
    total: int = 0
