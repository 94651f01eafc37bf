"""Layouts of regions: painted, replaced, put aside with another model, undone and redone."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_pixcell.cells import advice, describe
from napari_pixcell.cells.layout import Summary
from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.slides.region import Region
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.cells.layout import Cells
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.regions.regions import Regions
from napari_pixcell.studio.settings import Settings
from napari_pixcell.studio.slides import Slides

log = logging.getLogger(__name__)

SECTION = "layout"
MOST_KEPT = 64 * 2**20  # px of the layouts that a region keeps for undo
COUNTED_AT_ONCE = 1024**2  # px whose cells are counted without a noticeable delay


@dataclass(eq=False)
class Layouts:
    """The layouts of all regions."""

    changed = Signal(object)  # (RegionItem): a region has another layout, or none
    counted = Signal(object)  # (RegionItem): the cells of a layout were counted
    # A layout is about to be read or replaced: unfinished strokes are to be reported now
    wanted = Signal()

    slides: Slides
    regions: Regions
    settings: Settings
    background: Background
    notices: Notices

    def __post_init__(self) -> None:
        self.regions.moved.connect(self._moved)
        self.regions.refitted.connect(self._refitted)
        self.regions.removed.connect(self.changed.emit)
        self.regions.restored.connect(self._restored)

    def why_no_cells(self) -> str:
        item = self.regions.active
        if item is None:
            return "Add a region first"
        if not self.settings.takes_layout:
            return f"{self.settings.model.title} takes no layout"
        return "Segmenting nuclei…" if item.layout_busy else ""

    def why_no_change(self) -> str:
        reason, item = self.why_no_cells(), self.regions.active
        if reason or item is None or item.layout is not None:
            return reason
        return "There are no cells yet: segment, paint or import some"

    def new(self) -> None:
        """Start an empty layout of the active region to paint on."""
        item = self.regions.active
        if item is not None and item.layout is None:
            empty = np.zeros(item.size, np.int32)
            self.set(item.number, empty, "painted", LayoutSource("painted"), remember=False)

    def set(
        self,
        number: int,
        labels: NDArray[Any] | None,
        origin: str = "",
        source: LayoutSource | None = None,
        classes: dict[int, str] | None = None,
        remember: bool = True,
    ) -> None:
        """Set the layout of a region.

        Parameters
        ----------
        number : int
            Number of the region.
        labels : array, (height, width)
            Instance label image; None for no layout.
        origin, source : str, LayoutSource
            How it was made.
        classes : dict of int to str
            Class names by label.
        remember : bool
            Whether :meth:`undo` restores the layout before it.
        """
        item = self.regions.items[number]
        if remember:
            self._remember(item)
        self._put(item, None if labels is None else Cells(labels, origin, source, classes or {}))

    def undo(self, number: int) -> None:
        """Restore the layout before the last import, segmentation or invention."""
        item = self.regions.items[number]
        if item.earlier:
            item.later.append(item.whole_layout)
            self._put(item, item.earlier.pop())

    def redo(self, number: int) -> None:
        item = self.regions.items[number]
        if item.later:
            item.earlier.append(item.whole_layout)
            self._put(item, item.later.pop())

    def edited(self, number: int) -> None:
        """Count the cells again after the label image was painted on."""
        item = self.regions.get(number)
        if item is None:
            return
        if item.search is not None:
            item.search.edited |= item.layout is item.search.labels
        source = item.layout_source
        if source is not None and source.method != "painted":
            item.layout_source = replace(source, edited=True)
        self._count(item)
        self.notices.changed.emit()

    def _put(self, item: RegionItem, cells: Cells | None) -> None:
        item.layout = cells.labels if cells is not None else None
        item.layout_origin = cells.origin if cells is not None else ""
        item.layout_source = cells.source if cells is not None else None
        item.classes = dict(cells.classes) if cells is not None else {}
        item.of_slide = False
        self.notices.problems.pop(SECTION, None)
        self._count(item)
        self.changed.emit(item)
        self.notices.changed.emit()

    def _remember(self, item: RegionItem) -> None:
        """Keep a layout that is about to be replaced; its array is not written to any more."""
        if item.layout is None or item.layout.any():
            item.earlier.append(item.whole_layout)
        item.later.clear()
        kept = np.cumsum([0 if c is None else c.labels.size for c in reversed(item.earlier)])
        fits = int(np.count_nonzero(kept <= MOST_KEPT))
        del item.earlier[: len(item.earlier) - max(1, fits)]

    def _count(self, item: RegionItem) -> None:
        """Count the cells: at once, or in a thread if that would block the window."""
        labels, mpp = item.layout, self.settings.model.mpp

        def take(summary: Summary) -> None:
            if item.layout is labels:
                item.cells, item.layout_text = summary.count, str(summary)
                item.layout_advice = advice(summary)
                self.counted.emit(item)
                self.notices.changed.emit()

        if labels is None:
            item.cells, item.layout_text, item.layout_advice = 0, "", ""
        elif labels.size <= COUNTED_AT_ONCE:
            take(describe(labels, mpp))
        else:
            item.cells = item.cells or int(labels.any())
            item.layout_text = item.layout_text or "Counting the cells…"
            self.background.compute(lambda: describe(labels, mpp), take, log.warning)

    def _refitted(self, item: RegionItem, before: tuple[int, int]) -> None:
        """Put a layout of another size aside, and bring back one that fits."""
        if before == item.size:
            return
        aside = item.whole_layout
        if aside is not None:
            item.shelved[before] = aside
        item.earlier.clear()
        item.later.clear()
        back = item.shelved.pop(item.size, None)
        if back is not None or aside is not None:
            # The old layer has another shape and position: it goes before the new one comes.
            self._put(item, None)
            if back is not None:
                self._put(item, back)

    def _moved(self, item: RegionItem, before: Region, _settled: bool) -> None:
        """Keep the cells where they are on the slide, if the region has another size now."""
        if item.layout_origin.startswith("segmented") and "moved" not in item.layout_origin:
            item.layout_origin += " before the region was moved"
        if item.layout is not None and item.layout.shape != item.size:
            scale = self.slides.current.mpp / self.settings.model.mpp
            shift = (before.y - item.region.y) * scale, (before.x - item.region.x) * scale
            self._crop(item, (round(shift[0]), round(shift[1])))

    def _crop(self, item: RegionItem, shift: tuple[int, int]) -> None:
        """Crop a layout to its region's new size, or pad it.

        Parameters
        ----------
        item : RegionItem
            With a layout of its former size.
        shift : (down, right)
            Offset of the former picture's corner inside the new one, in px.
        """
        whole = item.whole_layout
        assert whole is not None
        labels = whole.labels
        resized = np.zeros(item.size, labels.dtype)
        here, there = [], []
        for moved, old, new in zip(shift, labels.shape, item.size, strict=True):
            start, stop = max(0, moved), max(0, min(new, moved + old))
            here.append(slice(start, stop))
            there.append(slice(start - moved, max(start, stop) - moved))
        resized[tuple(here)] = labels[tuple(there)]
        item.earlier.clear()
        item.later.clear()
        of_slide = item.of_slide
        self._put(item, None)
        self._put(item, replace(whole, labels=resized))
        item.of_slide = of_slide

    def _restored(self, item: RegionItem, layout: Cells | None) -> None:
        if layout is not None:
            self._put(item, layout)
