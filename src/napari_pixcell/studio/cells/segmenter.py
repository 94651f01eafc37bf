"""Nuclear segmentation: at once by the built-in method, or by Cellpose in the worker."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.methods import LayoutSource, SegmentMethod
from napari_pixcell.engine.events import Event, Failure, Finished, SegmentedLayout
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.request_values import SegmentRequest
from napari_pixcell.slides.region import Region
from napari_pixcell.studio.tasks import Task, Tasks

if TYPE_CHECKING:
    from napari_pixcell.cells.segmentation import Haematoxylin

T = TypeVar("T")


@dataclass(eq=False, kw_only=True)
class SegmentTask(Task):
    """A segmentation that waits or runs."""

    how: SegmentMethod
    message: str = "Segmenting nuclei"

    @property
    def can_cancel(self) -> bool:
        """True if it takes long enough to be cancelled, and was not yet."""
        return super().can_cancel and self.how.method != "builtin"


class Seen:
    """What other thresholds do not change: pixels and stain of the last segmented region.

    For ``n`` pixels it keeps 8 ``n`` bytes for the built-in method, and up to 4 ``n`` for Cellpose.

    Parameters
    ----------
    slide : Slide
        The slide of the region.
    region : Region
        In level-0 pixels.
    mpp : float
        Pixel size in µm to read it at.
    """

    def __init__(self, slide: Any, region: Region, mpp: float) -> None:
        self._slide, self._region, self._mpp = weakref.ref(slide), region, mpp
        self._stain: Haematoxylin | None = None
        self._packed: PackedArray | None = None
        self._outlined: tuple[float, NDArray[np.int32]] | None = None

    def shows(self, slide: Any, region: Region, mpp: float) -> bool:
        return self._slide() is slide and (self._region, self._mpp) == (region, mpp)

    def packed(self, slide: Any) -> PackedArray:
        if self._packed is None:
            self._packed = PackedArray.pack(slide.read(self._region, self._mpp))
        return self._packed

    def nuclei(self, slide: Any, how: SegmentMethod) -> NDArray[np.int32]:
        """Segment its nuclei by the built-in method: int32, (height, width)."""
        # Here: these bring scikit-image and scipy.
        from napari_pixcell.cells.combining import within_sizes
        from napari_pixcell.cells.segmentation import measure_haematoxylin, outline_nuclei

        if self._stain is None:
            self._stain = measure_haematoxylin(slide.read(self._region, self._mpp), self._mpp)
        if self._outlined is None or self._outlined[0] != how.sensitivity:
            self._outlined = how.sensitivity, outline_nuclei(self._stain, how.sensitivity)
        return within_sizes(self._outlined[1], self._mpp, how.smallest_um2, how.largest_um2)


class Segmenter:
    """Segments nuclei without blocking the main thread.

    Parameters
    ----------
    tasks : Tasks
        Background work of the session.
    """

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._seen: Seen | None = None  # used only in the thread that computes

    def start(
        self,
        slide: Any,
        region: Region,
        mpp: float,
        how: SegmentMethod,
        *,
        fit: Callable[[NDArray[np.int32]], Callable[[], T]],
        done: Callable[[T, LayoutSource], None],
        on_end: Callable[[SegmentTask], None],
    ) -> SegmentTask:
        """Segment the nuclei of a region; returns at once.

        A repetition with other thresholds is fast: the built-in method keeps the stain, and
        Cellpose the output of its network.

        Parameters
        ----------
        slide : Slide
            The slide of the region.
        region : Region
            In level-0 pixels.
        mpp : float
            Pixel size in µm to read it at.
        how : SegmentMethod
            Method and thresholds.
        fit : callable
            Receives the label image, int32 (height, width), in the main thread, and returns a
            function that is called in another.
        done : callable
            Receives the result of that function and the source of the cells, in the main thread.
        on_end : callable
            Receives the task at its end; its ``problem`` is a sentence if it failed.
        """
        tasks, background = self._tasks, self._tasks.background
        task = tasks.start(SegmentTask(how=how))

        def end(problem: str = "") -> None:
            if tasks.is_running(task):
                tasks.end(task, problem)
                on_end(task)

        def work() -> NDArray[np.int32] | None:
            if task.cancelled:
                background.post(end)
                return None
            seen = self._seen
            if seen is None or not seen.shows(slide, region, mpp):
                self._seen = seen = Seen(slide, region, mpp)
            if how.method == "builtin":
                return seen.nuclei(slide, how)
            tasks.ask(task, SegmentRequest(seen.packed(slide), mpp, how), take)
            return None

        def take(event: Event) -> None:
            match event:
                case SegmentedLayout(labels, source):
                    segmented(labels, source)
                case Failure(message):
                    end(message)
                case Finished():
                    # After the cells were fitted, in the same thread.
                    background.compute(lambda: None, lambda _: end(), end)
            tasks.changed.emit()

        def segmented(labels: NDArray[np.int32], source: LayoutSource) -> None:
            if not task.cancelled:
                background.compute(fit(labels), lambda fitted: done(fitted, source), end)

        def computed(labels: NDArray[np.int32] | None) -> None:
            if labels is not None:
                segmented(labels, LayoutSource(how.method))
                take(Finished())

        background.compute(work, computed, end)
        return task

    def forget(self) -> None:
        """Release the memory that the last segmentation keeps."""

        def work() -> None:
            self._seen = None

        self._tasks.background.compute(work, lambda _: None, lambda _: None)
