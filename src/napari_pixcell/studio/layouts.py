"""What a session does with layouts: find, import, paint and put them aside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_pixcell.cells import describe, import_layout
from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import get_family
from napari_pixcell.models.segmenters import segmenter_file
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.regions import RegionItem
from napari_pixcell.studio.segmenting import Segmenter
from napari_pixcell.studio.settings import Settings


class LayoutActions(Notices):
    """The layout part of a :class:`~napari_pixcell.studio.session.Session`."""

    layout_changed = Signal(object)

    background: Background
    settings: Settings
    slide: Any
    segmenter: Segmenter
    no_segmenting = ""
    _items: dict[int, RegionItem]

    @property
    def active(self) -> RegionItem | None:
        """The region that everything is about."""
        raise NotImplementedError

    def segment(self) -> None:
        """Find the nuclei in the active region, by the method that the settings name.

        They become the layout of this region whatever is chosen later.
        """
        item, family = self.active, self.settings.model
        self.check_segmenter()
        if item is None or item.layout_busy or self.no_segmenting:
            return
        place, how = item.region, self.settings.segmenting
        by = " by Cellpose" if how.method == "cellpose" else ""
        self.say("layout", "")

        def done(labels: NDArray[np.int32], source: LayoutSource) -> None:
            if not labels.any():
                self.say("layout", "No nuclei were found here; paint some, or move the region.")
            elif item.number in self._items:
                moved = " before the region was moved" if item.region != place else ""
                origin = f"segmented{by}{moved}"
                if labels.shape == (get_family(item.family).tile,) * 2:
                    self.set_layout(item.number, labels, origin, source)
                else:  # another model was chosen meanwhile: it waits for one with this tile
                    item.shelved[len(labels)] = labels, origin, source

        def ended(message: str) -> None:
            item.layout_job = None
            if message:
                self.say("layout", message)
            self.changed.emit()

        item.layout_job = self.segmenter.start(self.slide, place, family.mpp, how, done, ended)
        self.changed.emit()

    def cancel_segmenting(self) -> None:
        """Stop the search in the active region."""
        if self.active is not None and self.active.layout_job is not None:
            self.segmenter.cancel(self.active.layout_job)

    def check_segmenter(self, *_: object) -> None:
        """See whether the chosen method can be used here; :attr:`no_segmenting` says why not."""
        self.no_segmenting = ""
        try:
            how = self.settings.segmenting
            if how.method == "cellpose":
                segmenter_file(how.model)
        except PixCellError as error:
            self.no_segmenting = str(error)
        self.changed.emit()

    def import_layout(self, path: Path) -> None:
        """Take the layout of the active region from a label image."""
        item = self.active
        if item is None:
            return
        side = self.settings.model.tile
        with self.reporting("layout"):
            labels = import_layout(path, (side, side))
            origin = f"imported from {Path(path).name}"
            self.set_layout(item.number, labels, origin, LayoutSource("imported"))

    def new_layout(self) -> None:
        """Give the active region an empty layout to paint on."""
        if self.active is not None and self.active.layout is None:
            side = self.settings.model.tile
            empty = np.zeros((side, side), np.int32)
            self.set_layout(self.active.number, empty, "painted", LayoutSource("painted"))

    def set_layout(
        self,
        number: int,
        labels: NDArray[Any] | None,
        origin: str = "",
        source: LayoutSource | None = None,
    ) -> None:
        """Give a region a layout: label image, (tile, tile); None for no layout."""
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
        item.cells, item.layout_text = 0, ""
        if item.layout is not None:
            item.cells = int(np.count_nonzero(np.unique(item.layout)))
            item.layout_text = str(describe(item.layout, self.settings.model.mpp))

    def change_tile(self, item: RegionItem, before: int, after: int) -> None:
        """Put a layout aside that is for tiles of another size; take back what fits."""
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
