"""Which variants are in memory, which on disk, and which there is no room for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from psygnal import Signal

from napari_pixcell.slides.stored_picture import StoredPicture
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.results.results import Result
from napari_pixcell.studio.results.spill import Spill, disk_limit, forget, memory_limit
from napari_pixcell.studio.results.swipe import Swipe

SECTION = "results"


class GalleryMemory:
    """The part of the gallery that keeps its pixels within their limits.

    Those that are not kept leave the memory, oldest first; above the limit on disk they go. Kept
    ones are never touched.

    Parameters
    ----------
    background : Background
        Threads of the session.
    notices : Notices
        Gets the sentences.
    """

    changed = Signal()
    shown = Signal()

    def __init__(self, background: Background, notices: Notices) -> None:
        self._background = background
        self._notices = notices
        self._spill = Spill()
        self._moving = False
        self._wanted: Result | None = None
        self.results: list[Result] = []
        self.swipe = Swipe()

    def _take_out(self, result: Result) -> None:
        raise NotImplementedError

    def _delete(self, result: Result) -> None:
        def delete() -> None:
            if isinstance(result.memory, StoredPicture):
                result.memory.delete()
            if result.place is not None:
                forget(result.place)

        # In the thread that also exports: not before an export that reads it has ended.
        self._background.compute(delete, lambda _: None, lambda _: None)

    def _fetch(self, result: Result, then: Callable[[], object]) -> None:
        def read(image: object) -> None:
            result.memory = image  # type: ignore[assignment]
            then()

        def failed(message: str) -> None:
            self._notices.say(SECTION, message)

        self._background.compute(lambda: result.image, read, failed)

    def _loose(self) -> list[Result]:
        """Give those that may leave the memory, oldest first."""
        bound = (self.swipe.left, self._wanted)
        return [
            result
            for result in self.results
            if not (result.starred or result.shown or result in bound)
            and isinstance(result.memory, np.ndarray)
        ]

    def _fit(self) -> None:
        """Move the oldest to the disk until the rest fits into its part of the memory."""
        if self._moving:
            return
        held = [r for r in self.results if not r.starred and isinstance(r.memory, np.ndarray)]
        over = sum(_bytes(result) for result in held) - memory_limit()
        leaving = []
        for result in self._loose():
            if over <= 0:
                break
            leaving.append(result)
            over -= _bytes(result)
        if not leaving:
            return
        self._moving = True
        images = {result.number: result.memory for result in leaving if result.place is None}

        def write() -> None:
            for result in leaving:
                image = images.get(result.number)
                if isinstance(image, np.ndarray):
                    result.place = self._spill.write(result.number, image)

        def settle(message: str = "") -> None:
            self._moving = False
            loose = self._loose()
            for result in leaving:
                if result.place is not None and result in loose:
                    result.memory = None
            self._fit_disk()
            if message:
                self._notices.say(SECTION, message)
            elif any(result.memory is None for result in leaving):
                self._fit()  # what came meanwhile

        self._background.compute(write, lambda _: settle(), settle)

    def _fit_disk(self) -> None:
        """Discard the oldest on the disk until the rest fits into its part of it."""
        there = [r for r in self.results if r.place is not None and not r.starred]
        over, count = sum(_bytes(result) for result in there) - disk_limit(), 0
        for result in there:
            if over <= 0:
                break
            if result.shown or result is self._wanted:
                continue
            over -= _bytes(result)
            count += 1
            self._take_out(result)
            self._delete(result)
        if count:
            what = "The oldest variant was" if count == 1 else f"The {count} oldest variants were"
            self._notices.note(
                SECTION, f"{what} discarded to make room. Keep those that you want (S)."
            )
            self.shown.emit()
            self.changed.emit()


def _bytes(result: Result) -> int:
    height, width, channels = result.shape
    return height * width * channels
