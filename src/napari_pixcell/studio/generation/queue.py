"""The queue of generations."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.engine.events import (
    Event,
    Failure,
    Finished,
    Notice,
    Preview,
    Progress,
    Variant,
)
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request import GenerateRequest, Source
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.datasets.job import DatasetJob
from napari_pixcell.studio.generation.job import GenerationJob, State, Stopped, picture_of
from napari_pixcell.studio.generation.pace import Paces
from napari_pixcell.studio.results.gallery import Gallery
from napari_pixcell.studio.results.results import Client, Target
from napari_pixcell.studio.settings import Settings

# Seconds after which a worker that does not answer a cancel is ended.
PATIENCE = 10.0
MOST_ENDED = 50


class Generation:
    """Queues requests, one at a time at the worker; what they make goes to the gallery.

    Parameters
    ----------
    client : Client
        Who runs them, one after another.
    background : Background
        Brings events to the main thread.
    gallery : Gallery
        Gets the variants.
    say : callable
        Gets a section and a sentence.

    Attributes
    ----------
    changed : Signal
        Progress, or another queue.
    preview : Signal(Target, array) or Signal(None, None)
        How the running variant looks by now, or a live picture; None when there is nothing to
        preview.
    dataset_ended : Signal(DatasetJob)
        A dataset was made, or failed or was cancelled on its way.
    jobs : list of GenerationJob
        Those that run or wait, in their order.
    ended : list of GenerationJob
        Those that failed or were cancelled, newest first, until they are dismissed.
    live : tuple of Target, Variant, or None
        The last picture of the live mode.
    stopped : Stopped or None
        What was cancelled or failed last and can go on.
    paces : Paces
        How fast the jobs were.
    """

    changed = Signal()
    preview = Signal(object, object)
    dataset_ended = Signal(object)

    def __init__(
        self,
        client: Client,
        background: Background,
        gallery: Gallery,
        say: Callable[[str, str], None],
    ) -> None:
        self._client = client
        self._background = background
        self._gallery = gallery
        self._say = say
        self._numbers = itertools.count(1)
        self._stale = False
        self.jobs: list[GenerationJob] = []
        self.ended: list[GenerationJob] = []
        self.live: tuple[Target, Variant] | None = None
        self.stopped: Stopped | None = None
        self.paces = Paces()

    @property
    def current(self) -> GenerationJob | None:
        """The job that runs, or else waits first."""
        running = (job for job in self.jobs if job.state == "running")
        return next(running, self.jobs[0] if self.jobs else None)

    @property
    def waiting(self) -> list[GenerationJob]:
        """The jobs that wait, in their order."""
        return [job for job in self.jobs if job.state == "waiting"]

    def request(
        self,
        settings: Settings,
        target: Target,
        embedding: PackedArray | None,
        layout: bool,
        name: str = "",
        layout_source: LayoutSource | None = None,
    ) -> GenerateRequest:
        """Build the request of a generation, but for its layout.

        Parameters
        ----------
        settings : Settings
            As they are now.
        target : Target
            Where the variants will land.
        embedding : PackedArray, optional
            The style, (tokens, dimension) or (rows, columns, dimension).
        layout : bool
            Whether there will be one.
        name : str
            For the slide, in the record.
        layout_source : LayoutSource, optional
            How the layout was made, in the record.
        """
        place, family = target.region, settings.model
        tile = (family.tile, family.tile)
        return GenerateRequest(
            family=settings.family,
            embedding=embedding,
            size=target.size if target.size != tile else None,
            seed=settings.seed,
            count=settings.count,
            steps=settings.steps,
            guidance=settings.guidance_with(layout),
            layout_strength=settings.layout_strength,
            layout_until=settings.layout_until,
            preset=settings.preset,
            source=Source(
                name,
                (place.x, place.y, place.width, place.height),
                target.mpp,
                layout_source if layout else None,
            ),
        )

    def queue(
        self,
        requests: GenerateRequest | list[GenerateRequest],
        target: Target,
        layout: NDArray[Any] | None = None,
        resumes: Stopped | None = None,
        title: str = "",
        live: bool = False,
        previews: bool = True,
        number: int | None = None,
    ) -> GenerationJob:
        """Queue a request or a series, with everything by value.

        Parameters
        ----------
        requests : GenerateRequest, or list of them
            As :meth:`request` builds it.
        target : Target
            Where the variants will land.
        layout : array, optional
            Label image, (height, width); it is packed in a thread, and goes into the requests.
        resumes : Stopped, optional
            What goes on with this.
        title : str
            Of a series.
        live : bool
            Goes before all that wait, in the place of another live job that waits.
        previews : bool
            Whether the pictures are shown while they are made.
        number : int, optional
            Of the job that this is another try of.
        """
        several = requests if isinstance(requests, list) else [requests]
        number = number or next(self._numbers)
        job = GenerationJob(number, several, target, title, live, previews, resumes=resumes)
        labels = _smallest(layout) if layout is not None else None
        if live:
            self._drop([other for other in self.waiting if other.live])
            self.jobs.insert(len(self.jobs) - len(self.waiting), job)
        else:
            self.jobs.append(job)
            self.stopped = None

        def build() -> None:
            if labels is not None:
                packed = PackedArray.pack(labels)
                job.requests = [replace(request, layout=packed) for request in several]
            if target.start is not None:
                job.requests = target.start.complete(job.requests)
                target.start = None  # what it started from need not be kept twice

        def built(_: None) -> None:
            job.ready = True
            self._make_way()
            self._start_next()

        def failed(text: str) -> None:
            self._end(job, "failed", text)

        self._background.compute(build, built, failed)
        self.changed.emit()
        return job

    def new_number(self) -> int:
        """Give the number of a new job."""
        return next(self._numbers)

    def add(self, job: GenerationJob) -> None:
        """Queue a job that needs no more to be packed."""
        self.jobs.append(job)
        self._start_next()
        self.changed.emit()

    def go_on(self) -> None:
        """Generate again what was stopped; it goes on where it was."""
        stopped = self.stopped
        if stopped is not None:
            self._say("generate", "")
            self.dismiss(next((j for j in self.ended if j.stopped() == stopped), None))
            self.queue(stopped.request, stopped.target, resumes=stopped)

    def cancel(self, job: GenerationJob | None = None) -> None:
        """Cancel one job, by default the running one; what it has finished stays."""
        job = job or self.current
        if job is None or job.over or job.cancelled:
            return
        job.cancelled = True
        if job.state == "waiting":
            self._end(job, "cancelled")
            return
        job.cancelled_at = time.monotonic()
        self._background.talk(lambda: job.handle.cancel() if job.handle else None)
        self.changed.emit()

    def cancel_waiting(self) -> None:
        """Cancel all jobs that wait; the running one goes on."""
        for job in self.waiting:
            self.cancel(job)

    def cancel_all(self) -> None:
        """Cancel the jobs that wait and the running one."""
        self.cancel_waiting()
        self.cancel()

    def retry(self, job: GenerationJob) -> None:
        """Queue what a failed or cancelled job has left to make."""
        rest = job.rest()
        if job in self.ended and rest:
            self.dismiss(job)
            self._say("generate", "")
            if isinstance(job, DatasetJob):
                self.add(job.again())
                return
            again = self.queue(
                rest, job.target, None, job.stopped(), job.title, False, job.previews, job.number
            )
            again.kept = job.kept

    def to_front(self, job: GenerationJob) -> None:
        """Have a waiting job be the next."""
        if job.state == "waiting" and job in self.jobs:
            self.jobs.remove(job)
            self.jobs.insert(len(self.jobs) - len(self.waiting), job)
            self._start_next()
            self.changed.emit()

    def dismiss(self, job: GenerationJob | None = None) -> None:
        """Forget a job that failed or was cancelled; all of them without one."""
        self.ended = [other for other in self.ended if job is not None and other is not job]
        self.changed.emit()

    def keep_live(self) -> None:
        """Keep the live picture as a variant."""
        if self.live is not None:
            (target, variant), self.live = self.live, None
            self.preview.emit(None, None)
            self._gallery.add(target, variant, next(self._numbers), show=True)
            self.changed.emit()

    def end_live(self) -> None:
        """Take the live picture away, and what was to come."""
        for job in [job for job in self.jobs if job.live]:
            self.cancel(job)
        if self.live is not None:
            self.live = None
            self.preview.emit(None, None)

    def flush(self) -> None:
        """Tell of the newest preview and progress, once however many came."""
        job = self.current
        if job is not None and job.cancelled_at is not None:
            self._insist(job)
        if not self._stale:
            return
        self._stale = False
        if job is not None and job.preview is not None:
            (_, image), job.preview = job.preview, None
            self.preview.emit(job.target, picture_of(image, job.request))
        self.changed.emit()

    def _insist(self, job: GenerationJob) -> None:
        """End a worker that does not hear a cancel: it may be deep in loading a model."""
        assert job.cancelled_at is not None
        if time.monotonic() - job.cancelled_at > PATIENCE:
            job.cancelled_at = None
            self._background.talk(self._client.restart)

    def _make_way(self) -> None:
        """Have a dataset that runs stop for what was asked for meanwhile; it goes on later."""
        job = self.current
        if isinstance(job, DatasetJob) and job.state == "running" and not job.cancelled:
            job.giving_way = True
            self._background.talk(lambda: job.handle.cancel() if job.handle else None)

    def _start_next(self) -> None:
        if any(job.state == "running" for job in self.jobs):
            return
        job = next(iter(self.jobs), None)
        if job is not None and job.ready:
            job.state = "running"
            self._submit(job)
            self.changed.emit()

    def _submit(self, job: GenerationJob) -> None:
        post, at = self._background.post, job.at

        def take(event: Event) -> None:
            post(lambda: self._take(job, at, event))

        def submit() -> None:
            if job.cancelled:
                take(Finished(cancelled=True))
            else:
                job.handle = self._client.submit(job.request, take, previews=job.previews)

        def failed(text: str) -> None:
            self._take(job, at, Failure(text))

        self._background.talk(submit, failed)

    def _take(self, job: GenerationJob, at: int, event: Event) -> None:
        if job not in self.jobs or job.at != at:
            return
        self._stale = True
        match event:
            case Progress():
                job.clock.note(event.done, event.total)
                job.done, job.total, job.message = event.done, event.total, event.message
            case Notice():
                if event.message not in job.remarks:
                    job.remarks.append(event.message)
            case Preview() if not job.cancelled and job.previews:
                job.preview = event.index, event.image
            case Variant():
                self._add(job, event)
            case Failure() if not job.cancelled:
                self._end(job, "failed", event.message)
            case Finished(cancelled=True) if (
                isinstance(job, DatasetJob) and job.giving_way and not job.cancelled
            ):
                self._put_last(job)
            case Finished() | Failure() if isinstance(job, DatasetJob):
                over = job.cancelled or (isinstance(event, Finished) and event.cancelled)
                self._end(job, "cancelled" if over else "done")
            case Finished() | Failure():
                self.paces.learn(job.request, job.clock)
                if job.cancelled or (isinstance(event, Finished) and event.cancelled):
                    self._end(job, "cancelled")
                elif job.at + 1 < len(job.requests):
                    job.at, job.made, job.done, job.total = job.at + 1, 0, 0, 0
                    job.clock.note(0, 0)
                    self._submit(job)
                else:
                    self._end(job, "done")

    def _put_last(self, job: DatasetJob) -> None:
        """Let a dataset that gave way wait for its turn."""
        job.state, job.giving_way, job.handle = "waiting", False, None
        self.jobs.remove(job)
        self.jobs.append(job)
        self._start_next()
        self.changed.emit()

    def _end(self, job: GenerationJob, state: State, problem: str = "") -> None:
        ran = job.state == "running"
        job.state, job.problem, job.ended = state, problem, datetime.now()
        job.preview = job.handle = None
        self.jobs.remove(job)
        if problem:
            self._say("dataset" if isinstance(job, DatasetJob) else "generate", problem)
        if state != "done" and not job.live:
            self.ended = [job, *self.ended][:MOST_ENDED]
            if ran:
                self.stopped = job.stopped() or self.stopped
        if isinstance(job, DatasetJob):
            self.dataset_ended.emit(job)
        elif ran and not job.live:
            self.live = None
            self.preview.emit(None, None)
        self._start_next()
        self.changed.emit()

    def _drop(self, jobs: list[GenerationJob]) -> None:
        for job in jobs:
            job.state = "cancelled"
            self.jobs.remove(job)

    def _add(self, job: GenerationJob, event: Variant) -> None:
        job.made += 1
        job.kept += 1
        job.preview = None
        if not job.live:
            self._gallery.add(job.target, event, job.number, show=job.kept == 1)
        elif not job.cancelled:
            self.live = job.target, event
            self.preview.emit(job.target, event.image)


def _smallest(labels: NDArray[Any]) -> NDArray[Any]:
    """Give a copy in the smallest unsigned type; negative labels are background."""
    labels = np.maximum(labels, 0)
    return labels.astype(np.uint16 if labels.max(initial=0) < 2**16 else np.uint32)
