"""Invented layouts: from a recipe, as variations, and from stamps of nuclei."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.inventing.recipe import LARGEST_SEED, Recipe
from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.studio.cells.classes import CellClasses
from napari_pixcell.studio.cells.layouts import SECTION, Layouts
from napari_pixcell.studio.cells.search import Combined, put_beside
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.regions.geometry import AREA_KINDS
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.regions.regions import Regions
from napari_pixcell.studio.settings import Settings
from napari_pixcell.studio.tasks import Task, Tasks

if TYPE_CHECKING:
    from napari_pixcell.cells.inventing.stamps import StampLibrary
    from napari_pixcell.cells.inventing.varying import Varied

T = TypeVar("T")
BUNDLED = 0  # number of the bundled stamps; those of a region's layout have its number


@dataclass(eq=False, kw_only=True)
class InventTask(Task):
    """Cells that are invented, varied, measured or cut out as stamps."""

    section: str = SECTION

    def sentence(self) -> str:
        if not self.done:
            return f"{self.message}…"
        return f"{self.message}… {self.done:,} of {self.total:,} cells"


@dataclass(eq=False)
class Invention:
    """Invents cells for regions."""

    regions: Regions
    layouts: Layouts
    classes: CellClasses
    settings: Settings
    tasks: Tasks
    notices: Notices

    def __post_init__(self) -> None:
        self.recipe = Recipe()  # recipe of the next layout; its seed is advanced with each one
        # Region whose nuclei are the stamps; ``BUNDLED`` for the bundled ones
        self.stamps_of = BUNDLED
        self.stamps: StampLibrary | None = None  # nuclei to stamp with, once they are read

    @property
    def task(self) -> InventTask | None:
        return next(iter(self.tasks.of(InventTask)), None)

    @property
    def busy(self) -> bool:
        return self.task is not None

    def cancel(self) -> bool:
        """Stop at once, and keep the layout; True if anything was stopped."""
        stopped = False
        while (task := self.task) is not None:
            self.tasks.drop(task)
            stopped = True
        return stopped

    def change(self, **values: Any) -> None:
        with self.notices.reporting(SECTION):
            self.recipe = replace(self.recipe, **values)
            self.notices.changed.emit()

    def invent(self) -> None:
        """Invent the cells of the active region, or of its marked area.

        They replace the cells there, or are added with ``settings.keep_cells``. If the model knows
        classes, they have those of the recipe, or else the picked one.
        """
        item, recipe = self.regions.active, self.classes.recipe(self.recipe)
        chosen = self.recipe
        if item is None or self.busy or item.layout_busy:
            return
        mpp, size, density, part = self.settings.model.mpp, item.size, _density(item), item.part
        keep = "existing" if self.settings.keep_cells else "replace"
        before = item.whole_layout if part is not None or self.settings.keep_cells else None
        if before is not None:  # it may be painted on meanwhile
            before = replace(before, labels=before.labels.copy())

        def work(report: Callable[[int, int], None]) -> tuple[Combined, str]:
            from napari_pixcell.cells.inventing.invent import invent

            invented = invent(recipe, size, mpp, density_map=density, on_progress=report)
            made = put_beside(invented.labels, before, part, keep, invented.classes)
            left = f" {made.dropped:,} of them gave way to cells that stay." if made.dropped else ""
            return made, f"{invented}{left} (seed {recipe.seed})"

        def done(outcome: tuple[Combined, str]) -> None:
            made, words = outcome
            if self.regions.has(item) and item.size == size:
                painted = PackedArray.pack(density).to_dict() if density is not None else None
                how = recipe.to_dict()
                source = made.source(LayoutSource("invented", recipe=how, density_map=painted))
                origin = made.origin("invented")
                self.layouts.set(item.number, made.labels, origin, source, made.classes)
                self.notices.note(SECTION, words)
            if self.recipe == chosen:
                self.recipe = _with_next_seed(chosen)

        self._run("Inventing", work, done)

    def measure_like(self, number: int) -> None:
        """Set the recipe to the statistics of a region's layout, its classes included."""
        item = self.regions.get(number)
        if item is None or item.layout is None:
            return
        labels, mpp, name = item.layout, self.settings.model.mpp, item.name
        shares = self.classes.shares(item)

        def work(_report: Callable[[int, int], None]) -> Recipe:
            from napari_pixcell.cells.inventing.measuring import measure

            return replace(measure(labels, mpp, self.recipe.seed), classes=shares)

        def done(recipe: Recipe) -> None:
            self.recipe = recipe
            self.notices.note(SECTION, f"The numbers are those of {name}. Press “Invent cells”.")

        self._run("Measuring", work, done)

    def vary(self, jitter_um: float = 2.0, drop: float = 0.1, add: float = 0.1) -> None:
        """Vary the active region's layout: shift cells slightly, drop some, add some.

        Parameters
        ----------
        jitter_um : float
            Shift of cells, in µm.
        drop, add : float
            Fractions of cells to drop and to add, 0 to 1.
        """
        item = self.regions.active
        if item is None or item.layout is None or self.busy:
            return
        whole, mpp, seed = item.whole_layout, self.settings.model.mpp, self.recipe.seed
        assert whole is not None
        picked = self.classes.picked

        def work(report: Callable[[int, int], None]) -> Varied:
            from napari_pixcell.cells.inventing.varying import vary

            return vary(whole.labels, mpp, seed, jitter_um, drop, add, report)

        def classes(varied: Varied) -> dict[int, str]:
            """Return the classes of the cells that were there, and of those that were added."""
            highest = int(whole.labels.max(initial=0))
            there = {label: name for label, name in whole.classes.items() if label <= highest}
            added = range(highest + 1, int(varied.labels.max(initial=0)) + 1)
            return there | (dict.fromkeys(added, picked) if picked else {})

        def done(varied: Varied) -> None:
            if item.layout is whole.labels:
                origin = whole.origin.removesuffix(", varied") + ", varied"
                source = replace(whole.source or LayoutSource("painted"), edited=True)
                self.layouts.set(item.number, varied.labels, origin, source, classes(varied))
                self.notices.note(SECTION, f"{varied} (seed {seed})")
            self.recipe = _with_next_seed(replace(self.recipe, seed=seed))

        self._run("Varying", work, done)

    def use_stamps(self, number: int) -> None:
        """Stamp with the nuclei of a region's layout, or with the bundled ones."""
        item, mpp = self.regions.get(number), self.settings.model.mpp
        labels = item.layout if item is not None else None
        name = item.name if item is not None else ""

        def work(_report: Callable[[int, int], None]) -> StampLibrary:
            from napari_pixcell.cells.inventing.stamps import StampLibrary, default_library

            if labels is None:
                return default_library()
            return StampLibrary.from_layout(labels, mpp, name)

        def done(library: StampLibrary) -> None:
            self.stamps, self.stamps_of = library, number if labels is not None else BUNDLED

        self._run("Reading the nuclei", work, done)

    def _run(
        self,
        message: str,
        work: Callable[[Callable[[int, int], None]], T],
        done: Callable[[T], None],
    ) -> None:
        task = self.tasks.start(InventTask(message=message))
        report = self.tasks.reporter(task)
        self.tasks.compute(task, lambda: work(report), done)


def _with_next_seed(recipe: Recipe) -> Recipe:
    return replace(recipe, seed=(recipe.seed + 1) % (LARGEST_SEED + 1))


def _density(item: RegionItem) -> NDArray[np.float64] | None:
    """Return the painted density factors of the area; None if nothing is painted."""
    if item.area is None or not item.area.any():
        return None
    factors = np.zeros(256)
    for kind, (_, factor) in AREA_KINDS.items():
        factors[kind] = factor
    return factors[item.area]
