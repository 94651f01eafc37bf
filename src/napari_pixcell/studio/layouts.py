"""What a session does with layouts: find, import, paint and put them aside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_pixcell.cells import describe, import_layout, segment_nuclei
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.regions import RegionItem
from napari_pixcell.studio.settings import Settings


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

    def segment(self) -> None:
        """Find the nuclei in the active region."""
        item, family = self.active, self.settings.model
        if item is None or item.layout_busy:
            return
        slide, place = self.slide, item.region
        item.layout_busy = True
        self.say("layout", "")

        def work() -> NDArray[np.int32]:
            return segment_nuclei(slide.read(place, family.mpp), family.mpp)

        def done(labels: NDArray[np.int32]) -> None:
            item.layout_busy = False
            if not labels.any():
                self.say("layout", "No nuclei were found here; paint some, or move the region.")
            elif item.number in self._items:
                moved = " before the region was moved" if item.region != place else ""
                self.set_layout(item.number, labels, "segmented" + moved)

        self.background.compute(work, done, lambda text: self._layout_failed(item, text))

    def import_layout(self, path: Path) -> None:
        """Take the layout of the active region from a label image."""
        item = self.active
        if item is None:
            return
        side = self.settings.model.tile
        with self.reporting("layout"):
            labels = import_layout(path, (side, side))
            self.set_layout(item.number, labels, f"imported from {Path(path).name}")

    def new_layout(self) -> None:
        """Give the active region an empty layout to paint on."""
        if self.active is not None and self.active.layout is None:
            side = self.settings.model.tile
            self.set_layout(self.active.number, np.zeros((side, side), np.int32), "painted")

    def set_layout(self, number: int, labels: NDArray[Any] | None, origin: str = "") -> None:
        """Give a region a layout: label image, (tile, tile); None for no layout."""
        item = self._items[number]
        item.layout, item.layout_origin = labels, origin
        self.problems.pop("layout", None)
        self._count(item)
        self.layout_changed.emit(item)
        self.changed.emit()

    def layout_edited(self, number: int) -> None:
        """Count the cells again after the label image was painted on."""
        item = self._items.get(number)
        if item is not None:
            self._count(item)
            self.changed.emit()

    def _count(self, item: RegionItem) -> None:
        item.cells, item.layout_text = 0, ""
        if item.layout is not None:
            item.cells = int(np.count_nonzero(np.unique(item.layout)))
            item.layout_text = str(describe(item.layout, self.settings.model.mpp))

    def _layout_failed(self, item: RegionItem, message: str) -> None:
        item.layout_busy = False
        self.say("layout", message)

    def change_tile(self, item: RegionItem, before: int, after: int) -> None:
        """Put a layout aside that is for tiles of another size; take back what fits."""
        if before == after:
            return
        if item.layout is not None:
            item.shelved[before] = item.layout, item.layout_origin
        labels, origin = item.shelved.pop(after, (None, ""))
        if labels is not None or item.layout is not None:
            # The old layer has another shape and place: away with it before the new one comes.
            self.set_layout(item.number, None)
            if labels is not None:
                self.set_layout(item.number, labels, origin)
