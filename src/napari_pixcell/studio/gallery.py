"""The variants of a session: which there are, and which are seen."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from psygnal import Signal

from napari_pixcell.engine.events import Variant
from napari_pixcell.slides.stored_picture import StoredPicture
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.results import Result, Target


class Gallery:
    """Keeps the variants.

    Parameters
    ----------
    background : Background
        Threads of the session.

    Attributes
    ----------
    changed : Signal
        Anything that the results show.
    added, removed : Signal(Result)
        A variant came or was discarded.
    shown : Signal
        Other variants are to be seen.
    results : list of Result
        Oldest first.
    """

    changed = Signal()
    added = Signal(object)
    removed = Signal(object)
    shown = Signal()

    def __init__(self, background: Background) -> None:
        self._background = background
        self._numbers = itertools.count(1)
        self.results: list[Result] = []

    def add(self, target: Target, variant: Variant, job: int, show: bool) -> Result:
        """Take a variant in that the job of this number made, and show it if asked to."""
        result = Result(next(self._numbers), target, variant.image, variant.record, job)
        self.results.append(result)
        self.added.emit(result)
        if show:
            self.show(result)
        return result

    def of_region(self, number: int) -> Iterator[Result]:
        """Give the variants of a region, oldest first."""
        return (result for result in self.results if result.target.number == number)

    def show(self, result: Result, on: bool = True) -> None:
        """Show a variant in place of others of its region, or hide it."""
        for other in self.results:
            if other.target.number == result.target.number:
                other.shown = on and other is result
        self.shown.emit()
        self.changed.emit()

    def show_none(self, number: int) -> None:
        """Show what is under the variants of a region."""
        for result in self.results:
            if result.target.number == number:
                result.shown = False
        self.shown.emit()
        self.changed.emit()

    def discard(self, result: Result) -> None:
        """Forget a variant."""
        if result in self.results:
            self.results.remove(result)
            self.removed.emit(result)
            if isinstance(result.image, StoredPicture):
                # In the thread that also exports: not before an export that reads it has ended.
                self._background.compute(result.image.delete, lambda _: None, lambda _: None)
            self.changed.emit()
