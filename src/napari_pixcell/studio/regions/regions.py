"""What a session does with regions and their styles."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_pixcell.engine.events import Event, Failure, is_last
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.tissue import size_at
from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.region import Region
from napari_pixcell.studio.cells.inventing import InventActions
from napari_pixcell.studio.regions.item import Cells, RegionItem, enlarged_as, snap
from napari_pixcell.studio.styles.choice import StyleChoice
from napari_pixcell.studio.styles.embedder import Embedder


class RegionActions(InventActions):
    """The region and style part of a :class:`~napari_pixcell.studio.session.Session`."""

    regions_changed = Signal()

    embedder: Embedder

    def __init__(self) -> None:
        super().__init__()
        self.slide: Any = None
        self.slide_key = ""
        self.not_here: list[str] = []
        self._items: dict[int, RegionItem] = {}
        self._active: dict[str, int] = {}
        self._numbers = itertools.count(1)
        # The region that was removed last, and its layout.
        self.removed: tuple[RegionItem, Cells | None] | None = None

    @property
    def ready(self) -> bool:
        """Whether there is a slide whose pixel size is known."""
        return self.slide is not None and self.slide.mpp is not None

    def why_no_region(self) -> str:
        """Say why no region can be added now; empty if one can."""
        if self.slide is None:
            return "Open a slide first"
        return "" if self.ready else "Set the pixel size first"

    @property
    def regions(self) -> list[RegionItem]:
        """Regions of the current slide, oldest first."""
        return [item for item in self._items.values() if item.slide == self.slide_key]

    @property
    def active(self) -> RegionItem | None:
        """The region that everything below the Region section is about."""
        return self._items.get(self._active.get(self.slide_key, 0))

    def item(self, number: int) -> RegionItem | None:
        """Look a region up by its number."""
        return self._items.get(number)

    def activate(self, number: int) -> None:
        """Choose a region of the current slide."""
        if number in self._items and self._active.get(self.slide_key) != number:
            self._active[self.slide_key] = number
            self.regions_changed.emit()
            self.changed.emit()

    def add_region(self, centre: tuple[float, float]) -> RegionItem | None:
        """Add a tile-sized region about ``centre`` (x, y), in level-0 pixels, and embed it."""
        return self.draw_region(Region(*centre, 0, 0))

    def draw_region(self, box: Region) -> RegionItem | None:
        """Add the region that is meant by a box in level-0 pixels, and embed it."""
        with self.reporting("region"):
            place = self._snapped(box)
            number = next(self._numbers)
            name, family = f"Region {number}", self.settings.family
            size = size_at(place, self.slide.mpp, self.settings.model)
            style = StyleChoice.of(number)
            item = RegionItem(number, name, self.slide_key, place, style, family, place, size)
            self._items[number] = item
            self._active[self.slide_key] = number
            self.regions_changed.emit()
            self.changed.emit()
            if not self.not_here:
                self.embed(number)
            self.cut_cells(item)
            return item
        return None

    def move_region(self, number: int, region: Region, embed: bool = True) -> None:
        """Give a region another place or size; its embedding is made anew.

        Its layout moves with it. Where only the size is another, the cells stay where they are
        on the slide: the layout is cut, or gets empty margins.
        """
        item = self._items[number]
        before = item.region
        moved = _same_size(region, before)
        with self.reporting("region"):
            place = self._snapped(region, moved)
            if place != before:
                same_size = _same_size(place, before)
                item.drawn = enlarged_as(item.drawn, before, place) if same_size else place
                item.region = place
                item.size = size_at(place, self.slide.mpp, self.settings.model)
                self._forget_style(item)
                if item.layout_origin.startswith("segmented") and "moved" not in item.layout_origin:
                    item.layout_origin += " before the region was moved"
                if item.layout is not None and item.layout.shape != item.size:
                    scale = self.slide.mpp / self.settings.model.mpp
                    shift = (before.y - place.y) * scale, (before.x - place.x) * scale
                    self.resize_layout(item, (round(shift[0]), round(shift[1])))
                self.follow_cells(item)
                item.embedding_busy = True  # or soon: a drag waits for its end
                if embed:
                    self.embed(number)
        self.regions_changed.emit()
        self.changed.emit()

    def rename_region(self, number: int, name: str) -> None:
        """Call a region something else."""
        self._items[number].name = name.strip() or self._items[number].name
        self.regions_changed.emit()
        self.changed.emit()

    def remove_region(self, number: int) -> None:
        """Take a region away with its style and layout; its results stay.

        :meth:`undo_remove_region` brings the last one back.
        """
        item = self._items.pop(number, None)
        if item is None:
            return
        self.removed = item, item.whole_layout
        item.layout = None
        self._forget_style(item)
        self.stop_finding(item)
        self.layout_changed.emit(item)
        self.note("region", f"{item.name} was removed.")
        self.keep_styles()
        left = self.regions
        self._active[self.slide_key] = left[-1].number if left else 0
        self.regions_changed.emit()
        self.changed.emit()

    def undo_remove_region(self) -> None:
        """Bring the region back that was removed last, if its slide is open."""
        if self.removed is None or self.removed[0].slide != self.slide_key:
            return
        (item, layout), self.removed = self.removed, None
        self._items[item.number] = item
        self._active[self.slide_key] = item.number
        self.say("region", "")
        self.regions_changed.emit()
        if layout is not None:
            self._take(item, layout)
        self._fit_regions()  # another family may have been chosen; and it needs its embedding
        self.changed.emit()

    def _snapped(self, region: Region, moved: bool = False) -> Region:
        if self.slide is None:
            raise PixCellError("There is no slide yet; open one first.")
        if self.slide.mpp is None:
            raise PixCellError("The pixel size is not known yet; set it in the Slide section.")
        return snap(region, self.slide.shape, self.slide.mpp, self.settings.model, moved)

    def _fit_regions(self) -> None:
        """Fit the current slide's regions to the family: at least its tile, and its embedding."""
        if not self.ready:
            return
        model, changed = self.settings.model, False
        self.problems.pop("region", None)
        for item in self.regions:
            if item.family == model.name:
                if item.embedding is None and not (item.embedding_busy or self.not_here):
                    self.embed(item.number)  # the model came after the region
                continue
            with self.reporting("region"):
                place = self._snapped(item.drawn)
                changed = True
                self._forget_style(item)
                item.family, item.region = model.name, place
                before, item.size = item.size, size_at(place, self.slide.mpp, model)
                self.change_size(item, before, item.size)
                if item.layout is None:
                    self.cut_cells(item)
                if not self.not_here:
                    self.embed(item.number)
        if changed:
            self.regions_changed.emit()

    # -- style ---------------------------------------------------------------------------

    def keep_styles(self) -> None:
        """Let go of styles that regions look like but that are not there any more."""
        raise NotImplementedError

    def _forget_style(self, item: RegionItem) -> None:
        """Let go of what belongs to the place that a region had."""
        if item.embedding_job is not None:
            self.embedder.cancel(item.embedding_job)
        item.pixels, item.embedding, item.embedding_job = None, None, None
        item.embedding_busy = False

    def embed(self, number: int) -> None:
        """Read a region and give it its embedding: the stored one, or a computed one."""
        item, family = self._items[number], self.settings.model
        self._forget_style(item)
        if item.slide != self.slide_key:
            return  # the slide was changed since it was asked for; it is done when that is back
        item.embedding_busy = True
        self.say("style", "")

        def current() -> bool:
            return item.embedding_job is job  # else it was moved, or another is under way

        def on_pixels(pixels: NDArray[np.uint8]) -> None:
            if item.region == place and item.family == family.name:
                item.pixels = pixels
                self.changed.emit()

        def ended(message: str = "") -> None:
            item.embedding_busy, item.embedding_job = False, None
            if message:
                self.problems["style"] = message
            self.changed.emit()

        def failed(message: str) -> None:
            if current():
                ended(message)

        def on_style(style: PackedArray, stored: bool) -> None:
            if current():
                item.embedding, item.embedding_stored = style, stored

        def on_event(event: Event) -> None:
            if current() and is_last(event):
                ended(event.message if isinstance(event, Failure) else "")
            elif current():
                self.changed.emit()

        place = item.region
        job = self.embedder.embed(self.slide, place, family, on_pixels, on_style, on_event, failed)
        item.embedding_job = job

    def forget_styles(self) -> None:
        """Remove the computed styles from the cache; saved ones, and the regions', stay."""

        def done(left: int) -> None:
            for item in self._items.values():
                item.embedding_stored = False
            if left:
                self.say("style", "Not all stored styles could be removed; check the cache folder.")
            else:
                self.note("style", "Computed styles were forgotten; saved ones stay.")

        self.embedder.clear(done)


def _same_size(a: Region, b: Region) -> bool:
    """Whether a box was moved, not resized; napari keeps its corners as they were drawn."""
    return abs(a.width - b.width) < 0.5 and abs(a.height - b.height) < 0.5
