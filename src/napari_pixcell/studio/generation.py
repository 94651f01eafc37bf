"""The queue of generations and the variants they made."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.engine.events import Event, Failure, Finished, Preview, Progress, Variant
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request import GenerateRequest, Source
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.results import Client, GenerationJob, Result, Target
from napari_pixcell.studio.settings import Settings


class Generation:
    """Queues requests and keeps their results.

    Parameters
    ----------
    client : Client
        Who runs them, one after another.
    background : Background
        Brings events to the main thread.
    say : callable
        Gets a section and a sentence.

    Attributes
    ----------
    changed : Signal
        Progress, or another queue.
    preview : Signal(Target, array) or Signal(None, None)
        How the running variant looks by now; None when there is nothing to preview.
    added, removed : Signal(Result)
        A variant came or was discarded.
    shown : Signal
        Other variants are to be seen.
    """

    changed = Signal()
    preview = Signal(object, object)
    added = Signal(object)
    removed = Signal(object)
    shown = Signal()

    def __init__(
        self, client: Client, background: Background, say: Callable[[str, str], None]
    ) -> None:
        self._client = client
        self._background = background
        self._say = say
        self._numbers = itertools.count(1)
        self._result_numbers = itertools.count(1)
        self._stale = False
        self.jobs: list[GenerationJob] = []
        self.results: list[Result] = []

    @property
    def current(self) -> GenerationJob | None:
        """The job that runs, or waits first."""
        return self.jobs[0] if self.jobs else None

    def queue(
        self,
        settings: Settings,
        target: Target,
        embedding: PackedArray | None,
        layout: NDArray[Any] | None,
        name: str,
        layout_source: LayoutSource | None = None,
    ) -> GenerationJob:
        """Build the request, with everything by value, and queue it.

        Parameters
        ----------
        settings : Settings
            As they are now.
        target : Target
            Where the variants will land.
        embedding : PackedArray, optional
            The style, (tokens, dimension).
        layout : array, optional
            Label image, (tile, tile).
        name : str
            For the slide, in the record.
        layout_source : LayoutSource, optional
            How the layout was made, in the record.
        """
        place = target.region
        request = GenerateRequest(
            family=settings.family,
            embedding=embedding,
            layout=PackedArray.pack(_smallest(layout)) if layout is not None else None,
            seed=settings.seed,
            count=settings.count,
            steps=settings.steps,
            guidance=settings.guidance_with(layout is not None),
            layout_strength=settings.layout_strength,
            layout_until=settings.layout_until,
            source=Source(
                name,
                (place.x, place.y, place.width, place.height),
                target.mpp,
                layout_source if layout is not None else None,
            ),
        )
        job = GenerationJob(next(self._numbers), request, target)
        self.jobs.append(job)
        post = self._background.post

        def submit() -> None:
            job.handle = self._client.submit(
                request, lambda event: post(lambda: self._take(job, event))
            )

        self._background.talk(submit, lambda text: self._take(job, Failure(text)))
        self.changed.emit()
        return job

    def cancel(self) -> None:
        """Cancel the running job only; what it has finished stays."""
        job = self.current
        if job is not None and not job.cancelled:
            job.cancelled = True
            self._background.talk(lambda: job.handle.cancel() if job.handle else None)
            self.changed.emit()

    def show(self, result: Result, on: bool = True) -> None:
        """Show a variant in place of others of its region, or hide it."""
        for other in self.results:
            if other.target.number == result.target.number:
                other.shown = on and other is result
        self.shown.emit()
        self.changed.emit()

    def show_none(self, number: int) -> None:
        """Show what is under the variants of a region."""
        for result in self.results:
            if result.target.number == number:
                result.shown = False
        self.shown.emit()
        self.changed.emit()

    def discard(self, result: Result) -> None:
        """Forget a variant."""
        if result in self.results:
            self.results.remove(result)
            self.removed.emit(result)
            self.changed.emit()

    def flush(self) -> None:
        """Tell of the newest preview and progress, once however many came."""
        if not self._stale:
            return
        self._stale = False
        job = self.current
        if job is not None and job.preview is not None:
            (_, image), job.preview = job.preview, None
            self.preview.emit(job.target, image)
        self.changed.emit()

    def _take(self, job: GenerationJob, event: Event) -> None:
        if job not in self.jobs:
            return
        self._stale = True
        match event:
            case Progress():
                if job.started is None and event.done:
                    job.started = time.monotonic()
                job.done, job.total, job.message = event.done, event.total, event.message
            case Preview() if not job.cancelled:
                job.preview = event.index, event.image
            case Variant():
                self._add(job, event)
            case Finished() | Failure():
                if isinstance(event, Failure):
                    self._say("generate", event.message)
                self.jobs.remove(job)
                self.preview.emit(None, None)

    def _add(self, job: GenerationJob, event: Variant) -> None:
        job.made += 1
        job.preview = None
        number = next(self._result_numbers)
        result = Result(number, job.target, event.image, event.record, job.number)
        first = job.made == 1
        self.results.append(result)
        self.added.emit(result)
        if first:
            self.show(result)


def _smallest(labels: NDArray[Any]) -> NDArray[Any]:
    """Give a copy in the smallest unsigned type; negative labels are background."""
    labels = np.maximum(labels, 0)
    return labels.astype(np.uint16 if labels.max(initial=0) < 2**16 else np.uint32)
