"""Finding the cells of a region: at once by the built-in method, or by Cellpose in the worker."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.methods import LayoutSource, SegmentMethod
from napari_pixcell.engine.events import Event, Failure, Finished, Progress, SegmentedLayout
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request import SegmentRequest
from napari_pixcell.slides.region import Region
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.generation.pace import Clock
from napari_pixcell.studio.results.results import Client, JobHandle

if TYPE_CHECKING:
    from napari_pixcell.cells.segmentation import Haematoxylin

T = TypeVar("T")


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
    since: float = field(default_factory=time.monotonic)

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


class Seen:
    """What does not change while thresholds do: the last region that was looked at.

    Of ``n`` pixels it keeps 8 ``n`` bytes for the built-in method, and up to 4 ``n`` for Cellpose.

    Parameters
    ----------
    slide : Slide
        Whose region it is.
    region : Region
        In level-0 pixels.
    mpp : float
        Pixel size in µm that it is read at.
    """

    def __init__(self, slide: Any, region: Region, mpp: float) -> None:
        self._slide, self._region, self._mpp = weakref.ref(slide), region, mpp
        self._stain: Haematoxylin | None = None
        self._packed: PackedArray | None = None
        self._outlined: tuple[float, NDArray[np.int32]] | None = None

    def shows(self, slide: Any, region: Region, mpp: float) -> bool:
        """Whether it is this region."""
        return self._slide() is slide and (self._region, self._mpp) == (region, mpp)

    def packed(self, slide: Any) -> PackedArray:
        """Give its pixels for a request."""
        if self._packed is None:
            self._packed = PackedArray.pack(slide.read(self._region, self._mpp))
        return self._packed

    def nuclei(self, slide: Any, how: SegmentMethod) -> NDArray[np.int32]:
        """Find its nuclei by the built-in method: int32, (height, width)."""
        # Here: these bring scikit-image and scipy.
        from napari_pixcell.cells.combining import without_small
        from napari_pixcell.cells.segmentation import measure_haematoxylin, outline_nuclei

        if self._stain is None:
            self._stain = measure_haematoxylin(slide.read(self._region, self._mpp), self._mpp)
        if self._outlined is None or self._outlined[0] != how.sensitivity:
            self._outlined = how.sensitivity, outline_nuclei(self._stain, how.sensitivity)
        return without_small(self._outlined[1], self._mpp, how.smallest_um2)


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
        self._seen: Seen | None = None  # of the thread that computes

    def start(
        self,
        slide: Any,
        region: Region,
        mpp: float,
        how: SegmentMethod,
        fit: Callable[[NDArray[np.int32]], Callable[[], T]],
        done: Callable[[T, LayoutSource], None],
        ended: Callable[[str], None],
    ) -> SegmentJob:
        """Find the cells of a region; returns at once.

        Where only thresholds differ from the last search, that is quick: the built-in method goes
        on from the stain, and Cellpose from what its network said.

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
        fit : callable
            Gets the label image, int32 (height, width), in the main thread; what it gives is
            called in another.
        done : callable
            Gets the outcome of that, and the source of the cells; in the main thread.
        ended : callable
            Called at the end of everything else, with a sentence if it went wrong, else with none.
        """
        job = SegmentJob(how)
        background = self._background
        post = background.post

        def work() -> NDArray[np.int32] | None:
            if job.cancelled:
                post(lambda: ended(""))
                return None
            seen = self._seen
            if seen is None or not seen.shows(slide, region, mpp):
                self._seen = seen = Seen(slide, region, mpp)
            if how.method == "builtin":
                return seen.nuclei(slide, how)
            request = SegmentRequest(seen.packed(slide), mpp, how)
            background.talk(lambda: submit(request), ended)
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
                case SegmentedLayout(labels, source):
                    found(labels, source)
                case Failure(message):
                    ended(message)
                case Finished():
                    # After the cells were fitted, in the same thread.
                    background.compute(lambda: None, lambda _: ended(""), ended)

        def found(labels: NDArray[np.int32], source: LayoutSource) -> None:
            if not job.cancelled:
                background.compute(fit(labels), lambda fitted: done(fitted, source), ended)

        def computed(labels: NDArray[np.int32] | None) -> None:
            if labels is not None:
                found(labels, LayoutSource(how.method))
                take(Finished())

        background.compute(work, computed, ended)
        return job

    def cancel(self, job: SegmentJob) -> None:
        """Stop a search before its next tile; what it finds all the same goes nowhere."""
        if not job.cancelled:
            job.cancelled = True
            # What is said is said in turn, so that a request that waits to be sent sees the flag.
            self._background.talk(lambda: job.handle.cancel() if job.handle else None)
            self._changed()

    def forget(self) -> None:
        """Give the memory back that the last search keeps."""

        def work() -> None:
            self._seen = None

        self._background.compute(work, lambda _: None, lambda _: None)
