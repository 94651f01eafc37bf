"""A search of the whole slide for tissue that resembles a region."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_pixcell.engine.events import Embedding, Event, Failure, Finished
from napari_pixcell.engine.styles.similarity import Match, SurveyGrid, best_matches
from napari_pixcell.engine.styles.survey import Survey, SurveyBatch
from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.store import encoder_identity
from napari_pixcell.slides.region import Region
from napari_pixcell.studio.models import InstalledModels
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.regions.regions import Regions
from napari_pixcell.studio.settings import Settings
from napari_pixcell.studio.slides import Slides
from napari_pixcell.studio.styles.embedder import Embedder
from napari_pixcell.studio.styles.styles import RegionStyles
from napari_pixcell.studio.tasks import Task, Tasks

BEST = 6
# Positions of one request. It takes about a second, so that generations can run in between.
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
            return "Finding tissue…"
        left = f" · {self.clock.left}" if self.clock.left else ""
        return f"Searching… {self.done:,} of {self.total:,} positions{left}"


@dataclass(frozen=True, eq=False)
class Step:
    """The next positions of a search, and its result so far."""

    batch: SurveyBatch | None
    found: Similar | None
    done: int = 0
    total: int = 0


@dataclass(eq=False)
class SimilarTissue:
    """Compares the active region with the whole slide, a few positions at a time.

    Embeddings are kept in memory and on disk: the next search on the same slide reuses them, and
    needs no worker if all are known.
    """

    changed = Signal()  # progress, or another result

    slides: Slides
    models: InstalledModels
    settings: Settings
    regions: Regions
    styles: RegionStyles
    embedder: Embedder
    tasks: Tasks

    def __post_init__(self) -> None:
        self._background = self.tasks.background
        self._survey: tuple[str | None, Survey] | None = None  # encoder, and its survey
        self.job: SimilarTask | None = None
        self.found: Similar | None = None  # the last result; during a search, the result so far
        self.shown = True  # whether the map is shown on the slide
        self.regions.changed.connect(self._follow)
        self.slides.changed.connect(self._follow)

    def why_not(self) -> str:
        item = self.regions.active
        if not self.slides.ready:
            return "Open a slide whose pixel size is known first"
        if reason := self.models.why_not():
            return reason
        if item is None:
            return "Add a region first: the search compares with its tissue"
        if item.family != self.settings.family:
            return "The slide is too small for this model"
        if self.job is not None:
            return "A search is under way"
        if item.embedding is None:
            return f"Embedding {item.name}…" if item.embedding_busy else f"Embed {item.name} first"
        return ""

    def find(self) -> None:
        """Search the slide for tissue like the active region's; returns at once."""
        item = self.regions.active
        if item is None or item.embedding is None or self.why_not():
            return
        task = self.job = SimilarTask(
            number=item.number,
            region=item.region,
            slide=self.slides.current,
            family=self.settings.model,
            wanted=item.embedding.unpack(),
        )
        self.found, self.shown = None, True
        self.tasks.start(task)

        def begin() -> Step:
            if self.job is task:
                task.survey = self._surveyed(task)
                task.survey.retry()
            return self._step(task)

        self._compute(task, begin)
        self.changed.emit()

    def cancel(self) -> bool:
        """Stop at once, and show the result so far; True if a search was under way."""
        task, self.job = self.job, None
        if task is None:
            return False
        self.tasks.drop(task)
        partly, survey = self.found, task.survey
        if partly is not None and survey is not None:

            def show(ranked: Similar) -> None:
                if self.found is partly:
                    self.found = ranked
                    self.changed.emit()

            self._background.compute(lambda: self._rank(task, survey, BEST), show, lambda _: None)
        self.changed.emit()
        return True

    def show(self, shown: bool) -> None:
        if shown != self.shown:
            self.shown = shown
            self.changed.emit()

    def forget(self) -> None:
        """Remove the result; the embeddings stay for the next search."""
        self.cancel()
        self.found = None
        self.changed.emit()

    def add_region(self, place: Match) -> RegionItem | None:
        region = place.region
        return self.regions.add((region.x + region.width / 2, region.y + region.height / 2))

    def use_style(self, place: Match) -> None:
        """Let the active region imitate a position of the result.

        A region is added there, since a style belongs to a region. The active one stays active.
        """
        item = self.regions.active
        added = self.add_region(place)
        if item is not None and added is not None:
            self.regions.activate(item.number)
            self.styles.set(added.number)

    def _follow(self) -> None:
        """Drop a search or result of another slide, or of a region that was moved or removed."""
        slide = self.slides.current
        for about in (self.job, self.found):
            if about is not None:
                item = self.regions.get(about.number)
                if about.slide is not slide or item is None or item.region != about.region:
                    self.forget()
        if self._survey is not None and self._survey[1].slide is not slide:
            self._survey = None  # it keeps the slide open

    # -- in the thread that computes -------------------------------------------------------

    def _surveyed(self, task: SimilarTask) -> Survey:
        encoder = encoder_identity(task.family)
        if self._survey is not None:
            known, survey = self._survey
            ours, theirs = task.family, survey.family
            same_tile = theirs.tile * ours.grid == ours.tile * theirs.grid
            if survey.slide is task.slide and known == encoder and same_tile:
                return survey
        survey = Survey(task.slide, task.family, self.embedder.cache)
        self._survey = encoder, survey
        return survey

    def _step(self, task: SimilarTask, last: tuple[SurveyBatch, Embedding] | None = None) -> Step:
        """Record embeddings, read the next positions, and rank the known ones."""
        survey = task.survey
        if survey is None:  # stopped before it began
            return Step(None, None)
        if last is not None:
            survey.add(*last)
        batch = survey.following(task.batch) if self.job is task else None
        known = survey.done > len(survey.unreadable) or batch is None
        found = self._rank(task, survey, 0 if batch is not None else BEST) if known else None
        return Step(batch, found, survey.done, survey.total)

    def _rank(self, task: SimilarTask, survey: Survey, count: int) -> Similar:
        heat = survey.heat(task.wanted)
        best = best_matches(survey.grid, heat, task.region, count)
        pictures = [(place, task.slide.read(place.region, task.family.mpp)) for place in best]
        missing = len(survey.unreadable)
        return Similar(
            task.number,
            task.region,
            task.slide,
            survey.grid,
            heat,
            survey.done - missing,
            survey.total,
            missing,
            pictures,
        )

    # -- in the main thread ------------------------------------------------------------------

    def _compute(self, task: SimilarTask, work: Callable[[], Step]) -> None:
        self._background.compute(
            work, lambda step: self._continue(task, step), lambda text: self._failed(task, text)
        )

    def _continue(self, task: SimilarTask, step: Step) -> None:
        if self.job is not task:
            return
        task.note(step.done, step.total)
        self.found = step.found
        if step.batch is None:
            self.job = None
            self.tasks.end(task)
        else:
            self._ask(task, step.batch)
        self.changed.emit()

    def _ask(self, task: SimilarTask, batch: SurveyBatch) -> None:
        came: list[Embedding] = []
        task.asked = time.monotonic()

        def take(event: Event) -> None:
            if self.job is not task:
                return
            match event:
                case Embedding():
                    came.append(event)
                case Finished(cancelled=False) if came:
                    seconds = max(1e-3, time.monotonic() - task.asked)
                    fitting = round(BATCH_S * len(batch.tiles) / seconds)
                    task.batch = min(LARGEST_BATCH, 4 * task.batch, max(1, fitting))
                    self._compute(task, lambda: self._step(task, (batch, came[0])))
                case Finished():
                    self.cancel()
                case Failure(message):
                    self._failed(task, message)

        self.tasks.ask(task, batch.request, take)

    def _failed(self, task: SimilarTask, message: str) -> None:
        if self.job is task:
            self.job = None
            self.tasks.end(task, message)
            self.changed.emit()
