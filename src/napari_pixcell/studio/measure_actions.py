"""What a session does to measure IHC."""

from __future__ import annotations

import math
from typing import Any

from numpy.typing import NDArray

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.families import get_family
from napari_pixcell.studio.cells.finding import LARGEST_SEARCH
from napari_pixcell.studio.measures import SECTION, Measures, Place
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.results.gallery import Gallery
from napari_pixcell.studio.results.results import Result
from napari_pixcell.studio.similar_actions import SimilarActions


class MeasureActions(SimilarActions):
    """The part of a :class:`~napari_pixcell.studio.session.Session` that measures IHC.

    Attributes
    ----------
    measures : Measures
        What was measured.
    """

    gallery: Gallery
    measures: Measures

    def why_not_measure(self) -> str:
        """Say why the active region's tissue cannot be measured now; empty if it can."""
        item = self.active
        if not self.ready:
            return "Open a slide whose pixel size is known first"
        if item is None:
            return "Add a region first: its tissue is what is measured"
        if item.layout_busy:
            return "Segmenting nuclei…"
        return ""

    def why_not_measure_variant(self) -> str:
        """Say why no variant can be measured now; empty if it can."""
        return "" if self.seen_variant is not None else "Show a variant of this region first"

    @property
    def seen_variant(self) -> Result | None:
        """The variant of the active region that is seen."""
        item = self.active
        if item is None:
            return None
        return next((r for r in self.gallery.of_region(item.number) if r.shown), None)

    def measure(self, result: Result | None = None) -> None:
        """Measure a variant, or the active region's own tissue.

        Nuclei are those of the region's layout, or of the layout that the variant was made from;
        where there is none, they are looked for in the picture.
        """
        with self.reporting(SECTION):
            if result is not None:
                self._measure_variant(result)
            elif not self.why_not_measure():
                self.layout_wanted.emit()  # what is painted by now
                item = self.active
                assert item is not None
                self._measure_tissue(item)

    def _measure_tissue(self, item: RegionItem) -> None:
        slide, region, mpp = self.slide, item.region, self.settings.model.mpp
        self._check_size(region.shape_at(slide.mpp, mpp))
        own = item.layout if item.cells else None
        place = Place(f"{item.name} · tissue", item.number, item.slide, region, slide.mpp)
        # A copy: the layer may be painted on while its cells are measured, and afterwards.
        layout = None if own is None else own.copy()
        self.measures.measure(place, mpp, lambda: slide.read(region, mpp), layout, own)

    def _measure_variant(self, result: Result) -> None:
        target = result.target
        self._check_size(target.size)
        place = Place(result.name, target.number, target.slide, target.region, target.mpp)
        mpp = get_family(result.record.request.family).mpp
        layout: NDArray[Any] | None = result.labels
        if layout is not None and not layout.any():
            layout = None
        self.measures.measure(place, mpp, lambda: result.image, layout)

    def _check_size(self, size: tuple[int, int]) -> None:
        if math.prod(size) > LARGEST_SEARCH:
            side = math.isqrt(LARGEST_SEARCH)
            raise PixCellError(
                f"At most {side} × {side} px are measured at once; choose a smaller region."
            )
