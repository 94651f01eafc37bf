"""The variants of a session: which there are, which are shown, and which are starred."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from datetime import datetime

from psygnal import Signal

from napari_pixcell.engine.events import Variant
from napari_pixcell.slides.stored_picture import StoredPicture
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.generation.target import Target
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.results.gallery_memory import SECTION, GalleryMemory
from napari_pixcell.studio.results.results import Result
from napari_pixcell.studio.results.swipe import Swipe
from napari_pixcell.words import counted


class Gallery:
    """Holds the variants, and decides which of them are shown.

    Variants without a star share one layer, so at most one of them is shown at a time. Each
    starred variant has a layer of its own.

    Parameters
    ----------
    background : Background
        Threads of the session.
    notices : Notices
        Shows messages.
    """

    changed = Signal()  # anything that the results section shows has changed
    shown = Signal()  # other variants are shown or starred
    added = Signal(object)
    removed = Signal(object)
    peeked = Signal()  # peeking at the original started or ended

    def __init__(self, background: Background, notices: Notices) -> None:
        self._notices = notices
        self._numbers = itertools.count(1)
        self._discarded: list[tuple[int, Result]] = []
        self._to_show: Result | None = None  # as soon as its pixels are read
        self.results: list[Result] = []
        self.looked: Result | None = None  # the variant that was shown last
        self.looks = 0  # how often the choice of shown variants changed
        # Number of the region whose variants are hidden for a moment
        self.peeking: int | None = None
        self.kept_only = True  # whether an export is limited to starred variants, if there are any
        self.swipe = Swipe()
        self.swipe.changed.connect(self.changed.emit)
        self._memory = GalleryMemory(
            background, notices, self.results, self._is_in_use, self._evict
        )

    # -- contents ------------------------------------------------------------------------

    def add(
        self, target: Target, variant: Variant, job: int, show: bool, made: datetime | None = None
    ) -> Result:
        """Add a variant of the job with this number, and show it if asked to."""
        self._forget_discarded()
        result = Result(next(self._numbers), target, variant.image, variant.record, job)
        result.made = made or result.made
        self.results.append(result)
        self.added.emit(result)
        if show:
            self.show(result)
        else:
            self._memory.fit()
        return result

    def get(self, number: int) -> Result | None:
        return next((result for result in self.results if result.number == number), None)

    def of_region(self, number: int) -> Iterator[Result]:
        return (result for result in self.results if result.target.number == number)

    def shown_in(self, number: int) -> Result | None:
        return next((result for result in self.of_region(number) if result.shown), None)

    def newest_job(self, number: int) -> list[Result]:
        own = list(self.of_region(number))
        return [result for result in own if result.job == own[-1].job]

    @property
    def kept(self) -> list[Result]:
        return [result for result in self.results if result.starred]

    def to_export(self) -> list[Result]:
        return (self.kept if self.kept_only else []) or list(self.results)

    def discard(self, *results: Result) -> None:
        """Discard variants. :meth:`undo_discard` restores those of the last call."""
        gone = [(i, result) for i, result in enumerate(self.results) if result in results]
        if not gone:
            return
        self._forget_discarded()
        self._discarded = gone
        for _, result in gone:
            self._remove(result)
        self.shown.emit()
        what = counted(len(gone), "variant was", "variants were")
        self._notices.note(SECTION, f"{what} discarded.")
        self.changed.emit()

    @property
    def discarded(self) -> list[Result]:
        return [result for _, result in self._discarded]

    def undo_discard(self) -> None:
        gone, self._discarded = self._discarded, []
        for index, result in gone:
            self.results.insert(index, result)
            self.added.emit(result)
        if gone:
            self._notices.say(SECTION, "")
        self.shown.emit()
        self.changed.emit()

    def _remove(self, result: Result) -> None:
        self.results.remove(result)
        if self.looked is result:
            self.looked = None
        if self.swipe.left is result:
            self.swipe.left = None
        self.removed.emit(result)

    def _forget_discarded(self) -> None:
        gone, self._discarded = self.discarded, []
        if gone:
            self._notices.say(SECTION, "")
        for result in gone:
            self._memory.delete(result)

    def _is_in_use(self, result: Result) -> bool:
        return result is self.swipe.left or result is self._to_show

    def _evict(self, results: list[Result]) -> None:
        for result in results:
            self._remove(result)
        what = "the oldest variant" if len(results) == 1 else f"the {len(results)} oldest variants"
        self._notices.note(
            SECTION, f"Discarded {what} to free disk space. Star variants to keep them (S)."
        )
        self.shown.emit()
        self.changed.emit()

    # -- shown variants ------------------------------------------------------------------

    def show(self, result: Result, on: bool = True) -> None:
        """Show a variant in place of others of its region, or hide it.

        A variant whose pixels are on disk is shown as soon as they are read.
        """
        self._to_show = result if on else None
        self.looks += 1
        self.peeking = None  # the key may have been released over another window
        if on and result.memory is None:
            self._memory.fetch(
                result, lambda: self.show(result) if self._to_show is result else None
            )
            return
        for other in self.results:
            if other.target.number == result.target.number:
                other.shown = on and other is result
            elif on and not result.starred and not other.starred:
                other.shown = False  # they share a layer
        self.looked = result if on else None
        self._update_shown()

    def toggle(self, result: Result) -> None:
        self.show(result, not result.shown)

    def show_none(self, number: int) -> None:
        self._to_show = None
        self.looks += 1
        for result in self.of_region(number):
            result.shown = False
        if self.looked is not None and self.looked.target.number == number:
            self.looked = None
        self._update_shown()

    def show_nth(self, number: int, nth: int) -> None:
        """Show the ``nth`` variant, from 1, of a region's newest job; 0 shows none."""
        if nth == 0:
            self.show_none(number)
            return
        own = self.newest_job(number) if any(self.of_region(number)) else []
        if nth <= len(own):
            self.show(own[nth - 1])

    @property
    def previewed(self) -> Result | None:
        """The variant in the layer that all variants without a star share."""
        return next((r for r in self.results if r.shown and not r.starred), None)

    def peek(self, number: int | None) -> None:
        """Hide the variants of a region until the next call with None."""
        if number != self.peeking:
            self.peeking = number
            self.peeked.emit()

    def swipe_against(self, left: Result) -> None:
        if left.memory is None:
            self._memory.fetch(left, lambda: self.swipe_against(left))
        else:
            self.swipe.switch(True, left)

    def note_visible(self, result: Result, visible: bool) -> None:
        """Record that the user showed or hid the layer of a variant."""
        if result.shown != visible:
            result.shown = visible
            if visible:
                self.looked = result
            elif self.looked is result:
                self.looked = None
            self.changed.emit()

    def _update_shown(self) -> None:
        self._memory.fit()
        self.shown.emit()
        self.changed.emit()

    # -- stars ---------------------------------------------------------------------------

    def star(self, results: Result | Sequence[Result], on: bool = True) -> None:
        """Star variants, which then have layers of their own, or remove their stars."""
        several = [results] if isinstance(results, Result) else list(results)
        for result in several:
            if result not in self.results:
                continue
            result.starred = on
            if not on and result.shown:  # it moves to the shared layer, alone
                for other in self.results:
                    other.shown = other.shown and (other.starred or other is result)
            elif on and result.memory is None:
                self._memory.fetch(result, self._update_shown)
        self._update_shown()

    def star_looked(self) -> None:
        if self.looked is not None:
            self.star(self.looked, not self.looked.starred)

    def close(self) -> None:
        for result in self.discarded:
            if isinstance(result.memory, StoredPicture):
                result.memory.delete()
        self._memory.close()
