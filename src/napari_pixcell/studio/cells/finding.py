"""What a session does to find the cells of a region."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_pixcell.cells.combining import check_part, take_out
from napari_pixcell.cells.methods import LayoutSource, SegmentMethod
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.segmenters import segmenter_file
from napari_pixcell.studio.cells.layouts import LayoutActions
from napari_pixcell.studio.cells.search import Combined, Search
from napari_pixcell.studio.cells.segmenter import Segmenter, SegmentJob
from napari_pixcell.studio.regions.item import Cells, RegionItem

LARGEST_SEARCH = 8192**2  # px in which cells are looked for at once: more takes too much memory


class FindActions(LayoutActions):
    """The part of a :class:`~napari_pixcell.studio.session.Session` that finds cells.

    Attributes
    ----------
    layout_wanted : Signal
        A layout is about to be replaced: whoever lets the user paint on it tells of all strokes.
    """

    layout_wanted = Signal()

    segmenter: Segmenter
    no_segmenting = ""

    def segment(self, part: NDArray[np.bool_] | None = None) -> None:
        """Find the nuclei in the active region, by the method that the settings name.

        They become the layout of this region whatever is chosen later. Cells that are there go,
        or stay if ``settings.keep_cells`` says so.

        Parameters
        ----------
        part : array, bool, (height, width), optional
            Only nuclei whose centre lies here are taken, and only cells whose centre lies here go.
        """
        item = self.active
        self.check_segmenter()
        if item is None or item.layout_busy or self.no_segmenting:
            return
        with self.reporting("layout"):
            how = self.settings.segmenting
            how.check_area(item.size, self.settings.model.mpp)
            if part is not None:
                check_part(part, item.size)
            if math.prod(item.size) > LARGEST_SEARCH:
                side = math.isqrt(LARGEST_SEARCH)
                raise PixCellError(
                    f"Cells are looked for in at most {side} × {side} px at once; choose a smaller "
                    "region, or import a mask for this one."
                )
            self.say("layout", "")
            self._stop_outlining(item)
            keep = "existing" if self.settings.keep_cells else "replace"
            self._search(item, Search(item.region, how, part, keep))

    def _search(self, item: RegionItem, search: Search) -> None:
        """Look for cells for the first time."""
        family = self.settings.model

        def before(shape: tuple[int, ...]) -> Cells | None:
            return item.whole_layout if item.layout is None or item.layout.shape == shape else None

        def done(found: Combined, source: LayoutSource) -> None:
            if item.number not in self._items:
                return
            moved = " before the region was moved" if item.region != search.region else ""
            by = " by Cellpose" if search.how.method == "cellpose" else ""
            origin = found.origin(f"segmented{by}{moved}")
            if not found.added:
                if found.labels.shape == item.size:  # the sliders may find some
                    search.before, search.labels = found.before, item.layout
                    item.search = search
                if found.dropped:
                    self.note("layout", "All nuclei that were found here are there already.")
                else:
                    self.say("layout", "No nuclei were found here; paint some, or move the region.")
            elif found.labels.shape == item.size:
                self._put(item, search, found, origin, found.source(source))
            elif item.family != family.name:  # it waits until the region has this size again
                item.shelved[found.labels.shape] = Cells(found.labels, origin, source)
            else:
                self.say(
                    "layout",
                    "The region was given another size while its cells were looked for; "
                    "press “Segment nuclei” again.",
                )

        def ended(message: str) -> None:
            if item.layout_job is job:
                item.layout_job = None
                if message:
                    self.say("layout", message)
                self.changed.emit()

        job = self._start(item, search, search.how, before, done, ended)
        item.layout_job = job
        self.changed.emit()

    @property
    def last_search(self) -> Search | None:
        """The search that :meth:`outline_again` would do over in the active region.

        None where there was none, where its cells were painted on or replaced since, or where
        something else than thresholds is to be another.
        """
        item = self.active
        search = item.search if item is not None else None
        with contextlib.suppress(PixCellError):  # said when cells are looked for
            if (
                item is not None
                and search is not None
                and self._untouched(item, search)
                and search.how.network == self.settings.segmenting.network
            ):
                return search
        return None

    def outline_again(self) -> None:
        """Do the last search over with the thresholds of the settings; overtakes the one before.

        It starts from the layout before that search; what the user has rejected stays away.
        """
        item, search = self.active, self.last_search
        if item is None or search is None or item.layout_busy:
            return
        with self.reporting("layout"):
            how = self.settings.segmenting
            how.check_area(item.size, self.settings.model.mpp)
            self._stop_outlining(item)
            if how != search.how:
                self._outline(item, search, how)
        self.changed.emit()

    def _outline(self, item: RegionItem, search: Search, how: SegmentMethod) -> None:
        def done(found: Combined, source: LayoutSource) -> None:
            self.layout_wanted.emit()
            if search.job is not job or not self._untouched(item, search):
                return
            search.how = how
            by = " by Cellpose" if how.method == "cellpose" else ""
            if search.rejected is not None:
                source = replace(source, edited=True)
            origin = found.origin(f"segmented{by}")
            self._put(item, search, found, origin, found.source(source))
            if not found.added:
                self.say("layout", "No nuclei are found with this setting; move the slider back.")

        def ended(message: str) -> None:
            if search.job is job:
                search.job = None
                if message:
                    self.say("layout", message)
                self.changed.emit()

        job = self._start(item, search, how, lambda _shape: search.before, done, ended)
        search.job = job

    def _start(
        self,
        item: RegionItem,
        search: Search,
        how: SegmentMethod,
        before: Callable[[tuple[int, ...]], Cells | None],
        done: Callable[[Combined, LayoutSource], None],
        ended: Callable[[str], None],
    ) -> SegmentJob:
        def fit(labels: NDArray[np.int32]) -> Callable[[], Combined]:
            there = before(labels.shape)
            return lambda: search.put(labels, there)

        mpp = self.settings.model.mpp
        return self.segmenter.start(self.slide, search.region, mpp, how, fit, done, ended)

    def _put(
        self,
        item: RegionItem,
        search: Search,
        found: Combined,
        origin: str,
        source: LayoutSource,
    ) -> None:
        """Make found cells the layout, which undoing takes back to what was before the search."""
        first = not search.placed
        self.set_layout(item.number, found.labels, origin, source, found.classes, remember=first)
        search.before, search.labels, search.placed = found.before, item.layout, True
        item.search = search

    def reject_cells(self, labels: set[int]) -> None:
        """Remove cells of the active layout that are none; they stay away with other thresholds."""
        item = self.active
        self.layout_wanted.emit()
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
        self.set_layout(item.number, left, item.layout_origin, source, classes)
        if search is not None and held:
            search.reject(labels, gone)
            search.labels = item.layout

    def layout_edited(self, number: int) -> None:
        """Count the cells again after the label image was painted on."""
        item = self._items.get(number)
        if item is not None and item.search is not None:
            item.search.edited |= item.layout is item.search.labels
        super().layout_edited(number)

    def _untouched(self, item: RegionItem, search: Search) -> bool:
        """Whether the layout is what a search made of it, at the place where it looked."""
        return (
            item.number in self._items
            and item.search is search
            and not search.edited
            and item.layout is search.labels
            and item.region == search.region
        )

    def _stop_outlining(self, item: RegionItem) -> None:
        if item.search is not None and item.search.job is not None:
            job, item.search.job = item.search.job, None
            self.segmenter.cancel(job)

    def stop_finding(self, item: RegionItem) -> None:
        """Stop whatever looks for the cells of a region."""
        self._stop_outlining(item)
        if item.layout_job is not None:
            self.segmenter.cancel(item.layout_job)

    def cancel_segmenting(self) -> None:
        """Stop the search in the active region."""
        item = self.active
        if item is not None and (item.layout_job is None or item.layout_job.can_cancel):
            self.stop_finding(item)
            self.changed.emit()

    def check_segmenter(self, *_: Any) -> None:
        """See whether the chosen method can be used here; :attr:`no_segmenting` says why not."""
        self.no_segmenting = ""
        try:
            how = self.settings.segmenting
            if how.method == "cellpose":
                segmenter_file(how.model)
        except PixCellError as error:
            self.no_segmenting = str(error)
        self.changed.emit()
