"""Segmentation of the active region: first search, other thresholds, rejected cells."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.combining import check_part, take_out
from napari_pixcell.cells.methods import LayoutSource, SegmentMethod
from napari_pixcell.engine.requests import LARGEST_SEARCH
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.families import segmenter_file
from napari_pixcell.studio.cells.layout import Cells
from napari_pixcell.studio.cells.layouts import SECTION, Layouts
from napari_pixcell.studio.cells.search import Combined, Search
from napari_pixcell.studio.cells.segmenter import Segmenter, SegmentTask
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.regions.regions import Regions
from napari_pixcell.studio.settings import Settings
from napari_pixcell.studio.slides import Slides
from napari_pixcell.studio.tasks import Tasks


@dataclass(eq=False)
class Segmentation:
    """Segments the nuclei of regions."""

    slides: Slides
    regions: Regions
    layouts: Layouts
    settings: Settings
    tasks: Tasks
    notices: Notices

    def __post_init__(self) -> None:
        self.segmenter = Segmenter(self.tasks)
        self.problem = ""  # why the selected method cannot be used here; empty if it can
        self.settings.events.segment_method.connect(self.check, max_args=0)
        self.settings.events.segment_model.connect(self.check, max_args=0)
        self.regions.removed.connect(self.stop)

    def segment(self, part: NDArray[np.bool_] | None = None) -> None:
        """Segment the nuclei of the active region by the selected method.

        They become the layout of this region, whichever is active by then. They replace its cells,
        or are added with ``settings.keep_cells``.

        Parameters
        ----------
        part : array, bool, (height, width), optional
            Only nuclei with their centre here are added, and only cells with their centre here
            are replaced.
        """
        item = self.regions.active
        self.check()
        if item is None or item.layout_busy or self.problem:
            return
        with self.notices.reporting(SECTION):
            how = self.settings.segmenting
            how.check_area(item.size, self.settings.model.mpp)
            if part is not None:
                check_part(part, item.size)
            if math.prod(item.size) > LARGEST_SEARCH:
                side = math.isqrt(LARGEST_SEARCH)
                raise PixCellError(
                    f"The region is larger than {side} × {side} px, the most that is segmented at "
                    "once. Choose a smaller region, or import a mask."
                )
            self.notices.say(SECTION, "")
            self._stop_outlining(item)
            keep = "existing" if self.settings.keep_cells else "replace"
            self._search(item, Search(item.region, how, part, keep))

    def _search(self, item: RegionItem, search: Search) -> None:
        family = self.settings.model

        def before(shape: tuple[int, ...]) -> Cells | None:
            return item.whole_layout if item.layout is None or item.layout.shape == shape else None

        def done(found: Combined, source: LayoutSource) -> None:
            if not self.regions.has(item):
                return
            moved = " before the region was moved" if item.region != search.region else ""
            by = " by Cellpose" if search.how.method == "cellpose" else ""
            origin = found.origin(f"segmented{by}{moved}")
            if not found.added:
                if found.labels.shape == item.size:  # the sliders may find some
                    search.before, search.labels = found.before, item.layout
                    item.search = search
                if found.dropped:
                    self.notices.note(
                        SECTION, "All nuclei here are in the layout already.", item.number
                    )
                else:
                    self.notices.say(
                        SECTION,
                        "No nuclei were found. Paint some, or move the region.",
                        item.number,
                    )
            elif found.labels.shape == item.size:
                self._put(item, search, found, origin, found.source(source))
            elif item.family != family.name:  # it waits until the region has this size again
                item.shelved[found.labels.shape] = Cells(found.labels, origin, source)
            else:
                self.notices.say(
                    SECTION,
                    "The region was resized during the segmentation. Press “Segment nuclei” again.",
                    item.number,
                )

        def on_end(task: SegmentTask) -> None:
            if item.layout_job is task:
                item.layout_job = None
                self._show(task.problem, item)

        item.layout_job = self._start(item, search, search.how, before, done, on_end)
        self.notices.changed.emit()

    @property
    def last_search(self) -> Search | None:
        """The segmentation that :meth:`outline_again` would repeat in the active region.

        None if there was none, if its cells were edited or replaced since, or if more than the
        thresholds changed.
        """
        item = self.regions.active
        search = item.search if item is not None else None
        with contextlib.suppress(PixCellError):  # shown when cells are segmented
            if (
                item is not None
                and search is not None
                and self._untouched(item, search)
                and search.how.network == self.settings.segmenting.network
            ):
                return search
        return None

    def outline_again(self) -> None:
        """Repeat the last segmentation with the present thresholds.

        It replaces a repetition that still runs, and starts from the layout before that
        segmentation. Rejected cells stay away.
        """
        item, search = self.regions.active, self.last_search
        if item is None or search is None or item.layout_busy:
            return
        with self.notices.reporting(SECTION):
            how = self.settings.segmenting
            how.check_area(item.size, self.settings.model.mpp)
            self._stop_outlining(item)
            if how != search.how:
                self._outline(item, search, how)
        self.notices.changed.emit()

    def _outline(self, item: RegionItem, search: Search, how: SegmentMethod) -> None:
        def done(found: Combined, source: LayoutSource) -> None:
            self.layouts.wanted.emit()
            if search.job is not job or not self._untouched(item, search):
                return
            search.how = how
            by = " by Cellpose" if how.method == "cellpose" else ""
            if search.rejected is not None:
                source = replace(source, edited=True)
            origin = found.origin(f"segmented{by}")
            self._put(item, search, found, origin, found.source(source))
            if not found.added:
                self.notices.say(
                    SECTION,
                    "No nuclei are found with this setting. Move the slider back.",
                    item.number,
                )

        def on_end(task: SegmentTask) -> None:
            if search.job is task:
                search.job = None
                self._show(task.problem, item)

        job = self._start(item, search, how, lambda _shape: search.before, done, on_end)
        search.job = job

    def _show(self, problem: str, item: RegionItem) -> None:
        if problem:
            self.notices.say(SECTION, problem, item.number)
        self.notices.changed.emit()

    def _start(
        self,
        item: RegionItem,
        search: Search,
        how: SegmentMethod,
        before: Callable[[tuple[int, ...]], Cells | None],
        done: Callable[[Combined, LayoutSource], None],
        on_end: Callable[[SegmentTask], None],
    ) -> SegmentTask:
        def fit(labels: NDArray[np.int32]) -> Callable[[], Combined]:
            there = before(labels.shape)
            return lambda: search.put(labels, there)

        slide, mpp = self.slides.current, self.settings.model.mpp
        return self.segmenter.start(
            slide, search.region, mpp, how, fit=fit, done=done, on_end=on_end
        )

    def _put(
        self, item: RegionItem, search: Search, found: Combined, origin: str, source: LayoutSource
    ) -> None:
        """Make segmented cells the layout; undo restores the one before the first search."""
        first = not search.placed
        self.layouts.set(item.number, found.labels, origin, source, found.classes, remember=first)
        search.before, search.labels, search.placed = found.before, item.layout, True
        if first:
            search.replaced = found.loss
        item.search = search

    @property
    def replaced(self) -> str:
        """A sentence about cells by hand that the active layout's segmentation replaced, or ""."""
        item = self.regions.active
        search = item.search if item is not None else None
        if item is None or search is None or item.layout is not search.labels:
            return ""
        return search.replaced

    def undo(self) -> None:
        """Restore the layout before the last segmentation of the active region."""
        item = self.regions.active
        if item is not None:
            self.layouts.wanted.emit()  # strokes since then can be redone
            self.layouts.undo(item.number)

    def reject_cells(self, labels: set[int]) -> None:
        """Remove wrong cells of the active layout; they stay away with other thresholds."""
        item = self.regions.active
        self.layouts.wanted.emit()
        if item is None or item.layout is None:
            return
        left, gone = take_out(item.layout, labels)
        if not gone.any():
            return
        search, source = item.search, item.layout_source
        held = search is not None and self._untouched(item, search)
        classes = {n: name for n, name in item.classes.items() if n not in labels}
        if source is not None and source.method != "painted":
            source = replace(source, edited=True)
        self.layouts.set(item.number, left, item.layout_origin, source, classes)
        if search is not None and held:
            search.reject(labels, gone)
            search.labels = item.layout

    def _untouched(self, item: RegionItem, search: Search) -> bool:
        """True if the layout is still what a search made, at the same position."""
        return (
            self.regions.has(item)
            and item.search is search
            and not search.edited
            and item.layout is search.labels
            and item.region == search.region
        )

    def _stop_outlining(self, item: RegionItem) -> None:
        if item.search is not None and item.search.job is not None:
            job, item.search.job = item.search.job, None
            self.tasks.cancel(job)

    def stop(self, item: RegionItem) -> None:
        self._stop_outlining(item)
        if item.layout_job is not None:
            self.tasks.cancel(item.layout_job)

    def cancel(self) -> bool:
        """Stop the segmentation of the active region; True if one was stopped."""
        item = self.regions.active
        job = item.layout_job if item is not None else None
        if item is None or (job is not None and not job.can_cancel):
            return False
        self.stop(item)
        self.notices.changed.emit()
        return job is not None

    def check(self) -> None:
        """Check whether the selected method can be used; see :attr:`problem`."""
        self.problem = ""
        try:
            how = self.settings.segmenting
            if how.method == "cellpose":
                segmenter_file(how.model)
        except PixCellError as error:
            self.problem = str(error)
        self.notices.changed.emit()
