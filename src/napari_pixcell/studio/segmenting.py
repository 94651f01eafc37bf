"""Finding the cells of a region: at once by the built-in method, or by Cellpose in the worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell import cells
from napari_pixcell.cells.methods import LayoutSource, SegmentMethod
from napari_pixcell.engine.events import Event, Failure, Finished, Layout, Progress
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request import SegmentRequest
from napari_pixcell.slides.region import Region
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.results import Client, JobHandle
from napari_pixcell.studio.times import Clock


@dataclass(eq=False)
class SegmentJob:
    """A search for cells that waits or runs.

    Parameters
    ----------
    how : SegmentMethod
        By which method.
    """

    how: SegmentMethod
    handle: JobHandle | None = None
    done: int = 0
    total: int = 0
    message: str = "Finding nuclei"
    cancelled: bool = False
    clock: Clock = field(default_factory=Clock)

    @property
    def can_cancel(self) -> bool:
        """Whether it takes long enough to be stopped, and was not yet."""
        return self.how.method != "builtin" and not self.cancelled

    def sentence(self) -> str:
        """Say what is going on and how long it will take."""
        if self.cancelled:
            return "Cancelling…"
        if not 0 < self.done < self.total:
            return f"{self.message}…"
        left = self.clock.left
        return f"{self.message} · {left}" if left else self.message

    def note(self, event: Progress) -> None:
        """Take progress in."""
        self.clock.note(event.done, event.total)
        self.done, self.total, self.message = event.done, event.total, event.message


class Segmenter:
    """Finds cells without keeping the main thread waiting.

    Parameters
    ----------
    client : Client
        Who runs Cellpose.
    background : Background
        Threads of the session.
    changed : callable
        Called when there is progress to show.
    """

    def __init__(self, client: Client, background: Background, changed: Callable[[], None]) -> None:
        self._client = client
        self._background = background
        self._changed = changed

    def start(
        self,
        slide: Any,
        region: Region,
        mpp: float,
        how: SegmentMethod,
        done: Callable[[NDArray[np.int32], LayoutSource], None],
        ended: Callable[[str], None],
    ) -> SegmentJob:
        """Find the cells of a region; returns at once.

        Parameters
        ----------
        slide : Slide
            Whose region it is.
        region : Region
            In level-0 pixels.
        mpp : float
            Pixel size in µm that it is read at.
        how : SegmentMethod
            By which method.
        done : callable
            Gets the label image, int32 (height, width), and its source; in the main thread.
        ended : callable
            Called at the end of everything else, with a sentence if it went wrong, else with none.
        """
        job = SegmentJob(how)
        post = self._background.post

        def work() -> NDArray[np.int32] | None:
            pixels = slide.read(region, mpp)
            if how.method == "builtin":
                return cells.segment_nuclei(pixels, mpp)
            request = SegmentRequest(PackedArray.pack(pixels), mpp, how)
            self._background.talk(lambda: submit(request), ended)
            return None

        def submit(request: SegmentRequest) -> None:
            if job.cancelled:
                post(lambda: ended(""))
            else:
                job.handle = self._client.submit(request, lambda event: post(lambda: take(event)))

        def take(event: Event) -> None:
            match event:
                case Progress():
                    job.note(event)
                    self._changed()
                case Layout(labels, source):
                    done(labels, source)
                case Failure(message):
                    ended(message)
                case Finished():
                    ended("")

        def computed(labels: NDArray[np.int32] | None) -> None:
            if labels is not None:
                done(labels, LayoutSource(how.method))
                ended("")

        self._background.compute(work, computed, ended)
        return job

    def cancel(self, job: SegmentJob) -> None:
        """Stop a search before its next tile."""
        if job.can_cancel:
            job.cancelled = True
            # What is said is said in turn, so that a request that waits to be sent sees the flag.
            self._background.talk(lambda: job.handle.cancel() if job.handle else None)
            self._changed()
