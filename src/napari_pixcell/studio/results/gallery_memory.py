"""Pixels of the variants of a gallery, in memory or on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from napari_pixcell.slides.stored_picture import Picture, StoredPicture
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.results.results import Result
from napari_pixcell.studio.results.spill import Spill, disk_limit, memory_limit

SECTION = "results"


class GalleryMemory:
    """Keeps the pixels of variants within their limits in memory and on disk.

    Pixels of variants without a star move to disk, oldest first. Above the limit on disk such
    variants are evicted. Variants that are starred, shown or in use are never touched.

    Parameters
    ----------
    background : Background
        Threads of the session.
    notices : Notices
        Shows problems.
    results : sequence of Result
        The variants of the gallery, oldest first, as they change.
    in_use : callable
        Whether a variant is needed although it is not shown.
    evict : callable
        Removes variants from the gallery, to make room on disk.
    """

    def __init__(
        self,
        background: Background,
        notices: Notices,
        results: Sequence[Result],
        in_use: Callable[[Result], bool],
        evict: Callable[[list[Result]], None],
    ) -> None:
        self._background, self._notices = background, notices
        self._results, self._in_use, self._evict = results, in_use, evict
        self._spill = Spill()
        self._moving = False

    def fetch(self, result: Result, then: Callable[[], object]) -> None:
        def came(image: Picture) -> None:
            result.memory = image
            then()

        self._background.compute(
            lambda: result.image, came, lambda message: self._notices.say(SECTION, message)
        )

    def delete(self, result: Result) -> None:
        def work() -> None:
            if isinstance(result.memory, StoredPicture):
                result.memory.delete()
            if result.place is not None:
                result.place.unlink(missing_ok=True)

        # In the thread that also exports, so that no export loses the pixels that it reads.
        self._background.compute(work, lambda _: None, lambda _: None)

    def close(self) -> None:
        self._spill.close()

    def fit(self) -> None:
        """Move the pixels of the oldest variants to disk until the others fit into memory."""
        if self._moving:
            return
        held = [r for r in self._results if not r.starred and isinstance(r.memory, np.ndarray)]
        leaving = self._excess(held, memory_limit())
        if not leaving:
            return
        self._moving = True
        images = {result: result.memory for result in leaving if result.place is None}

        def write() -> None:
            for result, image in images.items():
                if isinstance(image, np.ndarray):
                    result.place = self._spill.write(result.number, image)

        def settle(message: str = "") -> None:
            self._moving = False
            for result in leaving:
                if result.place is not None and result in self._results and self._movable(result):
                    result.memory = None
            self._fit_disk()
            if message:
                self._notices.say(SECTION, message)
            elif any(result.memory is None for result in leaving):
                self.fit()  # more may have come meanwhile

        self._background.compute(write, lambda _: settle(), settle)

    def _fit_disk(self) -> None:
        stored = [r for r in self._results if r.place is not None and not r.starred]
        evicted = self._excess(stored, disk_limit())
        for result in evicted:
            self.delete(result)
        if evicted:
            self._evict(evicted)

    def _excess(self, results: list[Result], limit: int) -> list[Result]:
        """Return the oldest variants that must go for the others to fit into ``limit`` bytes."""
        over = sum(_bytes(result) for result in results) - limit
        excess = []
        for result in results:
            if over <= 0:
                break
            if self._movable(result):
                excess.append(result)
                over -= _bytes(result)
        return excess

    def _movable(self, result: Result) -> bool:
        return not (result.starred or result.shown or self._in_use(result))


def _bytes(result: Result) -> int:
    height, width, channels = result.shape
    return height * width * channels
