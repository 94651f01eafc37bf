"""The variants of a session: which there are, which are kept, and which are seen."""

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


class Gallery(GalleryMemory):
    """Keeps the variants, in memory as long as they fit.

    Those that the user does not keep share one layer, so at most one of them is seen at a time;
    kept ones have a layer each.

    Parameters
    ----------
    background : Background
        Threads of the session.
    notices : Notices
        Gets the sentences.

    Attributes
    ----------
    changed : Signal
        Anything that the results show.
    added, removed : Signal(Result)
        A variant came, or was discarded.
    shown : Signal
        Other variants are to be seen, or kept.
    peeked : Signal
        The original is to be seen for a moment, or no longer.
    results : list of Result
        Oldest first.
    looked : Result or None
        The one that was shown last.
    looks : int
        How often something else was chosen to be seen.
    discarded : list of Result
        What :meth:`undo_discard` brings back.
    kept_only : bool
        Whether an export leaves out what is not kept, where anything is kept.
    swipe : Swipe
        The divider.
    """

    added = Signal(object)
    removed = Signal(object)
    peeked = Signal()

    def __init__(self, background: Background, notices: Notices) -> None:
        super().__init__(background, notices)
        self._numbers = itertools.count(1)
        self._discarded: list[tuple[int, Result]] = []
        self.looked: Result | None = None
        self.looks = 0
        self.peeking: int | None = None
        self.kept_only = True
        self.swipe.changed.connect(self.changed.emit)

    # -- which there are -----------------------------------------------------------------

    def add(
        self,
        target: Target,
        variant: Variant,
        job: int,
        show: bool,
        made: datetime | None = None,
    ) -> Result:
        """Take a variant in that the job of this number made, and show it if asked to."""
        self._forget_discarded()
        result = Result(next(self._numbers), target, variant.image, variant.record, job)
        result.made = made or result.made
        self.results.append(result)
        self.added.emit(result)
        if show:
            self.show(result)
        else:
            self._fit()
        return result

    def get(self, number: int) -> Result | None:
        """Give the variant of a number."""
        return next((result for result in self.results if result.number == number), None)

    def of_region(self, number: int) -> Iterator[Result]:
        """Give the variants of a region, oldest first."""
        return (result for result in self.results if result.target.number == number)

    def shown_in(self, number: int) -> Result | None:
        """Return the variant of a region that is shown, if any."""
        return next((result for result in self.of_region(number) if result.shown), None)

    def newest_job(self, number: int) -> list[Result]:
        """Give the variants of a region's newest job, oldest first."""
        own = list(self.of_region(number))
        return [result for result in own if result.job == own[-1].job]

    @property
    def kept(self) -> list[Result]:
        """Those that the user keeps."""
        return [result for result in self.results if result.starred]

    def to_export(self) -> list[Result]:
        """Give the kept ones, if there are any and only they are wanted, else all."""
        return (self.kept if self.kept_only else []) or list(self.results)

    def discard(self, *results: Result) -> None:
        """Take variants out; :meth:`undo_discard` brings the last ones back."""
        gone = [(i, result) for i, result in enumerate(self.results) if result in results]
        if not gone:
            return
        self._forget_discarded()
        self._discarded = gone
        for _, result in gone:
            self._take_out(result)
        self.shown.emit()
        what = "1 variant was" if len(gone) == 1 else f"{len(gone)} variants were"
        self._notices.note(SECTION, f"{what} discarded.")
        self.changed.emit()

    @property
    def discarded(self) -> list[Result]:
        """What can still be brought back."""
        return [result for _, result in self._discarded]

    def undo_discard(self) -> None:
        """Bring back what was discarded last."""
        gone, self._discarded = self._discarded, []
        for index, result in gone:
            self.results.insert(index, result)
            self.added.emit(result)
        if gone:
            self._notices.say(SECTION, "")
        self.shown.emit()
        self.changed.emit()

    def _take_out(self, result: Result) -> None:
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
            self._delete(result)

    # -- which are seen ------------------------------------------------------------------

    def show(self, result: Result, on: bool = True) -> None:
        """Show a variant in place of others of its region, or hide it.

        One whose pixels are on the disk is shown as soon as they are read.
        """
        self._wanted = result if on else None
        self.looks += 1
        self.peeking = None  # a key that was let go elsewhere
        if on and result.memory is None:
            self._fetch(result, lambda: self.show(result) if self._wanted is result else None)
            return
        for other in self.results:
            if other.target.number == result.target.number:
                other.shown = on and other is result
            elif on and not result.starred and not other.starred:
                other.shown = False  # they share a layer
        self.looked = result if on else None
        self._tell_shown()

    def toggle(self, result: Result) -> None:
        """Show a variant, or hide it if it is seen."""
        self.show(result, not result.shown)

    def show_none(self, number: int) -> None:
        """Show what is under the variants of a region."""
        self._wanted = None
        self.looks += 1
        for result in self.of_region(number):
            result.shown = False
        if self.looked is not None and self.looked.target.number == number:
            self.looked = None
        self._tell_shown()

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
        """The one that is seen in the layer that all but the kept ones share."""
        return next((r for r in self.results if r.shown and not r.starred), None)

    def peek(self, number: int | None) -> None:
        """Hide what lies over a region until this is called with None."""
        if number != self.peeking:
            self.peeking = number
            self.peeked.emit()

    def swipe_against(self, left: Result) -> None:
        """Put the divider between a variant and the one that is seen."""
        if left.memory is None:
            self._fetch(left, lambda: self.swipe_against(left))
        else:
            self.swipe.switch(True, left)

    def note_visible(self, result: Result, visible: bool) -> None:
        """Take in that the user showed or hid the layer of a variant."""
        if result.shown != visible:
            result.shown = visible
            if visible:
                self.looked = result
            elif self.looked is result:
                self.looked = None
            self.changed.emit()

    def _tell_shown(self) -> None:
        self._fit()
        self.shown.emit()
        self.changed.emit()

    # -- which are kept ------------------------------------------------------------------

    def star(self, results: Result | Sequence[Result], on: bool = True) -> None:
        """Keep variants as layers of their own, or no longer."""
        several = [results] if isinstance(results, Result) else list(results)
        for result in several:
            if result not in self.results:
                continue
            result.starred = on
            if not on and result.shown:  # into the layer that they share
                for other in self.results:
                    other.shown = other.shown and (other.starred or other is result)
            elif on and result.memory is None:
                self._fetch(result, self._tell_shown)
        self._tell_shown()

    def star_looked(self) -> None:
        """Keep the variant that was shown last, or no longer."""
        if self.looked is not None:
            self.star(self.looked, not self.looked.starred)

    def close(self) -> None:
        """Leave nothing on the disk."""
        for result in self.discarded:
            if isinstance(result.memory, StoredPicture):
                result.memory.delete()
        self._spill.close()
