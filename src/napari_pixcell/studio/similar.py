"""A search of the whole slide for tissue that resembles a region."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_pixcell.engine.events import Embedding, Event, Failure, Finished
from napari_pixcell.engine.styles.features.search import FeatureHeat, RowMatch
from napari_pixcell.engine.styles.similarity import Match, SurveyGrid, best_matches
from napari_pixcell.engine.styles.survey import Survey, SurveyBatch
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.store import encoder_identity
from napari_pixcell.slides.region import Region
from napari_pixcell.studio.models import InstalledModels
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.regions.regions import Regions
from napari_pixcell.studio.settings import Settings
from napari_pixcell.studio.slides import Slides
from napari_pixcell.studio.styles.embedder import Embedder
from napari_pixcell.studio.styles.features import FeatureStyles, OpenFeatures
from napari_pixcell.studio.styles.styles import RegionStyles
from napari_pixcell.studio.tasks import Task, Tasks

BEST = 6
MOST_WANTED = 1024  # patches of a region whose mean is compared
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
    name: str = ""  # of a patch that the slide was compared with, in place of a region

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

    number: int  # of the region that the slide is compared with; 0 for a patch of a file
    region: Region
    name: str = ""  # of the patch
    slide: Any  # the slide that is searched
    family: Family  # its encoder is used
    # (..., dimension): the region's embeddings; None while they are read from a file of features
    wanted: NDArray[np.float32] | None
    section: str = "region"
    survey: Survey | None = None  # once it has begun, unless a file of features is searched
    features: OpenFeatures | None = None  # the file that is searched, in place of a survey
    rank: Callable[[int], Similar] | None = None  # of the positions compared so far
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
    needs no worker if all are known. A file of features that covers the region is searched in their
    place.
    """

    changed = Signal()  # progress, or another result

    slides: Slides
    models: InstalledModels
    settings: Settings
    regions: Regions
    styles: RegionStyles
    features: FeatureStyles
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
        self.features.changed.connect(self._follow_file)

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
        if self.features.covering(item.region) is not None:
            return ""
        if item.embedding is None and not self.models.embeds:
            return self.models.why_no_encoder()
        if item.embedding is None:
            return f"Embedding {item.name}…" if item.embedding_busy else f"Embed {item.name} first"
        return ""

    def find(self) -> None:
        """Search the slide for tissue like the active region's; returns at once."""
        item = self.regions.active
        if item is None or self.why_not():
            return
        features = self.features.covering(item.region)
        task = SimilarTask(
            number=item.number,
            region=item.region,
            slide=self.slides.current,
            family=self.settings.model,
            wanted=None if item.embedding is None else item.embedding.unpack(),
            features=features,
        )
        self._start(task)
        if features is not None:
            self._search(task, features, features.within(item.region))
            return

        def begin() -> Step:
            if self.job is task:
                task.survey = self._surveyed(task)
                task.survey.retry()
            return self._step(task)

        self._compute(task, begin)

    def find_patch(self) -> None:
        """Search the open file of features for patches like the one that was chosen last."""
        features = self.features.current
        if self.why_no_patch() or features is None:
            return
        corners, side = features.file.coords[features.chosen], features.file.side
        (x, y), size = corners.min(axis=0), np.ptp(corners, axis=0) + side
        task = SimilarTask(
            number=0,
            region=Region(float(x), float(y), float(size[0]), float(size[1])),
            name=f"patch {features.row}",
            slide=self.slides.current,
            family=self.settings.model,
            wanted=None,
            features=features,
        )
        self._start(task)
        self._search(task, features, features.chosen)

    def why_no_patch(self) -> str:
        """Return why no patch can be searched for; empty if one can."""
        features = self.features.current
        if reason := self.features.why_no_map():
            return reason
        if self.job is not None:
            return "A search is under way"
        return "" if features is not None and len(features.chosen) else "Click a patch first"

    def _start(self, task: SimilarTask) -> None:
        self.job, self.found, self.shown = task, None, True
        self.features.show(False)  # two maps over each other cannot be read
        self.tasks.start(task)
        self.changed.emit()

    def cancel(self) -> bool:
        """Stop at once, and show the result so far; True if a search was under way."""
        task, self.job = self.job, None
        if task is None:
            return False
        self.tasks.drop(task)
        partly, rank = self.found, task.rank
        if partly is not None and rank is not None:

            def show(ranked: Similar) -> None:
                if self.found is partly:
                    self.found = ranked
                    self.changed.emit()

            self._background.compute(lambda: rank(BEST), show, lambda _: None)
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

        A region is added there, unless it is a patch of the open file of features: its style is
        known. The active region stays active.
        """
        features = self.features.current
        if isinstance(place, RowMatch) and features is not None and not self.features.why_no_map():
            self.features.use(place.row)
            return
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
                moved = item is None or item.region != about.region
                if about.slide is not slide or (about.number and moved):
                    self.forget()
        if self._survey is not None and self._survey[1].slide is not slide:
            self._survey = None  # it keeps the slide open

    def _follow_file(self) -> None:
        """Stop the search of a file that was closed, or that cannot be used any longer."""
        task = self.job
        if task is not None and task.features is not None:
            other = task.features is not self.features.current
            if other or self.features.why_no_map():
                self.cancel()

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
        task.rank = lambda count: self._rank(task, survey, count)
        batch = survey.following(task.batch) if self.job is task else None
        known = survey.done > len(survey.unreadable) or batch is None
        found = self._rank(task, survey, 0 if batch is not None else BEST) if known else None
        return Step(batch, found, survey.done, survey.total)

    def _compared(self, task: SimilarTask, heat: FeatureHeat, count: int) -> Similar:
        """Return the result of a search of a file of features so far."""
        grid, spread = heat.map(task.slide.shape)
        best = heat.best(count, away_from=task.region)
        return Similar(
            task.number,
            task.region,
            task.slide,
            grid,
            spread,
            heat.done - heat.skipped,
            len(heat.features),
            heat.skipped,
            [(place, task.slide.read(place.region, task.family.mpp)) for place in best],
            task.name,
        )

    def _rank(self, task: SimilarTask, survey: Survey, count: int) -> Similar:
        assert task.wanted is not None
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

    def _search(self, task: SimilarTask, features: OpenFeatures, rows: NDArray[np.int64]) -> None:
        """Compare rows of a file of features with all of them, block by block."""
        steps: list[Iterator[FeatureHeat]] = []

        def step() -> Step:
            if self.job is not task:  # the file may be closed
                return Step(None, None)
            if not steps:
                values = features.file.rows(rows[:: -(-len(rows) // MOST_WANTED)])
                values = values[np.isfinite(values).all(axis=1)]
                if not len(values):
                    raise PixCellError(
                        f"The patches of “{features.name}” here hold no numbers. Choose others."
                    )
                steps.append(features.search.steps(values))
            heat = next(steps[0])
            task.rank = lambda count: self._compared(task, heat, count)
            found = task.rank(BEST if heat.complete else 0)
            return Step(None, found, heat.done, len(features))

        def came(result: Step) -> None:
            if self.job is not task:
                return
            task.note(result.done, result.total)
            self.found = result.found
            if result.done < result.total:
                self._background.compute(step, came, failed)
            else:
                self.job = None
                self.tasks.end(task)
            self.changed.emit()

        def failed(text: str) -> None:
            self._failed(task, text)

        self._background.compute(step, came, failed)

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
