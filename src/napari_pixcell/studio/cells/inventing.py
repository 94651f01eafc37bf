"""What a session does to invent cells: layouts by numbers, variations, and stamps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.inventing.recipe import LARGEST_SEED, Recipe
from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.studio.cells.importing import ImportActions
from napari_pixcell.studio.cells.making import Making, Stopped
from napari_pixcell.studio.cells.search import Combined, put_beside
from napari_pixcell.studio.regions.item import AREA_KINDS, RegionItem

if TYPE_CHECKING:
    from napari_pixcell.cells.inventing.stamps import StampLibrary
    from napari_pixcell.cells.inventing.varying import Varied

T = TypeVar("T")
BUNDLED = 0  # number of the bundled stamps; those of a region's layout have its number


class InventActions(ImportActions):
    """The part of a :class:`~napari_pixcell.studio.session.Session` that invents cells.

    Attributes
    ----------
    recipe : Recipe
        Of the next layout; its seed moves on with each.
    stamps_of : int
        Region whose nuclei are the stamps; ``BUNDLED`` for the bundled ones.
    """

    def __init__(self) -> None:
        super().__init__()
        self.recipe = Recipe()
        self._makings: list[Making] = []
        self.stamps_of = BUNDLED
        self.stamps: StampLibrary | None = None

    @property
    def inventing(self) -> bool:
        """Whether something is being made."""
        return bool(self._makings)

    @property
    def making(self) -> Making | None:
        """The layout, measurement or library of stamps that is being made."""
        return self._makings[0] if self._makings else None

    def cancel_inventing(self) -> None:
        """Stop what is being made; the layout stays as it is."""
        for making in self._makings:
            making.cancelled = True
        self._makings = []
        self.changed.emit()

    def change_recipe(self, **values: Any) -> None:
        """Change some numbers of the recipe."""
        with self.reporting("layout"):
            self.recipe = replace(self.recipe, **values)
            self.changed.emit()

    def invent(self) -> None:
        """Give the active region invented cells: in its marked part, or all over it.

        Cells that are there go, those of the part where one is marked; or they stay if
        ``settings.keep_cells`` says so.
        """
        item, recipe = self.active, self.recipe
        if item is None or self.inventing or item.layout_busy:
            return
        mpp, size, density, part = self.settings.model.mpp, item.size, _density(item), item.part
        keep = "existing" if self.settings.keep_cells else "replace"
        before = item.whole_layout if part is not None or self.settings.keep_cells else None
        if before is not None:  # it may be painted on meanwhile
            before = replace(before, labels=before.labels.copy())

        def work(making: Making) -> tuple[Combined, str]:
            from napari_pixcell.cells.inventing.invent import invent

            found = invent(recipe, size, mpp, density_map=density, on_progress=making.progress)
            made = put_beside(found.labels, before, part, keep, found.classes)
            left = f" {made.dropped:,} were left out for cells that stay." if made.dropped else ""
            words = f"{found}{left} (seed {recipe.seed})"
            return made, words

        def done(outcome: tuple[Combined, str]) -> None:
            made, words = outcome
            if self._items.get(item.number) is item and item.size == size:
                painted = PackedArray.pack(density).to_dict() if density is not None else None
                how = recipe.to_dict()
                invented = LayoutSource("invented", recipe=how, density_map=painted)
                source = made.source(invented)
                origin = made.origin("invented")
                self.set_layout(item.number, made.labels, origin, source, made.classes)
                self.note("layout", words)
            if self.recipe == recipe:
                self.recipe = replace(recipe, seed=(recipe.seed + 1) % (LARGEST_SEED + 1))

        self._make("Inventing", work, done)

    def measure_like(self, number: int) -> None:
        """Take the numbers of a region's layout over into the recipe."""
        item = self._items.get(number)
        if item is None or item.layout is None:
            return
        labels, mpp = item.layout, self.settings.model.mpp

        def work(making: Making) -> Recipe:
            from napari_pixcell.cells.inventing.measuring import measure

            return measure(labels, mpp, self.recipe.seed)

        def done(recipe: Recipe) -> None:
            self.recipe = recipe
            self.note("layout", f"The numbers are those of {item.name}; press “Invent”.")

        self._make("Measuring", work, done)

    def vary(self, jitter_um: float = 2.0, drop: float = 0.1, add: float = 0.1) -> None:
        """Vary the active region's layout: move cells a little, leave some out, add some.

        Parameters
        ----------
        jitter_um : float
            How far cells are moved, in µm.
        drop, add : float
            Parts of the cells that go and that come, 0 to 1.
        """
        item = self.active
        if item is None or item.layout is None or self.inventing:
            return
        whole, mpp, seed = item.whole_layout, self.settings.model.mpp, self.recipe.seed
        assert whole is not None

        def work(making: Making) -> Varied:
            from napari_pixcell.cells.inventing.varying import vary

            return vary(whole.labels, mpp, seed, jitter_um, drop, add, making.progress)

        def done(varied: Varied) -> None:
            if item.layout is whole.labels:
                origin = whole.origin.removesuffix(", varied") + ", varied"
                source = replace(whole.source or LayoutSource("painted"), edited=True)
                self.set_layout(item.number, varied.labels, origin, source, whole.classes)
                self.note("layout", f"{varied} (seed {seed})")
            self.recipe = replace(self.recipe, seed=(seed + 1) % (LARGEST_SEED + 1))

        self._make("Varying", work, done)

    def use_stamps(self, number: int) -> None:
        """Stamp with the nuclei of a region's layout, or with the bundled ones."""
        item, mpp = self._items.get(number), self.settings.model.mpp
        labels = item.layout if item is not None else None
        name = item.name if item is not None else ""

        def work(making: Making) -> StampLibrary:
            from napari_pixcell.cells.inventing.stamps import StampLibrary, default_library

            if labels is None:
                return default_library()
            return StampLibrary.from_layout(labels, mpp, name)

        def done(library: StampLibrary) -> None:
            self.stamps, self.stamps_of = library, number if labels is not None else BUNDLED

        self._make("Reading the nuclei", work, done)

    def _make(self, words: str, work: Callable[[Making], T], done: Callable[[T], None]) -> None:
        """Work in the background; nothing comes of what was cancelled meanwhile."""
        making = Making(words, lambda: self.background.post(self.changed.emit))
        self._makings.append(making)
        self.say("layout", "")

        def until_stopped() -> T | None:
            try:
                making.progress(0, 0)
                return work(making)
            except Stopped:
                return None

        def came(outcome: T | None) -> None:
            if making in self._makings:
                self._makings.remove(making)
                if outcome is not None:
                    done(outcome)
                self.changed.emit()

        def failed(message: str) -> None:
            if making in self._makings:
                self._makings.remove(making)
                self.say("layout", message)

        self.background.compute(until_stopped, came, failed)
        self.changed.emit()


def _density(item: RegionItem) -> NDArray[np.float64] | None:
    """Give how dense cells should be where the area is painted; None where it is not."""
    if item.area is None or not item.area.any():
        return None
    factors = np.zeros(256)
    for kind, (_, factor) in AREA_KINDS.items():
        factors[kind] = factor
    return factors[item.area]
