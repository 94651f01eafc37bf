"""A search of the whole slide for tissue like a region's."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_pixcell.engine.events import Embedding, Event, Failure, Finished
from napari_pixcell.engine.styles.cache import EmbeddingCache
from napari_pixcell.engine.styles.similarity import best_matches
from napari_pixcell.engine.styles.survey import Survey, SurveyBatch
from napari_pixcell.models.catalogue import Family
from napari_pixcell.models.identity import encoder_identity
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.results.results import Client
from napari_pixcell.studio.similar_job import (
    BATCH_S,
    LARGEST_BATCH,
    Similar,
    SimilarJob,
    Step,
)

if TYPE_CHECKING:
    from napari_pixcell.studio.regions.item import RegionItem

BEST = 6


class SimilarTissue:
    """Compares a region with the whole slide, a few places at a time.

    What was looked at is kept, in memory and on disk: the next search on the same slide goes on
    from there, and needs no worker where all is known.

    Parameters
    ----------
    client : Client
        Who embeds.
    background : Background
        Threads of the session.
    cache : EmbeddingCache
        Where embeddings are kept.
    say : callable
        Gets (section, sentence) of what went wrong.

    Attributes
    ----------
    changed : Signal
        There is progress, another outcome, or none any more.
    job : SimilarJob or None
        What is under way.
    found : Similar or None
        The last outcome; while a search is under way, what is known by then.
    shown : bool
        Whether the map is to be seen on the slide.
    """

    changed = Signal()

    def __init__(
        self,
        client: Client,
        background: Background,
        cache: EmbeddingCache,
        say: Callable[[str, str], None],
    ) -> None:
        self._client, self._background, self._cache, self._say = client, background, cache, say
        self._survey: tuple[str | None, Survey] | None = None  # encoder, and what it saw
        self.job: SimilarJob | None = None
        self.found: Similar | None = None
        self.shown = True

    def look(self, slide: Any, item: RegionItem, family: Family) -> None:
        """Look for tissue like an embedded region's; returns at once."""
        assert item.embedding is not None
        self.stop()
        wanted = item.embedding.unpack()
        job = self.job = SimilarJob(item.number, item.region, slide, family, wanted)
        self.found, self.shown = None, True
        self._say("region", "")

        def begin() -> Step:
            if self.job is job:
                job.survey = self._surveyed(job)
                job.survey.retry()
            return self._step(job)

        self._background.compute(begin, lambda step: self._go_on(job, step), self._failing(job))
        self.changed.emit()

    def stop(self) -> None:
        """Stop at once; what was looked at by then is kept, and shown as far as it goes."""
        job, self.job = self.job, None
        if job is None:
            return
        # Said in turn, so that a request that waits to be sent sees that it is not wanted.
        self._background.talk(lambda: job.handle.cancel() if job.handle else None)
        partly, survey = self.found, job.survey
        if partly is not None and survey is not None:

            def show(found: Similar) -> None:
                if self.found is partly:
                    self.found = found
                    self.changed.emit()

            self._background.compute(lambda: self._rank(job, survey, BEST), show, lambda _: None)
        self.changed.emit()

    def show(self, shown: bool) -> None:
        """Show or hide the map."""
        if shown != self.shown:
            self.shown = shown
            self.changed.emit()

    def forget(self) -> None:
        """Take the outcome away; the next search is quick all the same."""
        self.stop()
        self.found = None
        self.changed.emit()

    def follow(self, slide: Any, item: Callable[[int], RegionItem | None]) -> None:
        """Drop what is about another slide, or a region that is gone or lies elsewhere.

        Parameters
        ----------
        slide : Slide or None
            The current one.
        item : callable
            Looks a region up by its number.
        """
        for about in (self.job, self.found):
            if about is not None:
                region = item(about.number)
                if about.slide is not slide or region is None or region.region != about.region:
                    self.forget()
        if self._survey is not None and self._survey[1].slide is not slide:
            self._survey = None  # it keeps the slide open

    # -- in the thread that computes -------------------------------------------------------

    def _surveyed(self, job: SimilarJob) -> Survey:
        encoder = encoder_identity(job.family)
        if self._survey is not None:
            known, survey = self._survey
            same_tile = survey.family.tile * job.family.grid == job.family.tile * survey.family.grid
            if survey.slide is job.slide and known == encoder and same_tile:
                return survey
        survey = Survey(job.slide, job.family, self._cache)
        self._survey = encoder, survey
        return survey

    def _step(self, job: SimilarJob, last: tuple[SurveyBatch, Embedding] | None = None) -> Step:
        """Take what came in, read the next places, and say what is known."""
        survey = job.survey
        if survey is None:  # stopped before it began
            return Step(None, None)
        if last is not None:
            survey.add(*last)
        batch = survey.following(job.batch) if self.job is job else None
        known = survey.done > len(survey.unreadable) or batch is None
        found = self._rank(job, survey, 0 if batch is not None else BEST) if known else None
        return Step(batch, found, survey.done, survey.total)

    def _rank(self, job: SimilarJob, survey: Survey, count: int) -> Similar:
        heat = survey.heat(job.wanted)
        best = best_matches(survey.grid, heat, job.region, count)
        pictures = [(place, job.slide.read(place.region, job.family.mpp)) for place in best]
        missing = len(survey.unreadable)
        return Similar(
            job.number,
            job.region,
            job.slide,
            survey.grid,
            heat,
            survey.done - missing,
            survey.total,
            missing,
            pictures,
        )

    # -- in the main thread ------------------------------------------------------------------

    def _go_on(self, job: SimilarJob, step: Step) -> None:
        if self.job is not job:
            return
        job.note(step.done, step.total)
        self.found = step.found
        if step.batch is None:
            self.job = None
        else:
            self._ask(job, step.batch)
        self.changed.emit()

    def _ask(self, job: SimilarJob, batch: SurveyBatch) -> None:
        post = self._background.post
        came: list[Embedding] = []

        def submit() -> None:
            if self.job is job:
                job.asked = time.monotonic()
                job.handle = self._client.submit(
                    batch.request, lambda event: post(lambda: take(event))
                )

        def take(event: Event) -> None:
            if self.job is not job:
                return
            match event:
                case Embedding():
                    came.append(event)
                case Finished(cancelled=False) if came:
                    seconds = max(1e-3, time.monotonic() - job.asked)
                    fitting = round(BATCH_S * len(batch.tiles) / seconds)
                    job.batch = min(LARGEST_BATCH, 4 * job.batch, max(1, fitting))
                    self._background.compute(
                        lambda: self._step(job, (batch, came[0])),
                        lambda step: self._go_on(job, step),
                        self._failing(job),
                    )
                case Finished():
                    self.stop()
                case Failure(message):
                    self._failing(job)(message)

        self._background.talk(submit, self._failing(job))

    def _failing(self, job: SimilarJob) -> Callable[[str], None]:
        def failed(message: str) -> None:
            if self.job is job:
                self.job = None
                self._say("region", message)
                self.changed.emit()

        return failed
