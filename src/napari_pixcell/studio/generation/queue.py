"""The queue of jobs: the worker runs one at a time."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_pixcell.engine.events import Event, Failure, Finished, Notice, Preview, Variant
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.studio.generation.job import GenerationJob, Job, Stopped, picture_of
from napari_pixcell.studio.generation.pacing import DrawingPace
from napari_pixcell.studio.generation.target import Start, Target
from napari_pixcell.studio.generation.timing import Paces
from napari_pixcell.studio.results.gallery import Gallery
from napari_pixcell.studio.tasks import Tasks
from napari_pixcell.words import counted

# Seconds after which a worker that does not react to a cancel is ended.
PATIENCE = 10.0
MOST_ENDED = 50


# A job of a saved session: target, title and requests.
SavedJob = tuple[Target, str, list[GenerateRequest]]


@dataclass(eq=False)
class JobQueue:
    """Runs jobs one at a time; their variants go to the gallery."""

    changed = Signal()  # progress, or another queue
    # (Target, array) or (None, None): the running variant or live picture as it looks now
    preview = Signal(object, object)

    tasks: Tasks
    gallery: Gallery

    def __post_init__(self) -> None:
        self._background = self.tasks.background
        self._numbers = itertools.count(1)
        self._stale = False
        self._pace = DrawingPace()
        self.jobs: list[Job] = []  # running and waiting jobs, in order
        # Failed and cancelled jobs, newest first, until they are dismissed
        self.ended: list[Job] = []
        self.live: tuple[Target, Variant] | None = None  # the last picture of live mode
        self.stopped: Stopped | None = None  # the last stopped canvas that can be resumed
        self.paces = Paces()
        # Jobs that waited when a session was saved; resume_put_off queues them
        self.put_off: list[SavedJob] = []

    @property
    def current(self) -> Job | None:
        """The running job, or else the first that waits."""
        running = (job for job in self.jobs if job.state == "running")
        return next(running, self.jobs[0] if self.jobs else None)

    @property
    def waiting(self) -> list[Job]:
        return [job for job in self.jobs if job.state == "waiting"]

    def new_number(self) -> int:
        return next(self._numbers)

    def add(
        self,
        requests: GenerateRequest | Sequence[GenerateRequest],
        target: Target,
        layout: NDArray[Any] | None = None,
        *,
        start: Start | None = None,
        resumes: Stopped | None = None,
        title: str = "",
        live: bool = False,
        previews: bool = True,
    ) -> GenerationJob:
        """Queue a request or a series, with everything by value.

        Parameters
        ----------
        requests : GenerateRequest, or sequence of them
            Without layout and start.
        target : Target
            Where the variants land.
        layout : array, optional
            Label image, (height, width). It is packed into the requests in a thread.
        start : Start, optional
            What the requests start from.
        resumes : Stopped, optional
            A stopped canvas that this resumes.
        title : str
            Name of a series.
        live : bool
            Runs before all waiting jobs, and replaces a live job that waits.
        previews : bool
            Whether previews are shown.
        """
        several = [requests] if isinstance(requests, GenerateRequest) else list(requests)
        job = GenerationJob(
            number=self.new_number(),
            requests=several,
            target=target,
            title=title,
            start=start,
            resumes=resumes,
            live=live,
            previews=previews,
        )
        self.enqueue(job, layout)
        return job

    def enqueue(self, job: Job, layout: NDArray[Any] | None = None) -> None:
        """Queue a job; its requests are completed in a thread."""
        labels = _smallest(layout) if layout is not None else None
        self.tasks.start(job)
        if job.live:
            for other in [other for other in self.waiting if other.live]:
                self.tasks.drop(other)
                self.jobs.remove(other)
            self.jobs.insert(len(self.jobs) - len(self.waiting), job)
        else:
            self.jobs.append(job)
            self.stopped = None

        def completed(_: None) -> None:
            job.ready = True
            if not job.gives_way:
                self._make_way()
            self._start_next()

        def failed(text: str) -> None:
            self._end(job, text)

        self._background.compute(lambda: job.complete(labels), completed, failed)
        self.changed.emit()

    def resume(self) -> None:
        stopped = self.stopped
        if stopped is not None:
            self.dismiss(next((j for j in self.ended if j.stopped() == stopped), None))
            self.add(stopped.request, stopped.target, resumes=stopped)

    def cancel(self, job: Job | None = None) -> bool:
        """Cancel one job, by default the running one; its finished variants stay.

        Returns
        -------
        bool
            False if there was nothing to cancel.
        """
        job = job or self.current
        if job is None:
            return False
        if not job.can_cancel:
            return True
        job.cancelled_at = time.monotonic()
        if job.state == "waiting":
            job.cancelled = True
            self._end(job)
        else:
            self.tasks.cancel(job)
            self.changed.emit()
        return True

    def cancel_waiting(self) -> None:
        for job in self.waiting:
            self.cancel(job)

    def cancel_all(self) -> None:
        self.cancel_waiting()
        self.cancel()

    def retry(self, job: Job) -> None:
        if job in self.ended and job.rest():
            self.dismiss(job)
            self.enqueue(job.retry())

    def to_front(self, job: Job) -> None:
        if job.state == "waiting" and job in self.jobs:
            self.jobs.remove(job)
            self.jobs.insert(len(self.jobs) - len(self.waiting), job)
            self._start_next()
            self.changed.emit()

    def dismiss(self, job: Job | None = None) -> None:
        """Remove a failed or cancelled job from the list; by default all of them."""
        self.ended = [other for other in self.ended if job is not None and other is not job]
        self.changed.emit()

    def put_off_note(self) -> str:
        """Return how many jobs of a saved session wait; empty for none."""
        count = len(self.put_off)
        return f"{counted(count, 'job')} waited when this session was saved." if count else ""

    def resume_put_off(self, previews: bool = True) -> None:
        jobs, self.put_off = self.put_off, []
        for target, title, requests in jobs:
            self.add(requests, target, title=title, previews=previews)
        self.changed.emit()

    def drop_put_off(self) -> None:
        self.put_off = []
        self.changed.emit()

    def keep_live(self) -> None:
        if self.live is not None:
            (target, variant), self.live = self.live, None
            self.preview.emit(None, None)
            self.gallery.add(target, variant, self.new_number(), show=True)
            self.changed.emit()

    def end_live(self) -> None:
        for job in [job for job in self.jobs if job.live]:
            self.cancel(job)
        if self.live is not None:
            self.live = None
            self.preview.emit(None, None)

    def flush(self) -> None:
        """Show the newest preview and progress, once for all events so far.

        While the window is slow, it is called without effect most of the time.
        """
        job = self.current
        if job is not None and job.state == "running" and job.cancelled_at is not None:
            self._insist(job)
        if not self._pace.turn() or not self._stale:
            return
        self._stale = False
        self._pace.drew()
        if job is not None and job.preview is not None:
            (_, image), job.preview = job.preview, None
            self.preview.emit(job.target, picture_of(image, job.request))
        self.changed.emit()

    def _insist(self, job: Job) -> None:
        """End a worker that ignores a cancel: it may be deep in loading a model."""
        assert job.cancelled_at is not None
        if time.monotonic() - job.cancelled_at > PATIENCE:
            job.cancelled_at = None
            self._background.talk(self.tasks.client.restart)

    def _make_way(self) -> None:
        """Interrupt a long job that gives way to what was queued meanwhile."""
        job = self.current
        if job is not None and job.gives_way and job.state == "running" and not job.cancelled:
            job.giving_way = True
            self.tasks.interrupt(job)

    def _start_next(self) -> None:
        if any(job.state == "running" for job in self.jobs):
            return
        job = next(iter(self.jobs), None)
        if job is not None and job.ready:
            job.state = "running"
            self._submit(job)
            self.changed.emit()

    def _submit(self, job: Job) -> None:
        at = job.at
        self.tasks.ask(job, job.request, lambda e: self._take(job, at, e), job.previews)

    def _take(self, job: Job, at: int, event: Event) -> None:
        if job not in self.jobs or job.at != at:
            return
        self._stale = True
        match event:
            case Notice():
                if event.message not in job.remarks:
                    job.remarks.append(event.message)
            case Preview() if not job.cancelled and job.previews:
                job.preview = event.index, event.image
            case Variant():
                self._add(job, event)
            case Failure() if not job.cancelled:
                self._end(job, event.message)
            case Finished(cancelled=True) if job.giving_way and not job.cancelled:
                self._put_last(job)
            case Finished() | Failure():
                job.learn(self.paces)
                if job.cancelled or (isinstance(event, Finished) and event.cancelled):
                    job.cancelled = True
                    self._end(job)
                elif job.at + 1 < len(job.requests):
                    job.next_request()
                    self._submit(job)
                else:
                    self._end(job)

    def _put_last(self, job: Job) -> None:
        job.state, job.giving_way, job.handle = "waiting", False, None
        self.jobs.remove(job)
        self.jobs.append(job)
        self._start_next()
        self.changed.emit()

    def _end(self, job: Job, problem: str = "") -> None:
        ran = job.state == "running"
        job.ended, job.preview = datetime.now(), None
        self.jobs.remove(job)
        self.tasks.end(job, problem)
        if job.state != "done" and not job.live:
            self.ended = [job, *self.ended][:MOST_ENDED]
            if ran:
                self.stopped = job.stopped() or self.stopped
        if job.on_end is not None:
            job.on_end(job)
        if job.pictures and ran and not job.live:
            self.live = None
            self.preview.emit(None, None)
        self._start_next()
        self.changed.emit()

    def _add(self, job: Job, event: Variant) -> None:
        job.preview = None
        first = job.count_variant()
        if job.target is None:
            return
        if not job.live:
            self.gallery.add(job.target, event, job.number, show=first)
        elif not job.cancelled:
            self.live = job.target, event
            self.preview.emit(job.target, event.image)


def _smallest(labels: NDArray[Any]) -> NDArray[Any]:
    """Return a copy in the smallest unsigned type; negative labels are background."""
    labels = np.maximum(labels, 0)
    return labels.astype(np.uint16 if labels.max(initial=0) < 2**16 else np.uint32)
