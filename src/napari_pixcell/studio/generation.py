"""The queue of generations."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.engine.events import Event, Failure, Finished, Preview, Progress, Variant
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request import GenerateRequest, Source
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.gallery import Gallery
from napari_pixcell.studio.jobs import GenerationJob, Stopped, picture_of
from napari_pixcell.studio.results import Client, Target
from napari_pixcell.studio.settings import Settings
from napari_pixcell.studio.times import Paces


class Generation:
    """Queues requests; what they make goes to the gallery.

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
        How the running variant looks by now; None when there is nothing to preview.
    stopped : Stopped or None
        What was cancelled or failed last and can go on.
    paces : Paces
        How fast the jobs were.
    """

    changed = Signal()
    preview = Signal(object, object)

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
        self.stopped: Stopped | None = None
        self.paces = Paces()

    @property
    def current(self) -> GenerationJob | None:
        """The job that runs, or waits first."""
        return self.jobs[0] if self.jobs else None

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
        request: GenerateRequest,
        target: Target,
        layout: NDArray[Any] | None = None,
        resumes: Stopped | None = None,
    ) -> GenerationJob:
        """Queue a request, with everything by value.

        Parameters
        ----------
        request : GenerateRequest
            As :meth:`request` builds it.
        target : Target
            Where the variants will land.
        layout : array, optional
            Label image, (height, width); it is packed in a thread, and goes into the request.
        resumes : Stopped, optional
            What goes on with this.
        """
        job = GenerationJob(next(self._numbers), request, target, resumes=resumes)
        labels = _smallest(layout) if layout is not None else None
        self.jobs.append(job)
        self.stopped = None
        post = self._background.post

        def build() -> None:
            if labels is not None:
                job.request = replace(request, layout=PackedArray.pack(labels))

        def submit() -> None:
            if job.cancelled:
                post(lambda: self._take(job, Finished(cancelled=True)))
                return
            job.handle = self._client.submit(
                job.request, lambda event: post(lambda: self._take(job, event))
            )

        def failed(text: str) -> None:
            self._take(job, Failure(text))

        self._background.compute(build, lambda _: self._background.talk(submit, failed), failed)
        self.changed.emit()
        return job

    def go_on(self) -> None:
        """Generate again what was stopped; it goes on where it was."""
        stopped = self.stopped
        if stopped is not None:
            self._say("generate", "")
            self.queue(stopped.request, stopped.target, resumes=stopped)

    def cancel(self) -> None:
        """Cancel the running job only; what it has finished stays."""
        job = self.current
        if job is not None and not job.cancelled:
            job.cancelled = True
            self._background.talk(lambda: job.handle.cancel() if job.handle else None)
            self.changed.emit()

    def flush(self) -> None:
        """Tell of the newest preview and progress, once however many came."""
        if not self._stale:
            return
        self._stale = False
        job = self.current
        if job is not None and job.preview is not None:
            (_, image), job.preview = job.preview, None
            self.preview.emit(job.target, picture_of(image, job.request))
        self.changed.emit()

    def _take(self, job: GenerationJob, event: Event) -> None:
        if job not in self.jobs:
            return
        self._stale = True
        match event:
            case Progress():
                job.clock.note(event.done, event.total)
                job.done, job.total, job.message = event.done, event.total, event.message
            case Preview() if not job.cancelled:
                job.preview = event.index, event.image
            case Variant():
                self._add(job, event)
            case Finished() | Failure():
                if isinstance(event, Failure):
                    self._say("generate", event.message)
                self.jobs.remove(job)
                self.paces.learn(job.request, job.clock)
                if isinstance(event, Failure) or event.cancelled:
                    self.stopped = job.stopped() or self.stopped
                self.preview.emit(None, None)

    def _add(self, job: GenerationJob, event: Variant) -> None:
        job.made += 1
        job.preview = None
        self._gallery.add(job.target, event, job.number, show=job.made == 1)


def _smallest(labels: NDArray[Any]) -> NDArray[Any]:
    """Give a copy in the smallest unsigned type; negative labels are background."""
    labels = np.maximum(labels, 0)
    return labels.astype(np.uint16 if labels.max(initial=0) < 2**16 else np.uint32)
