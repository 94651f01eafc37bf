"""Classes of cells, for models that draw them apart: the picked one, and those of the layouts."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from psygnal import Signal

from napari_pixcell.cells.class_map import UNCLASSED, ClassMap, Palette
from napari_pixcell.cells.inventing.recipe import Recipe
from napari_pixcell.cells.layout import areas
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.cells.layouts import COUNTED_AT_ONCE, Layouts
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.regions.regions import Regions
from napari_pixcell.studio.settings import Settings
from napari_pixcell.words import counted

log = logging.getLogger(__name__)

HOW = "Click a cell and its class, or set all."
LONGEST = 14  # characters of a class in a message of two lines


@dataclass(frozen=True)
class ClassChange:
    """Another class of some cells of a region's layout, by label; "" stands for none."""

    number: int  # of the region
    before: dict[int, str]
    after: dict[int, str]


@dataclass(eq=False)
class CellClasses:
    """The classes of cells in all layouts, and the one that new cells are given."""

    changed = Signal(object, object)  # (RegionItem, dict): cells have these classes now, by label
    repicked = Signal()  # new cells are given another class
    recorded = Signal(object)  # (ClassChange): the user made it, and may undo it

    regions: Regions
    layouts: Layouts
    settings: Settings
    background: Background
    notices: Notices

    def __post_init__(self) -> None:
        self._picked: str | None = None
        self._counts: dict[int, Counter[str]] = {}  # cells of each class, by region
        self.layouts.counted.connect(self._count)
        self.layouts.changed.connect(self._forget)
        self.settings.events.family.connect(self._count_all, max_args=0)

    # -- the model's classes -----------------------------------------------------------------

    @property
    def palette(self) -> Palette:
        """Names and colours of the model's classes; empty if it does not tell cells apart."""
        family = self.settings.model
        return family.palette if family.takes_layout else ()

    @property
    def picked(self) -> str:
        """The class of new cells; "" for none."""
        names = [name for name, _ in self.palette]
        if self._picked in names:
            return self._picked or UNCLASSED
        return names[0] if names else UNCLASSED

    @property
    def chosen(self) -> str | None:
        """The class that was picked, for any model; None before the first time."""
        return self._picked

    def pick(self, name: str) -> None:
        """Give new cells this class from now on."""
        self._picked = name
        self.repicked.emit()
        self.notices.changed.emit()

    def recipe(self, recipe: Recipe) -> Recipe:
        """Return a recipe whose cells have classes of the model: its own, or else the picked."""
        names = [name for name, _ in self.palette if name]
        if not names:
            return recipe
        known = tuple((name, share) for name, share in recipe.classes if name in names and share)
        return replace(recipe, classes=known or (((self.picked, 1.0),) if self.picked else ()))

    # -- the cells ---------------------------------------------------------------------------

    def of(self, item: RegionItem, label: int) -> str:
        """Return the class of a cell, if the model knows it, else ""."""
        name = item.classes.get(label, UNCLASSED)
        return name if name in dict(self.palette) else UNCLASSED

    def known(self, item: RegionItem) -> dict[int, str]:
        """Return the classes of cells that the model knows, by label."""
        names = {name for name, _ in self.palette if name}
        return {label: name for label, name in item.classes.items() if name in names}

    def map_of(self, item: RegionItem) -> ClassMap | None:
        """Return the classes of a layout as the model sees them; None if it knows no classes."""
        palette = self.palette
        return ClassMap.of(palette, self.known(item)) if palette else None

    def add(self, item: RegionItem, label: int, parent: int = 0) -> None:
        """Give a new cell the picked class, or that of the cell that it was cut from."""
        name = item.classes.get(parent, UNCLASSED) if parent else self.picked
        if name:
            item.classes[label] = name
            self.changed.emit(item, {label: name})

    def set(self, number: int, labels: Iterable[int], name: str) -> None:
        """Give cells of a region another class, which can be undone."""
        item = self.regions.get(number)
        if item is None or item.layout is None:
            return
        before = {label: item.classes.get(label, UNCLASSED) for label in labels}
        before = {label: earlier for label, earlier in before.items() if earlier != name}
        if before:
            change = ClassChange(number, before, dict.fromkeys(before, name))
            self.apply(number, change.after)
            self.recorded.emit(change)

    def apply(self, number: int, classes: Mapping[int, str]) -> None:
        """Give cells these classes, by label; to do, undo and redo a change."""
        item = self.regions.get(number)
        if item is None:
            return
        for label, name in classes.items():
            if name:
                item.classes[label] = name
            else:
                item.classes.pop(label, None)
        self.layouts.edited(number)
        self.changed.emit(item, classes)

    def fill(self, number: int) -> None:
        """Give the picked class to all cells whose class the model does not know."""
        item = self.regions.get(number)
        if item is None or item.layout is None or not self.picked:
            return
        known = self.known(item)
        labels = (int(label) for label in areas(item.layout)[0] if label not in known)
        self.set(number, labels, self.picked)

    def why_not_fill(self, item: RegionItem | None) -> str:
        """Return why :meth:`fill` does nothing; empty if it does."""
        counts = self._counts.get(item.number) if item is not None else None
        if not counts:
            return "There are no cells"
        if not self.picked:
            return "Pick a class first"
        known = {name for name, _ in self.palette if name}
        return "All cells have a class" if set(counts) <= known else ""

    def sentence(self, item: RegionItem | None) -> str:
        """Return how the model sees the cells of a layout that have none of its classes."""
        counts, palette = self._counts.get(item.number) if item is not None else None, self.palette
        if not counts or not palette:
            return ""
        names = [name for name, _ in palette]
        unknown = Counter({n: count for n, count in counts.items() if n and n not in names})
        if unknown:
            name, count = unknown.most_common(1)[0]
            have = "has" if count == 1 else "have"
            short = name if len(name) <= LONGEST else f"{name[:LONGEST]}…"
            words = f"{counted(count, 'cell')} {have} the class “{short}”, which the model lacks."
            return f"{words} {HOW}"
        without = counts[UNCLASSED]
        if not without:
            return f"{counted(counts.total(), 'cell')}, all with a class."
        have, are = ("has", "is") if without == 1 else ("have", "are")
        usual = "as the first class" if UNCLASSED not in names else "white"
        return f"{counted(without, 'cell')} {have} no class and {are} drawn {usual}. {HOW}"

    def count(self, item: RegionItem | None, name: str) -> int:
        """Return how many cells of a layout have a class, "" for none."""
        return self._counts[item.number][name] if item and item.number in self._counts else 0

    def shares(self, item: RegionItem) -> tuple[tuple[str, float], ...]:
        """Return the classes of a layout that the model knows, with their numbers of cells."""
        counts, names = self._counts.get(item.number, Counter()), [n for n, _ in self.palette if n]
        return tuple((name, float(counts[name])) for name in names if counts[name])

    def _forget(self, item: RegionItem) -> None:
        if item.layout is None:
            self._counts.pop(item.number, None)

    def _count_all(self) -> None:
        for item in self.regions.items.values():
            self._count(item)

    def _count(self, item: RegionItem) -> None:
        """Count the cells of each class: in a thread if that would block the window."""
        labels, classes = item.layout, dict(item.classes)
        if labels is None or not self.palette:
            self._counts.pop(item.number, None)
            return

        def work() -> Counter[str]:
            return Counter(classes.get(label, UNCLASSED) for label in areas(labels)[0].tolist())

        def take(counts: Counter[str]) -> None:
            if item.layout is labels:
                self._counts[item.number] = counts
                self.notices.changed.emit()

        if labels.size <= COUNTED_AT_ONCE:
            take(work())
        else:
            self.background.compute(work, take, log.warning)
