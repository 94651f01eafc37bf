"""What a session does to find the cells of a region."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.segmenters import segmenter_file
from napari_pixcell.studio.layouts import LayoutActions
from napari_pixcell.studio.regions import Cells
from napari_pixcell.studio.segmenting import Segmenter

LARGEST_SEARCH = 8192**2  # px in which cells are looked for at once: more takes too much memory


class FindActions(LayoutActions):
    """The part of a :class:`~napari_pixcell.studio.session.Session` that finds cells."""

    segmenter: Segmenter
    no_segmenting = ""

    def segment(self) -> None:
        """Find the nuclei in the active region, by the method that the settings name.

        They become the layout of this region whatever is chosen later.
        """
        item, family = self.active, self.settings.model
        self.check_segmenter()
        if item is None or item.layout_busy or self.no_segmenting:
            return
        if math.prod(item.size) > LARGEST_SEARCH:
            side = math.isqrt(LARGEST_SEARCH)
            self.say(
                "layout",
                f"Cells are looked for in at most {side} × {side} px at once; choose a smaller "
                "region, or import a mask for this one.",
            )
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
                if labels.shape == item.size:
                    self.set_layout(item.number, labels, origin, source)
                elif item.family != family.name:  # it waits until the region has this size again
                    item.shelved[labels.shape] = Cells(labels, origin, source)
                else:
                    self.say(
                        "layout",
                        "The region was given another size while its cells were looked for; "
                        "press “Segment nuclei” again.",
                    )

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
