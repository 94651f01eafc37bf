"""The regions of a session: adding, moving, removing and fitting them to the model."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

from psygnal import Signal

from napari_pixcell.engine.requests import enlarged_as, snap
from napari_pixcell.engine.tissue import size_at
from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.region import Region
from napari_pixcell.studio.cells.layout import Cells
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.regions.geometry import same_size
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.settings import Settings
from napari_pixcell.studio.slides import Slides
from napari_pixcell.studio.styles.choice import StyleChoice

SECTION = "region"
BESIDE = 0.25  # of a tile between a new region and the one that lies at its place


@dataclass(eq=False)
class Regions:
    """The regions of all slides of a session, and which of them is active.

    Layouts and embeddings follow through the signals; nothing of them is known here.
    """

    changed = Signal()  # regions were added, removed, moved, renamed or activated
    added = Signal(object)  # (RegionItem): a region was drawn
    # (RegionItem, Region, bool): a region was moved from an earlier box; False during a drag
    moved = Signal(object, object, bool)
    # (RegionItem, tuple): a region has another size for another family; (height, width) before
    refitted = Signal(object, object)
    fitted = Signal()  # all regions of the current slide were fitted to the family
    removed = Signal(object)  # (RegionItem): a region was removed
    # (RegionItem, Cells or None): a removed region came back, with its layout
    restored = Signal(object, object)

    slides: Slides
    settings: Settings
    notices: Notices

    def __post_init__(self) -> None:
        self.items: dict[int, RegionItem] = {}  # of all slides, by number
        self._active: dict[str, int] = {}
        self._numbers = itertools.count(1)
        # What undo_remove brings back: regions with their layouts
        self.last_removed: list[tuple[RegionItem, Cells | None]] = []

    def why_not(self) -> str:
        return self.slides.why_not()

    @property
    def current(self) -> list[RegionItem]:
        return self.of_slide(self.slides.key)

    def of_slide(self, key: str) -> list[RegionItem]:
        return [item for item in self.items.values() if item.slide == key]

    @property
    def active(self) -> RegionItem | None:
        return self.items.get(self.active_on(self.slides.key))

    def active_on(self, key: str) -> int:
        """Return the number of the active region of a slide; 0 for none."""
        return self._active.get(key, 0)

    def get(self, number: int) -> RegionItem | None:
        return self.items.get(number)

    def has(self, item: RegionItem) -> bool:
        return self.items.get(item.number) is item

    def corrupt_note(self) -> str:
        slide = self.slides.current
        if slide is None:
            return ""
        here = slide.corrupt_note(self.active.region) if self.active is not None else ""
        return str(here or slide.corrupt_note())

    def activate(self, number: int) -> None:
        if number in self.items and self._active.get(self.slides.key) != number:
            self._active[self.slides.key] = number
            self._emit()

    def add(self, centre: tuple[float, float]) -> RegionItem | None:
        """Add a region of one tile about ``centre`` (x, y) in level-0 pixels, and embed it.

        If a region lies there already, it is moved aside.
        """
        box = Region(*centre, 0, 0)
        with self.notices.reporting(SECTION):
            box = self._beside_others(box)
        return self.draw(box)

    def _beside_others(self, box: Region) -> Region:
        taken = [item.region for item in self.current]
        place = self._snapped(box)
        step = place.width * BESIDE
        for down, across in itertools.product(range(5), range(5)):
            moved = replace(box, x=box.x + across * step, y=box.y + down * step)
            if self._snapped(moved) not in taken:
                return moved
        return box

    def draw(self, box: Region) -> RegionItem | None:
        """Add the region that is meant by a box in level-0 pixels, and embed it."""
        with self.notices.reporting(SECTION):
            region, number = self._snapped(box), next(self._numbers)
            item = RegionItem(
                number,
                f"Region {number}",
                self.slides.key,
                region,
                StyleChoice.of(number),
                self.settings.family,
                region,
                self._size(region),
            )
            self.items[number] = item
            self._active[self.slides.key] = number
            self._emit()
            self.added.emit(item)
            return item
        return None

    def move(self, number: int, region: Region, settled: bool = True) -> None:
        """Move or resize a region; its embedding is computed anew.

        Its layout moves with it. After a change of size alone, the cells stay where they are on
        the slide: the layout is cropped, or gets empty margins.

        Parameters
        ----------
        number : int
            Number of the region.
        region : Region
            Its new box, in level-0 pixels.
        settled : bool
            False during a drag: nothing is embedded until it ends.
        """
        item = self.items[number]
        before = item.region
        with self.notices.reporting(SECTION):
            place = self._snapped(region, same_size(region, before))
            if place != before:
                kept = same_size(place, before)
                item.drawn = enlarged_as(item.drawn, before, place) if kept else place
                item.region, item.size = place, self._size(place)
                self.moved.emit(item, before, settled)
        self._emit()

    def rename(self, number: int, name: str) -> None:
        """Rename a region; an empty name changes nothing."""
        self.items[number].name = name.strip() or self.items[number].name
        self._emit()

    def remove(self, *numbers: int) -> None:
        """Remove regions with their styles and layouts; their results stay.

        :meth:`undo_remove` brings those of the last call back.
        """
        items = [self.items[number] for number in numbers if number in self.items]
        if not items:
            return
        self.last_removed = [(item, item.whole_layout) for item in items]
        for item in items:
            del self.items[item.number]
            item.layout = None
            self.removed.emit(item)
        what = f"{items[0].name} was" if len(items) == 1 else f"{len(items)} regions were"
        self.notices.note(SECTION, f"{what} removed.")
        left = self.current
        self._active[self.slides.key] = left[-1].number if left else 0
        self._emit()

    def undo_remove(self) -> None:
        """Bring the regions that were removed last back, if their slide is open."""
        if not self.last_removed or self.last_removed[0][0].slide != self.slides.key:
            return
        removed, self.last_removed = self.last_removed, []
        for item, _ in removed:
            self.items[item.number] = item
        self._active[self.slides.key] = removed[-1][0].number
        self.notices.say(SECTION, "")
        self.changed.emit()
        for item, layout in removed:
            self.restored.emit(item, layout)
        self.fit()  # another family may be selected by now
        self.notices.changed.emit()

    def put_in(self, items: list[RegionItem], active: int, free: int) -> None:
        """Add regions of an opened session as they are.

        Parameters
        ----------
        items : list of RegionItem
            With numbers that are not taken.
        active : int
            Number of the one to activate, where it is known.
        free : int
            First number for regions to come.
        """
        self._numbers = itertools.count(free)
        self.items.update({item.number: item for item in items})
        if active in self.items:
            self._active[self.slides.key] = active
        self.changed.emit()

    def fit(self) -> None:
        """Fit the current slide's regions to the family: each is at least one tile."""
        if not self.slides.ready:
            return
        family, changed = self.settings.model, False
        self.notices.problems.pop(SECTION, None)
        for item in self.current:
            if item.family == family.name:
                continue
            with self.notices.reporting(SECTION):
                region = self._snapped(item.drawn)
                changed = True
                item.family, item.region = family.name, region
                before, item.size = item.size, self._size(region)
                self.refitted.emit(item, before)
        self.fitted.emit()
        if changed:
            self.changed.emit()

    def _size(self, region: Region) -> tuple[int, int]:
        return size_at(region, self.slides.current.mpp, self.settings.model)

    def _snapped(self, region: Region, moved: bool = False) -> Region:
        slide = self.slides.current
        if slide is None:
            raise PixCellError("No slide is open. Open one first.")
        if slide.mpp is None:
            raise PixCellError("The pixel size is unknown. Set it at the top of the dock.")
        return snap(region, slide.shape, slide.mpp, self.settings.model, moved)

    def _emit(self) -> None:
        self.changed.emit()
        self.notices.changed.emit()
