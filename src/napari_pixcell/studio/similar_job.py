"""A search for similar tissue: its task and its result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.styles.similarity import Match, SurveyGrid
from napari_pixcell.engine.styles.survey import Survey, SurveyBatch
from napari_pixcell.models.catalogue import Family
from napari_pixcell.slides.region import Region
from napari_pixcell.studio.tasks import Task

# Positions of one request: as many as take a second at most, so that generations get in between.
FIRST_BATCH, LARGEST_BATCH, BATCH_S = 4, 8, 1.0


@dataclass(frozen=True, eq=False)
class Similar:
    """Where a slide resembles a region."""

    number: int  # of the region that the slide was compared with
    region: Region
    slide: Any
    grid: SurveyGrid
    # (rows, columns): similarity at each position, 0 to 1; NaN for glass and for what is
    # not compared yet
    heat: NDArray[np.float32]
    seen: int  # positions that were compared
    total: int
    unreadable: int  # positions that could not be read
    # The most similar positions, best first, with their tissue, uint8 (side, side, 3)
    best: list[tuple[Match, NDArray[np.uint8]]]

    @property
    def complete(self) -> bool:
        return self.seen + self.unreadable >= self.total

    def sentence(self, name: str) -> str:
        """Return the result in words; ``name`` is the region's."""
        parts = [f"Most similar to {name}" if self.best else f"Nothing else here resembles {name}"]
        if not self.complete:
            parts.append(f"{self.seen:,} of {self.total:,} positions compared")
        if self.unreadable:
            parts.append(f"{self.unreadable:,} could not be read")
        return " · ".join(parts)


@dataclass(eq=False, kw_only=True)
class SimilarTask(Task):
    """A search under way."""

    number: int  # of the region that the slide is compared with
    region: Region
    slide: Any  # the slide that is searched
    family: Family  # its encoder is used
    wanted: NDArray[np.float32]  # (..., dimension): the region's embeddings
    section: str = "region"
    survey: Survey | None = None  # once it has begun
    asked: float = 0.0  # when the last request was sent
    batch: int = FIRST_BATCH

    def progress(self, done: int, total: int, message: str = "") -> None:
        """Do nothing: progress counts positions, not the tiles of one request."""

    def note(self, done: int, total: int) -> None:
        """Record the number of positions that were compared."""
        super().progress(done, total)

    def sentence(self) -> str:
        if not self.total:
            return "Looking for tissue…"
        left = f" · {self.clock.left}" if self.clock.left else ""
        return f"Searching… {self.done:,} of {self.total:,} positions{left}"


@dataclass(frozen=True, eq=False)
class Step:
    """What a search does next, and what it knows so far."""

    batch: SurveyBatch | None
    found: Similar | None
    done: int = 0
    total: int = 0
