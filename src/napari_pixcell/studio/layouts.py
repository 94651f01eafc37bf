"""What a session does with layouts: import, paint and put them aside."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_pixcell.cells import describe, import_layout
from napari_pixcell.cells.layout import Summary
from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.regions import RegionItem
from napari_pixcell.studio.settings import Settings

log = logging.getLogger(__name__)

COUNTED_AT_ONCE = 1024**2  # px whose cells are counted without the window noticing


class LayoutActions(Notices):
    """The layout part of a :class:`~napari_pixcell.studio.session.Session`."""

    layout_changed = Signal(object)

    background: Background
    settings: Settings
    slide: Any
    _items: dict[int, RegionItem]

    @property
    def active(self) -> RegionItem | None:
        """The region that everything is about."""
        raise NotImplementedError

    def import_layout(self, path: Path) -> None:
        """Take the layout of the active region from a label image."""
        item = self.active
        if item is None:
            return
        with self.reporting("layout"):
            labels = import_layout(path, item.size)
            origin = f"imported from {Path(path).name}"
            self.set_layout(item.number, labels, origin, LayoutSource("imported"))

    def new_layout(self) -> None:
        """Give the active region an empty layout to paint on."""
        if self.active is not None and self.active.layout is None:
            empty = np.zeros(self.active.size, np.int32)
            self.set_layout(self.active.number, empty, "painted", LayoutSource("painted"))

    def set_layout(
        self,
        number: int,
        labels: NDArray[Any] | None,
        origin: str = "",
        source: LayoutSource | None = None,
    ) -> None:
        """Give a region a layout: label image, (height, width); None for no layout."""
        item = self._items[number]
        item.layout, item.layout_origin, item.layout_source = labels, origin, source
        self.problems.pop("layout", None)
        self._count(item)
        self.layout_changed.emit(item)
        self.changed.emit()

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
        if labels is None:
            item.cells, item.layout_text = 0, ""
        elif labels.size <= COUNTED_AT_ONCE:
            counted = describe(labels, mpp)
            item.cells, item.layout_text = counted.count, str(counted)
        else:

            def take(counted: Summary) -> None:
                if item.layout is labels:
                    item.cells, item.layout_text = counted.count, str(counted)
                    self.changed.emit()

            item.cells = item.cells or int(labels.any())
            item.layout_text = item.layout_text or "Counting the cells…"
            self.background.compute(lambda: describe(labels, mpp), take, log.warning)

    def change_size(
        self, item: RegionItem, before: tuple[int, int], after: tuple[int, int]
    ) -> None:
        """Put a layout of another size aside; take back what fits."""
        if before == after:
            return
        if item.layout is not None:
            item.shelved[before] = item.layout, item.layout_origin, item.layout_source
        labels, origin, source = item.shelved.pop(after, (None, "", None))
        if labels is not None or item.layout is not None:
            # The old layer has another shape and place: away with it before the new one comes.
            self.set_layout(item.number, None)
            if labels is not None:
                self.set_layout(item.number, labels, origin, source)

    def resize_layout(self, item: RegionItem, shift: tuple[int, int]) -> None:
        """Cut a layout to its region's new size, or give it empty margins.

        Parameters
        ----------
        item : RegionItem
            With a layout of its former size.
        shift : (down, right)
            By how many px the former picture's corner lies inside the new one.
        """
        labels = item.layout
        assert labels is not None
        resized = np.zeros(item.size, labels.dtype)
        here, there = [], []
        for moved, old, new in zip(shift, labels.shape, item.size, strict=True):
            start, stop = max(0, moved), max(0, min(new, moved + old))
            here.append(slice(start, stop))
            there.append(slice(start - moved, max(start, stop) - moved))
        resized[tuple(here)] = labels[tuple(there)]
        origin, source = item.layout_origin, item.layout_source
        self.set_layout(item.number, None)
        self.set_layout(item.number, resized, origin, source)
