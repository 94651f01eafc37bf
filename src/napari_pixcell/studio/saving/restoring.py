"""What a session does to be saved, and to be opened again."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from psygnal import Signal

from napari_pixcell.cells.inventing.recipe import Recipe
from napari_pixcell.engine.events import Variant
from napari_pixcell.engine.request import GenerateRequest
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.families import families
from napari_pixcell.studio.generation.queue import Generation
from napari_pixcell.studio.measures import Measures
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.results.gallery import Gallery
from napari_pixcell.studio.results.results import Target
from napari_pixcell.studio.saving.document import OLDER, read_document
from napari_pixcell.studio.saving.folder import SessionFolder, folder_of
from napari_pixcell.studio.saving.loading import DAMAGED, Loader, SavedResult
from napari_pixcell.studio.saving.measures import put_measured, read_measured
from napari_pixcell.studio.saving.opening import (
    Opening,
    about_same,
    damage_sentence,
    lost_sentence,
    opened,
    renumbered,
    slide_for,
    tissue,
)
from napari_pixcell.studio.saving.places import counted
from napari_pixcell.studio.saving.saver import Saver
from napari_pixcell.studio.saving.slide_mark import SlideMark
from napari_pixcell.studio.styles.styles import StyleActions


class SavingActions(StyleActions):
    """The part of a :class:`~napari_pixcell.studio.session.Session` that outlasts it.

    Attributes
    ----------
    saver : Saver
        Saves it continuously.
    session_opened : Signal(str)
        The session with this id is about to be put in.
    slide_lost : Opening or None
        A session whose slide is not where it was: :meth:`slide_moved_to` goes on.
    put_off : list
        Jobs that waited when the session was saved; :meth:`go_on_restored` queues them.
    show_slide : callable
        Gets the slide of a session that is opened, and makes it the current one.
    """

    session_opened = Signal(object)

    gallery: Gallery
    generation: Generation
    measures: Measures
    saver: Saver

    def __init__(self) -> None:
        super().__init__()
        self.slide_lost: Opening | None = None
        self.put_off: list[tuple[Target, str, list[GenerateRequest]]] = []
        self.show_slide: Callable[[Any], object] = self.set_slide
        self._opening: Opening | None = None
        self._looking = False  # for a session and its slide, before it is opened

    def set_slide(self, slide: Any, key: str = "") -> None:
        """Work on a slide."""
        raise NotImplementedError

    # -- which slide ---------------------------------------------------------------------

    def open_session(self, path: Path) -> None:
        """Open a session that was saved: beside what is there, and go on with saving to it.

        Parameters
        ----------
        path : Path
            Its folder, or the ``session.json`` in it.
        """
        if self._looking or self._opening is not None:
            self.say("slide", "A session is being opened; wait until it is there.")
            return
        slide = self.slide
        self.say("slide", "")

        def work() -> tuple[Opening, Any]:
            folder = SessionFolder(folder_of(Path(path)).absolute())
            document = read_document(folder.path)
            try:
                opening = Opening(folder, document, SlideMark.from_dict(document["slide"]))
            except DAMAGED:
                raise PixCellError(
                    f"The session “{folder.path.name}” does not say of which slide it is; restore "
                    "the folder from a backup."
                ) from None
            return opening, slide_for(opening, slide)

        self._open(work)

    def open_offer(self) -> None:
        """Open the earlier session of the slide."""
        if self.saver.offer is not None:
            self.open_session(self.saver.offer.path)

    def slide_moved_to(self, path: Path) -> None:
        """Go on with opening a session whose slide lies elsewhere now."""
        opening, current = self.slide_lost, self.slide
        if opening is None:
            return

        def work() -> tuple[Opening, Any]:
            if not opening.mark.is_at(Path(path)):
                raise PixCellError(
                    f"“{Path(path).name}” is another slide than “{opening.mark.name}”, of which "
                    "the session is; choose that one."
                )
            return opening, opened(Path(path), opening.mark, current)

        self._open(work)

    def forget_lost_slide(self) -> None:
        """Let go of a session whose slide is not there."""
        self.slide_lost = None
        self.say("slide", "")

    def _open(self, work: Callable[[], tuple[Opening, Any]]) -> None:
        def found(outcome: tuple[Opening, Any]) -> None:
            self._looking = False
            opening, slide = outcome
            self.slide_lost = opening if slide is None else None
            if slide is None:
                self.say("slide", lost_sentence(opening))
            else:
                self._restore(opening, slide)

        def failed(message: str) -> None:
            self._looking = False
            self.say("slide", message)

        self._looking = True
        self.background.compute(work, found, failed)

    # -- regions -------------------------------------------------------------------------

    def _restore(self, opening: Opening, slide: Any) -> None:
        mpp = opening.mark.mpp
        self.saver.begin_restoring()
        if slide is not self.slide:
            self.show_slide(slide)
        if self.slide is None or (mpp and not about_same(self.slide.mpp, mpp)):
            self.saver.adopt("", None, None, {})
            self.say(
                "slide",
                f"The session “{opening.name}” was made at {mpp or 0:g} µm/px, and the slide has "
                "another pixel size now; close the slide, then open the session again.",
            )
            return
        self._opening = opening
        self.session_opened.emit(opening.id)
        loader = Loader(opening.folder, opening.document, self.slide_key)
        self.changed.emit()

        def work() -> list[RegionItem]:
            opening.locked = opening.folder.take(2.0)
            opening.styles = loader.styles()
            opening.measured = read_measured(loader)
            items = loader.regions()
            for item in items:
                item.pixels = tissue(slide, item.region, item.family)
            return items

        def done(items: list[RegionItem]) -> None:
            self._take_settings(loader)
            self._take_regions(opening, items)
            put_measured(self.measures, opening.document, opening.measured, opening.numbers)
            self._restore_results(opening, loader, slide)

        self.background.compute(work, done, lambda message: self._given_up(opening, message))

    def _given_up(self, opening: Opening, message: str) -> None:
        self._opening = None
        self.saver.adopt("", None, None, {})
        opening.folder.release()
        self.say("slide", message)

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
            if loader.document.get("recipe"):
                self.recipe = Recipe.from_dict(loader.document["recipe"])
        except DAMAGED:
            loader.lost.append("setting")

    def _take_regions(self, opening: Opening, items: list[RegionItem]) -> None:
        """Put the regions in, under new numbers where theirs are taken."""
        old = {item.number for item in items}
        old |= {int(target["number"]) for target in opening.document.get("targets") or ()}
        taken = set(self._items) | {r.target.number for r in self.gallery.results}
        free = itertools.count(max(taken | old, default=0) + 1)
        opening.numbers = {n: next(free) if n in taken else n for n in sorted(old)}
        self._numbers = itertools.count(max(opening.numbers.values(), default=0) + 1)
        if taken:
            self._numbers = itertools.count(max(*taken, *opening.numbers.values(), 0) + 1)
        for style in opening.styles:
            if style.id not in self.saved:
                self.made.setdefault(style.id, style)
        layouts = []
        for item in items:
            item.number = opening.numbers[item.number]
            item.style = renumbered(item.style, opening.numbers)
            layouts.append((item, item.whole_layout, item.of_slide))
            item.layout = None
            self._items[item.number] = item
        active = opening.numbers.get(int(opening.document.get("active") or 0), 0)
        if active in self._items:
            self._active[self.slide_key] = active
        self.regions_changed.emit()
        for item, cells, of_slide in layouts:
            if cells is not None:
                self.set_layout(
                    item.number, cells.labels, cells.origin, cells.source, cells.classes, False
                )
                item.of_slide = of_slide
        self.keep_styles()
        name = opening.document.get("export_name")
        if isinstance(name, str) and name:
            self.export_name = name
        self._fit_regions()
        self.changed.emit()

    # -- variants ------------------------------------------------------------------------

    def _restore_results(self, opening: Opening, loader: Loader, slide: Any) -> None:
        """Read one variant after another, so that the window stays usable meanwhile."""
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
            if saved.job not in opening.jobs:
                opening.jobs[saved.job] = next(self.generation._numbers)
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
        self.background.compute(
            loader.jobs,
            lambda jobs: self._restored(opening, loader, jobs),
            lambda message: self._given_up(opening, message),
        )

    def _restored(
        self,
        opening: Opening,
        loader: Loader,
        jobs: list[tuple[Target, str, list[GenerateRequest]]],
    ) -> None:
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
        self.put_off = [*self.put_off, *jobs]
        self._opening = None
        damaged = bool(loader.lost) or bool(opening.document[OLDER])
        own = opening.locked and not damaged
        if opening.locked and not own:
            opening.folder.release()
        place = None if own else opening.folder.path.parent
        self.saver.adopt(
            self.slide_key,
            opening.folder if own else None,
            place,
            opening.names if own else {},
            opening.id if own else "",
        )
        self._say_restored(opening, loader, damaged)

    def _say_restored(self, opening: Opening, loader: Loader, damaged: bool) -> None:
        regions = counted(len(loader.document["regions"]) - loader.lost.count("region"), "region")
        there = f"{regions}, {counted(len(opening.results), 'variant')}"
        if damaged:
            self.say("slide", damage_sentence(opening, loader, there))
        elif not opening.locked:
            self.note(
                "slide",
                f"“{opening.name}” was opened: {there}. It is open in another window too, so what "
                "you do here is saved beside it, under another name.",
            )
        else:
            self.note("slide", f"“{opening.name}” was opened: {there}.")

    # -- queue ---------------------------------------------------------------------------

    def put_off_note(self) -> str:
        """Say that jobs wait from the time the session was saved; empty without any."""
        count = len(self.put_off)
        if not count:
            return ""
        return f"{counted(count, 'job')} waited when this session was saved."

    def go_on_restored(self) -> None:
        """Queue the jobs that waited when the session was saved."""
        jobs, self.put_off = self.put_off, []
        for target, title, requests in jobs:
            previews = self.settings.previews
            self.generation.queue(requests, target, title=title, previews=previews)
        self.changed.emit()

    def drop_restored(self) -> None:
        """Forget the jobs that waited when the session was saved."""
        self.put_off = []
        self.changed.emit()
