"""Opening a saved session: its slide, regions, variants and waiting jobs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psygnal import Signal

from napari_pixcell.cells.inventing.recipe import Recipe
from napari_pixcell.engine.events import Variant
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.families import families
from napari_pixcell.studio.background import Background, sentence
from napari_pixcell.studio.cells.classes import CellClasses
from napari_pixcell.studio.cells.inventing import Invention
from napari_pixcell.studio.cells.layouts import Layouts
from napari_pixcell.studio.generation.queue import JobQueue, SavedJob
from napari_pixcell.studio.measures import Measures
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.regions.regions import Regions
from napari_pixcell.studio.results.export import Exporter
from napari_pixcell.studio.results.gallery import Gallery
from napari_pixcell.studio.saving.document import OLDER, read_document
from napari_pixcell.studio.saving.folder import SessionFolder, folder_of
from napari_pixcell.studio.saving.loading import DAMAGED, LONGEST, Loader, SavedResult
from napari_pixcell.studio.saving.measures import put_measured, read_measured
from napari_pixcell.studio.saving.opening import (
    Opening,
    about_same,
    colours,
    damage_sentence,
    features_sentence,
    lost_sentence,
    opened,
    outdated_sentence,
    renumbered,
    slide_for,
    tissue,
)
from napari_pixcell.studio.saving.recent import RecentSessions
from napari_pixcell.studio.saving.saver import Saver
from napari_pixcell.studio.saving.slide_mark import SlideMark
from napari_pixcell.studio.settings import Settings
from napari_pixcell.studio.slides import Slides
from napari_pixcell.studio.styles.features import FeatureStyles
from napari_pixcell.studio.styles.library import Styles
from napari_pixcell.studio.styles.styles import RegionStyles
from napari_pixcell.words import counted

SECTION = "slide"


@dataclass(eq=False)
class Restoring:
    """Opens saved sessions."""

    opened = Signal(object)  # the session with this id is about to be restored

    slides: Slides
    settings: Settings
    regions: Regions
    layouts: Layouts
    invention: Invention
    classes: CellClasses
    features: FeatureStyles
    library: Styles
    styles: RegionStyles
    gallery: Gallery
    measures: Measures
    exporter: Exporter
    queue: JobQueue
    saver: Saver
    recent: RecentSessions
    background: Background
    notices: Notices

    def __post_init__(self) -> None:
        # A session whose slide is missing, until slide_moved_to()
        self.slide_lost: Opening | None = None
        # Receives the slide of an opened session, and makes it the current one
        self.show_slide: Callable[[Any], object] = self.slides.set
        self._opening: Opening | None = None
        self._busy = False  # a session and its slide are being opened

    @property
    def busy(self) -> bool:
        """True while a session is being opened."""
        return self._busy or self._opening is not None

    # -- the slide -----------------------------------------------------------------------

    def open(self, path: Path) -> None:
        """Open a saved session beside what is there, and save to it from then on.

        Parameters
        ----------
        path : Path
            Its folder, or the ``session.json`` in it.
        """
        if self.busy:
            self.notices.say(SECTION, "Another session is being opened. Wait until it is done.")
            return
        slide = self.slides.current
        self.notices.say(SECTION, "")

        def work() -> tuple[Opening, Any]:
            folder = SessionFolder(folder_of(Path(path)).absolute())
            document = read_document(folder.path)
            try:
                opening = Opening(folder, document, SlideMark.from_dict(document["slide"]))
            except DAMAGED:
                raise PixCellError(
                    f"The session “{folder.path.name}” names no slide. Restore the folder from a "
                    "backup."
                ) from None
            return opening, slide_for(opening, slide)

        self._open(work)

    def open_offer(self) -> None:
        if self.saver.offer is not None:
            self.open(self.saver.offer.path)

    def slide_moved_to(self, path: Path) -> None:
        """Continue to open a session whose slide is elsewhere now."""
        opening, current = self.slide_lost, self.slides.current
        if opening is None:
            return

        def work() -> tuple[Opening, Any]:
            if not opening.mark.is_at(Path(path)):
                raise PixCellError(
                    f"“{Path(path).name}” is not the slide of this session. Choose "
                    f"“{opening.mark.name}”."
                )
            return opening, opened(Path(path), opening.mark, current)

        self._open(work)

    def _open(self, work: Callable[[], tuple[Opening, Any]]) -> None:
        def found(outcome: tuple[Opening, Any]) -> None:
            self._busy = False
            opening, slide = outcome
            self.slide_lost = opening if slide is None else None
            if slide is None:
                self.notices.say(SECTION, lost_sentence(opening))
            else:
                self.saver.begin_restoring()
                with self._giving_up(opening):
                    self._restore(opening, slide)

        def failed(message: str) -> None:
            self._busy = False
            self.notices.say(SECTION, message)

        self._busy = True
        self.notices.changed.emit()
        self.background.compute(work, found, failed)

    # -- regions -------------------------------------------------------------------------

    def _restore(self, opening: Opening, slide: Any) -> None:
        mpp = opening.mark.mpp
        if slide is not self.slides.current:
            self.show_slide(slide)
        if self.slides.current is None or (mpp and not about_same(self.slides.current.mpp, mpp)):
            self.saver.adopt("", None, None, {})
            self.notices.say(
                SECTION,
                f"The session “{opening.name}” was made at {mpp or 0:g} µm/px, and the slide has "
                "another pixel size now. Close the slide, then open the session again.",
            )
            return
        self._opening = opening
        self.opened.emit(opening.id)
        loader = Loader(opening.folder, opening.document, self.slides.key)
        self.notices.changed.emit()

        def work() -> list[RegionItem]:
            opening.locked = opening.folder.take(2.0)
            if self.saver.on:
                self.recent.remember(opening.folder.path)
            opening.styles = loader.styles()
            opening.measured = read_measured(loader)
            opening.features = mark = loader.features()
            opening.features_path = mark.find(opening.folder.path) if mark is not None else None
            items = loader.regions()
            for item in items:
                item.pixels = tissue(slide, item.region, item.family)
                item.colours = colours(slide, item)
            return items

        def done(items: list[RegionItem]) -> None:
            with self._giving_up(opening):
                self._take_settings(loader)
                self._take_regions(opening, loader, items)
                put_measured(self.measures, opening.document, opening.measured, opening.numbers)
                self._restore_results(opening, loader, slide)

        self.background.compute(work, done, lambda message: self._given_up(opening, message))

    @contextmanager
    def _giving_up(self, opening: Opening) -> Iterator[None]:
        """Stop restoring at any error, so that saving is never left switched off."""
        try:
            yield
        except Exception as error:
            self._given_up(opening, sentence(error))

    def _given_up(self, opening: Opening, message: str) -> None:
        self._opening = None
        self.saver.adopt("", None, None, {})
        opening.folder.release()
        self.notices.say(SECTION, message)

    def _take_settings(self, loader: Loader) -> None:
        values = loader.settings(self.settings)
        family = values.pop("family", self.settings.family)
        if family in families():
            self.settings.family = family
        else:
            loader.lost.append("setting")
        for name, value in values.items():
            setattr(self.settings, name, value)
        try:
            if isinstance(loader.document.get("recipe"), dict):
                self.invention.recipe = Recipe.from_dict(loader.document["recipe"])
        except DAMAGED:
            loader.lost.append("setting")
        chosen = loader.document.get("class")
        if chosen in [name for name, _ in self.classes.palette]:  # or else the first
            self.classes.pick(chosen)

    def _take_regions(self, opening: Opening, loader: Loader, items: list[RegionItem]) -> None:
        old = {item.number for item in items}
        old |= loader.target_numbers()
        taken = set(self.regions.items) | {r.target.number for r in self.gallery.results}
        free = itertools.count(max(taken | old, default=0) + 1)
        numbers = {n: next(free) if n in taken else n for n in sorted(old)}
        opening.numbers = numbers
        for style in opening.styles:
            if style.id not in self.library.saved:
                self.library.temporary.setdefault(style.id, style)
        layouts = []
        for item in items:
            item.number = numbers[item.number]
            item.style = renumbered(item.style, numbers)
            layouts.append((item, item.whole_layout, item.of_slide))
            item.layout = None
        saved_active = opening.document.get("active")
        active = numbers.get(saved_active, 0) if isinstance(saved_active, int) else 0
        next_free = max([*taken, *numbers.values()], default=0) + 1
        self.regions.put_in(items, active, next_free)
        for item, cells, of_slide in layouts:
            if cells is not None:
                self.layouts.set(
                    item.number, cells.labels, cells.origin, cells.source, cells.classes, False
                )
                item.of_slide = of_slide
        self.styles.keep_existing()
        name = opening.document.get("export_name")
        slide = self.slides.current  # whose name earlier versions filled in by themselves
        if isinstance(name, str) and slide is not None and name != slide.short_name:
            self.exporter.name = name[:LONGEST] or self.exporter.name
        self.regions.fit()
        self.notices.changed.emit()

    # -- variants ------------------------------------------------------------------------

    def _restore_results(self, opening: Opening, loader: Loader, slide: Any) -> None:
        """Read one variant after another, so that the window stays responsive."""
        seen: set[int] = set()

        def read(value: dict[str, Any]) -> SavedResult | None:
            saved = loader.result(value)
            if saved is not None and saved.target not in seen:
                seen.add(saved.target)
                target = loader.target(saved.target)
                family = saved.record.request.family
                target.pixels = tissue(slide, target.region, family)
                target.number = opening.numbers.get(target.number, target.number)
            return saved

        def take(saved: SavedResult | None) -> None:
            if saved is None:
                return
            try:
                add(saved)
            except DAMAGED as error:
                lost(sentence(error))

        def add(saved: SavedResult) -> None:
            if saved.job not in opening.jobs:
                opening.jobs[saved.job] = self.queue.new_number()
            job = opening.jobs[saved.job]
            variant = Variant(0, saved.image, saved.record)
            target = loader.target(saved.target)
            result = self.gallery.add(target, variant, job, show=False, made=saved.made)
            opening.results.append((result, saved))
            if saved.file:
                opening.names["result", result.number] = saved.file

        def lost(message: str) -> None:
            loader.lost.append("variant")

        for value in opening.document["results"]:
            self.background.compute(lambda v=value: read(v), take, lost)  # type: ignore[misc]

        def restored(jobs: list[SavedJob]) -> None:
            if self._opening is not opening:  # given up
                return
            with self._giving_up(opening):
                self._restored(opening, loader, jobs)

        self.background.compute(
            loader.jobs, restored, lambda message: self._given_up(opening, message)
        )

    def _restored(self, opening: Opening, loader: Loader, jobs: list[SavedJob]) -> None:
        for result, saved in opening.results:
            if saved.starred:
                self.gallery.star(result)
            result.shown = saved.shown
            self.gallery.looked = result if saved.shown else self.gallery.looked
        self.gallery.shown.emit()
        self.gallery.changed.emit()
        known = {id(result.target) for result, _ in opening.results}
        for target, _, _ in jobs:
            if id(target) not in known:
                target.number = opening.numbers.get(target.number, target.number)
                known.add(id(target))
        self.queue.put_off = [*self.queue.put_off, *jobs]
        self._opening = None
        damaged = bool(loader.lost) or bool(opening.document[OLDER])
        own = opening.locked and not damaged
        if opening.locked and not own:
            opening.folder.release()
        parent = None if own else opening.folder.path.parent
        self.saver.adopt(
            self.slides.key,
            opening.folder if own else None,
            parent,
            opening.names if own else {},
            opening.id if own else "",
        )
        self._say_restored(opening, loader, damaged)
        self._open_features(opening)

    def _open_features(self, opening: Opening) -> None:
        """Open the file of features that was open, unless it is open already."""
        mark, path, current = opening.features, opening.features_path, self.features.current
        if mark is None or path is None:
            return
        if current is None or current.file.path != path:
            self.features.open(path, mark.shown)

    def _say_restored(self, opening: Opening, loader: Loader, damaged: bool) -> None:
        count = max(0, len(loader.document["regions"]) - loader.lost.count("region"))
        regions = counted(count, "region")
        there = f"{regions}, {counted(len(opening.results), 'variant')}"
        missing = outdated_sentence(loader.outdated) + features_sentence(opening)
        if damaged:
            self.notices.say(SECTION, damage_sentence(opening, loader, there) + missing)
        elif not opening.locked:
            self.notices.note(
                SECTION,
                f"“{opening.name}” was opened: {there}. It is open in another window too, so what "
                f"you do here is saved beside it, under another name.{missing}",
            )
        else:
            self.notices.note(SECTION, f"“{opening.name}” was opened: {there}.{missing}")
