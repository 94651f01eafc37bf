"""The styles that each region imitates: one, several in shares, or none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from psygnal import Signal

from napari_pixcell.engine.canvas.plan import cells_of
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.styles.blending import as_grid
from napari_pixcell.engine.styles.library import free_name
from napari_pixcell.engine.styles.style import Style, checked_name, new_id
from napari_pixcell.engine.tissue_colours import TissueColours, mixed_colours
from napari_pixcell.errors import PixCellError
from napari_pixcell.studio.models import InstalledModels
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.regions.regions import Regions
from napari_pixcell.studio.results.results import Result
from napari_pixcell.studio.settings import Settings
from napari_pixcell.studio.styles.choice import Ref, StyleChoice
from napari_pixcell.studio.styles.ingredients import Ingredient, blended
from napari_pixcell.studio.styles.library import SECTION, Styles
from napari_pixcell.studio.tasks import Tasks

AT_ONCE = 2**19  # values that are blended while the user waits: a few milliseconds
NOT_YET = "{} is not embedded yet. Wait for it, or embed it."


@dataclass(eq=False)
class _Blend:
    """The blend for one region, and what it was made of.

    It holds the embeddings whose ids are in its key, so that no other one gets the id of an
    embedding that is gone.
    """

    key: tuple[Any, ...]
    embeddings: list[Any]
    made: PackedArray | None = None
    problem: str = ""


@dataclass(eq=False)
class RegionStyles:
    """Which styles the regions imitate, and their blends."""

    changed = Signal()  # a region was given another style

    regions: Regions
    library: Styles
    models: InstalledModels
    settings: Settings
    tasks: Tasks
    notices: Notices

    def __post_init__(self) -> None:
        self._blends: dict[int, _Blend] = {}
        self.regions.removed.connect(self.keep_existing, max_args=0)
        self.library.changed.connect(self.keep_existing)
        self.library.made.connect(self._made)

    # -- which style a region has --------------------------------------------------------

    def set(self, ref: Ref) -> None:
        """Let the active region imitate a region (number), a style (id), or ``NO_STYLE``."""
        self.choose(StyleChoice.of(ref))

    def choose(self, choice: StyleChoice) -> None:
        if self.regions.active is not None:
            self.regions.active.style = choice
            self.keep_existing()
            self.changed.emit()
            self.notices.changed.emit()

    def add_picture(self, path: Path) -> None:
        self.library.add_picture(path, self._active_number())

    def add_variant(self, result: Result) -> None:
        self.library.add_variant(result, self._active_number())

    def _active_number(self) -> int:
        return self.regions.active.number if self.regions.active is not None else 0

    def _made(self, style: Style, number: int) -> None:
        item = self.regions.get(number)
        if item is not None:
            item.style = StyleChoice.of(style.id)
            self.changed.emit()
        elif number:  # the region is gone
            self.notices.note(SECTION, f"“{style.name}” can be selected as a style now.")

    def keep_existing(self) -> None:
        """Drop styles that no longer exist from the regions that imitate them."""
        items = self.regions.items
        for item in items.values():
            kept = item.style.keeping(self._exists, item.number)
            if kept != item.style:
                item.style = kept
                own = kept.refs == (item.number,)
                names = " and ".join(one.name for one in self.ingredients(item))
                now = "its own tissue" if own else names
                self.notices.note(
                    SECTION, f"A style of {item.name} was removed. It now imitates {now}."
                )
        self._blends = {number: b for number, b in self._blends.items() if number in items}

    def _exists(self, ref: Ref) -> bool:
        if isinstance(ref, int):
            return ref in self.regions.items
        return self.library.get(ref) is not None or not self.library.known

    def ingredients(self, item: RegionItem, choice: StyleChoice | None = None) -> list[Ingredient]:
        """Return the styles of a region; one that is not read yet has no embedding."""
        choice = item.style if choice is None else choice
        ingredients = []
        for part, share in zip(choice.parts, choice.shares, strict=True):
            region = self.regions.get(part.ref) if isinstance(part.ref, int) else None
            style = self.library.get(part.ref)
            name = region.name if region is not None else style.name if style is not None else "…"
            ingredients.append(Ingredient(name, share, region, style))
        return ingredients

    def source_region(self) -> RegionItem | None:
        """Return the region whose embedding the active style is, or waits for, if any."""
        if self.regions.active is None:
            return None
        items = [one.item for one in self.ingredients(self.regions.active) if one.item is not None]
        return next((item for item in items if item.embedding is None), items[0] if items else None)

    def another(self) -> Ref:
        """Return a style that the active region does not imitate yet; 0 if there is none."""
        used = self.regions.active.style.refs if self.regions.active is not None else ()
        usable = [style.id for style in self.library.all if not self.library.problem(style)]
        refs: list[Ref] = [*(item.number for item in self.regions.current), *usable]
        return next((ref for ref in refs if ref not in used), 0)

    @property
    def blended(self) -> bool:
        return self.regions.active is not None and len(self.regions.active.style.parts) > 1

    # -- its embedding -------------------------------------------------------------------

    def why_not(self, item: RegionItem) -> str:
        """Return what the style of a region waits for; empty if it is ready, or there is none."""
        coming = next((one for one in self.library.coming if one.number == item.number), None)
        if coming is not None:
            return f"Embedding {coming.name}…"
        for one in self.ingredients(item):
            if one.share and one.item is not None and one.embedding is None:
                name = one.item.name
                if not self.models.embeds:
                    return "No encoder: get it, or add a style from features"
                return f"Embedding {name}…" if one.item.embedding_busy else "No style yet: embed it"
            if one.share and one.embedding is None:
                return "Reading the saved styles…"
        problem = self.why_no_blend(item)
        if problem or not item.style.parts:
            return problem.partition(". ")[0].partition(";")[0]
        return "" if self._blend(item).made is not None else "Blending…"

    def why_no_blend(self, item: RegionItem) -> str:
        """Return what is wrong with the style of a region, as a sentence; empty if nothing is."""
        for one in self.ingredients(item):
            problem = self.library.problem(one.style) if one.style is not None else ""
            if one.share and problem:
                return problem
        return self._blend(item).problem

    def embedding(self, item: RegionItem) -> PackedArray | None:
        """Return the embedding of a region's style, once :meth:`why_not` is empty."""
        return self._blend(item).made if item.style.parts else None

    def colours(self, item: RegionItem, choice: StyleChoice | None = None) -> TissueColours | None:
        """Return the tissue colours of a region's style; None if a part of it has none."""
        return mixed_colours([(one.colours, one.share) for one in self.ingredients(item, choice)])

    def without_colours(self, item: RegionItem) -> str:
        """Return the name of a style of a region whose colours are unknown; empty without one."""
        ingredients = self.ingredients(item)
        return next((one.name for one in ingredients if one.share and one.colours is None), "")

    def source(
        self, item: RegionItem, choice: StyleChoice | None = None
    ) -> tuple[tuple[str, float], ...]:
        """Return names and shares for the record; empty for the region's own style."""
        ingredients = self.ingredients(item, choice)
        if [one.item for one in ingredients] == [item]:
            return ()
        return tuple((one.name, round(one.share, 6)) for one in ingredients if one.share)

    def series(
        self, item: RegionItem, count: int
    ) -> tuple[list[list[Ingredient]], list[tuple[Any, TissueColours | None]]]:
        """Return blends from the first style of a region to its last, their sources and colours.

        Raises
        ------
        PixCellError
            If a style does not fit the model or is not embedded yet, or if there are not two.
        """
        choices = item.style.series(count)
        for one in self.ingredients(item):
            problem = self.library.problem(one.style) if one.style is not None else ""
            if problem or not one.count:
                raise PixCellError(problem or NOT_YET.format(one.name))
        steps = [self.ingredients(item, choice) for choice in choices]
        return steps, [(self.source(item, one), self.colours(item, one)) for one in choices]

    def grid_of(self, item: RegionItem) -> tuple[int, int]:
        """Return (rows, columns) of the embeddings of a region's picture."""
        family = self.settings.model
        return cells_of(item.size, family.tile, family.grid)

    def _blend(self, item: RegionItem) -> _Blend:
        """Return the blend of a region as it is now; a large one is computed in a thread."""
        used = [one for one in self.ingredients(item) if one.share]
        family, cells = self.settings.model, self.grid_of(item)
        embeddings = [one.embedding for one in used]
        key = (family.name, cells, *((id(one.embedding), one.share) for one in used))
        known = self._blends.get(item.number)
        if known is not None and known.key == key:
            return known
        blend = self._blends[item.number] = _Blend(key, embeddings)
        if not used or any(one is None for one in embeddings):
            return blend
        if len(used) == 1 and isinstance(embeddings[0], PackedArray):
            blend.made = embeddings[0]
            return blend

        def work() -> PackedArray:
            return blended(used, cells, family)

        def done(made: PackedArray) -> None:
            blend.made = made
            self.notices.changed.emit()

        def failed(message: str) -> None:
            blend.problem = message
            self.notices.changed.emit()

        size = sum(one.count for one in used) + cells[0] * cells[1] * used[0].dimension
        if size > AT_ONCE:
            self.tasks.background.compute(work, done, failed)
            return blend
        try:
            blend.made = work()
        except PixCellError as error:
            blend.problem = str(error)
        return blend

    # -- embedding and saving --------------------------------------------------------------

    @property
    def embedding_task(self) -> Any:
        """The embedding that the active region's style waits for, if any."""
        coming, region = self.library.coming, self.source_region()
        if coming:
            return coming[-1]
        return region.embedding_job if region is not None else None

    def cancel(self) -> bool:
        if self.library.cancel():
            return True
        task = self.embedding_task
        if task is None:
            return False
        self.tasks.cancel(task)
        return True

    def suggested_name(self) -> str:
        active = self.regions.active
        names = [one.name for one in self.ingredients(active)] if active is not None else []
        return free_name(" + ".join(names)[:80], self.library.names)

    def save(self, name: str) -> None:
        item = self.regions.active
        if item is None or not item.style.parts or self.why_not(item):
            return
        used = [one for one in self.ingredients(item) if one.share]
        # Without its encoder a family has only styles, which name another one.
        named = (one.style.encoder for one in used if one.style is not None)
        encoder = self.models.encoder or next(named)
        family, cells, source = self.settings.model, self.grid_of(item), self.source(item)
        parts, colours = self.ingredients(item), self.colours(item)
        with self.notices.reporting(SECTION):
            name = checked_name(name)

            def make() -> Style:
                if len(parts) == 1 and parts[0].style is not None:
                    style = replace(parts[0].style, name=name)
                    # Saving under another name makes another style.
                    return replace(style, id=new_id()) if style.id in self.library.saved else style
                return Style(
                    name,
                    as_grid(blended(used, cells, family).unpack()),
                    encoder,
                    family.name,
                    source,
                    max(used, key=lambda one: one.share).picture(),
                    colours=colours,
                )

            self.library.save(make)
