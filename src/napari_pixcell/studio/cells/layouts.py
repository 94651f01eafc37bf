"""What a session does with layouts: paint them, put them aside, go back to earlier ones."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_pixcell.cells import advice, describe
from napari_pixcell.cells.layout import Summary
from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.regions.item import Cells, RegionItem
from napari_pixcell.studio.settings import Settings

log = logging.getLogger(__name__)

MOST_KEPT = 64 * 2**20  # px of the layouts of a region that can be gone back to
COUNTED_AT_ONCE = 1024**2  # px whose cells are counted without the window noticing


class LayoutActions(Notices):
    """The layout part of a :class:`~napari_pixcell.studio.session.Session`."""

    layout_changed = Signal(object)
    layout_counted = Signal(object)

    background: Background
    settings: Settings
    slide: Any
    _items: dict[int, RegionItem]

    @property
    def active(self) -> RegionItem | None:
        """The region that everything is about."""
        raise NotImplementedError

    def why_no_cells(self) -> str:
        """Say why no cells can be put into the active region now; empty if they can."""
        item = self.active
        if item is None:
            return "Add a region first"
        if not self.settings.model.takes_layout:
            return f"{self.settings.model.title} takes no layout"
        return "Cells are being looked for" if item.layout_busy else ""

    def why_no_change(self) -> str:
        """Say why the active region's cells cannot be changed now; empty if they can."""
        reason = self.why_no_cells()
        if reason or self.active is None or self.active.layout is not None:
            return reason
        return "There are no cells yet: segment, paint or import some"

    def new_layout(self) -> None:
        """Give the active region an empty layout to paint on."""
        if self.active is not None and self.active.layout is None:
            empty = np.zeros(self.active.size, np.int32)
            self.set_layout(
                self.active.number, empty, "painted", LayoutSource("painted"), remember=False
            )

    def set_layout(
        self,
        number: int,
        labels: NDArray[Any] | None,
        origin: str = "",
        source: LayoutSource | None = None,
        classes: dict[int, str] | None = None,
        remember: bool = True,
    ) -> None:
        """Give a region a layout.

        Parameters
        ----------
        number : int
            Of the region.
        labels : array, (height, width)
            Instance label image; None for no layout.
        origin, source : str, LayoutSource
            How it came about.
        classes : dict of int to str
            What kind of cell a label is.
        remember : bool
            Whether :meth:`undo_layout` comes back to what was before.
        """
        item = self._items[number]
        if remember:
            self._remember(item)
        self._take(item, None if labels is None else Cells(labels, origin, source, classes or {}))

    def undo_layout(self, number: int) -> None:
        """Go back to the layout before the last import, search or invention."""
        item = self._items[number]
        if item.earlier:
            item.later.append(item.whole_layout)
            self._take(item, item.earlier.pop())

    def redo_layout(self, number: int) -> None:
        """Take :meth:`undo_layout` back."""
        item = self._items[number]
        if item.later:
            item.earlier.append(item.whole_layout)
            self._take(item, item.later.pop())

    def _take(self, item: RegionItem, cells: Cells | None) -> None:
        item.layout = cells.labels if cells is not None else None
        item.layout_origin = cells.origin if cells is not None else ""
        item.layout_source = cells.source if cells is not None else None
        item.classes = dict(cells.classes) if cells is not None else {}
        item.of_slide = False
        self.problems.pop("layout", None)
        self._count(item)
        self.layout_changed.emit(item)
        self.changed.emit()

    def _remember(self, item: RegionItem) -> None:
        """Keep a layout that is about to be replaced; its array is not written to any more."""
        if item.layout is None or item.layout.any():
            item.earlier.append(item.whole_layout)
        item.later.clear()
        kept = np.cumsum([0 if c is None else c.labels.size for c in reversed(item.earlier)])
        fits = int(np.count_nonzero(kept <= MOST_KEPT))
        del item.earlier[: len(item.earlier) - max(1, fits)]

    def layout_edited(self, number: int) -> None:
        """Count the cells again after the label image was painted on."""
        item = self._items.get(number)
        if item is not None:
            source = item.layout_source
            if source is not None and source.method != "painted":
                item.layout_source = replace(source, edited=True)
            self._count(item)
            self.changed.emit()

    def _count(self, item: RegionItem) -> None:
        """Count the cells: at once, or in a thread where that takes the window's time."""
        labels, mpp = item.layout, self.settings.model.mpp

        def take(counted: Summary) -> None:
            if item.layout is labels:
                item.cells, item.layout_text = counted.count, str(counted)
                item.layout_advice = advice(counted)
                self.layout_counted.emit(item)
                self.changed.emit()

        if labels is None:
            item.cells, item.layout_text, item.layout_advice = 0, "", ""
        elif labels.size <= COUNTED_AT_ONCE:
            take(describe(labels, mpp))
        else:
            item.cells = item.cells or int(labels.any())
            item.layout_text = item.layout_text or "Counting the cells…"
            self.background.compute(lambda: describe(labels, mpp), take, log.warning)

    def change_size(
        self, item: RegionItem, before: tuple[int, int], after: tuple[int, int]
    ) -> None:
        """Put a layout of another size aside; take back what fits."""
        if before == after:
            return
        aside = item.whole_layout
        if aside is not None:
            item.shelved[before] = aside
        item.earlier.clear()
        item.later.clear()
        back = item.shelved.pop(after, None)
        if back is not None or aside is not None:
            # The old layer has another shape and place: away with it before the new one comes.
            self._take(item, None)
            if back is not None:
                self._take(item, back)

    def resize_layout(self, item: RegionItem, shift: tuple[int, int]) -> None:
        """Cut a layout to its region's new size, or give it empty margins.

        Parameters
        ----------
        item : RegionItem
            With a layout of its former size.
        shift : (down, right)
            By how many px the former picture's corner lies inside the new one.
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
        self._take(item, None)
        self._take(item, replace(whole, labels=resized))
        item.of_slide = of_slide
