"""Saving a session by itself, shortly after each change, without keeping anyone waiting."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psygnal import Signal

from napari_pixcell.preferences import sessions_wanted
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.cells.layouts import Layouts
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.regions.regions import Regions
from napari_pixcell.studio.results.gallery import Gallery
from napari_pixcell.studio.results.results import Result
from napari_pixcell.studio.saving import places
from napari_pixcell.studio.saving.book import Book
from napari_pixcell.studio.saving.folder import SessionFolder
from napari_pixcell.studio.saving.slide_mark import SlideMark
from napari_pixcell.studio.saving.snapshot import Snapshots
from napari_pixcell.studio.slides import Slides

log = logging.getLogger(__name__)

PAUSE_S, LONGEST_S = 1.0, 5.0  # after the last change, and after the first
AGAIN_S = 10.0  # after an error
HELD_S = 0.3
NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)


@dataclass(eq=False)
class Saver:
    """Saves the session of each slide to a folder of its own.

    :meth:`tick` is called often, in the main thread. It takes a snapshot when one is due, and the
    saver's own thread writes it.
    """

    saved = Signal(str)  # the session of the slide with this key was written

    slides: Slides
    regions: Regions
    layouts: Layouts
    gallery: Gallery
    snapshots: Snapshots
    background: Background
    notices: Notices

    def __post_init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "pixcell-saving")
        self._books: dict[str, Book] = {}
        self._dirty: dict[str, tuple[float, float]] = {}
        self._strokes: dict[int, int] = {}
        self._held: dict[str, dict[str, Any]] | None = None
        self._held_at = 0.0
        self._writing: Future[None] | None = None
        self._last: Future[Any] | None = None
        self._not_before = 0.0
        self._failing = False
        self._restoring = 0
        self.started = self.closed = False
        self.on = False  # saving is switched on; start() reads the preference
        # Seconds from the last and the first change until it is saved.
        self.pause, self.longest = PAUSE_S, LONGEST_S

    def start(self) -> None:
        """Begin to save, and look for earlier sessions of the slide."""
        if self.started:
            return
        self.started, self.on = True, sessions_wanted()
        self.notices.changed.connect(self._changed)
        self.layouts.changed.connect(self._stroke)
        self.layouts.counted.connect(self._stroke)
        self.gallery.added.connect(self._of_result)
        self.gallery.removed.connect(self._of_result)
        self.slides.changed.connect(self._look_at_slide)
        self._look_at_slide()

    def book(self, key: str = "") -> Book | None:
        """Give what is known about the session of a slide, by default of the current one."""
        return self._books.get(key or self.slides.key)

    # -- what changed --------------------------------------------------------------------

    def _changed(self) -> None:
        self._mark(self.slides.key)

    def _of_result(self, result: Result) -> None:
        self._mark(result.target.slide)

    def _stroke(self, item: RegionItem) -> None:
        self._strokes[item.number] = self._strokes.get(item.number, 0) + 1
        self._mark(item.slide)

    def _mark(self, key: str) -> None:
        if key in self._books:
            now = time.monotonic()
            self._dirty[key] = self._dirty.get(key, (now, now))[0], now

    def _look_at_slide(self) -> None:
        """Find out how the current slide is known again, and whether it has a session."""
        slide, key = self.slides.current, self.slides.key
        if not self.started or self.closed or slide is None or key in self._books:
            return
        book = self._books[key] = Book(key, slide.short_name)
        restoring = self._restoring > 0

        def work() -> None:
            mark = SlideMark.of(slide)
            if self.on and not restoring:
                book.offer = places.find(mark, book.stem)
            book.mark = mark

        def done(error: BaseException | None) -> None:
            if error is not None:
                log.warning("the slide cannot be looked at for its session: %s", error)
            self.notices.changed.emit()

        self._run(work, done)

    @property
    def offer(self) -> places.Offer | None:
        """The earlier session of the current slide, until there is something new."""
        book = self.book()
        if book is None or book.folder is not None or self._worth(book):
            return None
        return book.offer

    # -- when ----------------------------------------------------------------------------

    def tick(self) -> None:
        """Save what is due; costs nothing otherwise."""
        if self._held is not None and time.monotonic() - self._held_at > HELD_S:
            self._held = None
        if not self._dirty or not self.on or self._restoring or self._busy:
            return
        now = time.monotonic()
        if now < self._not_before:
            return
        for key, (first, last) in list(self._dirty.items()):
            if now - last >= self.pause or now - first >= self.longest:
                del self._dirty[key]
                self._save(self._books[key], self._take(key))
                return

    @property
    def _busy(self) -> bool:
        return self._writing is not None and not self._writing.done()

    def before_removal(self) -> None:
        """Note how things are before a layer is removed: the window may be closing.

        A window that closes removes its layers one by one, which must not be taken for the user
        deleting regions and layouts. What is taken here is saved if the session is closed before
        the next turn of the main thread.
        """
        if self._held is None and self.on and not self._restoring:
            self._held = {key: self._take(key) for key in self._dirty | dict.fromkeys(self._open)}
            self._held_at = time.monotonic()

    @property
    def _open(self) -> list[str]:
        return [key for key, book in self._books.items() if book.folder is not None]

    def _take(self, key: str) -> dict[str, Any]:
        """Take a snapshot; an empty one where that fails, which must not stop the window."""
        try:
            return self.snapshots.take(key, self._strokes)
        except Exception as error:
            self._failed(self._books[key], error)
            return {}

    def _worth(self, book: Book) -> bool:
        regions = any(item.slide == book.key for item in self.regions.items.values())
        return regions or any(r.target.slide == book.key for r in self.gallery.results)

    # -- writing -------------------------------------------------------------------------

    def _save(self, book: Book, snapshot: dict[str, Any]) -> None:
        if book.off or not snapshot:
            return
        if book.folder is None and not (snapshot["regions"] or snapshot["results"]):
            return

        def work() -> bool:
            if book.mark is None:
                raise OSError(errno.EIO, "the slide cannot be read")
            if book.folder is None:
                self._settle(book)
            return book.write(snapshot)

        first = book.folder is None

        def done(error: BaseException | None) -> None:
            if error is None:
                self._worked(book, first)
            else:
                self._failed(book, error)

        self._writing = self._run(work, done)

    def _settle(self, book: Book) -> None:
        """Make a folder: beside the slide if that can be, else in the user's own."""
        assert book.mark is not None
        preferred = book.place or places.beside(book.mark)
        if preferred is not None:
            try:
                book.use(places.create(preferred, book.stem))
                return
            except OSError as error:
                if error.errno not in NOT_ALLOWED:
                    raise
        book.elsewhere = book.mark.path is not None and not book.mark.path.is_relative_to(
            places.OWN
        )
        book.use(places.create(places.own_folder(), book.stem))

    def _worked(self, book: Book, first: bool) -> None:
        if self._failing:
            self._failing = False
            self.notices.note("slide", "Your work is being saved again.")
        if first and book.elsewhere and book.folder is not None:
            self.notices.note(
                "slide",
                "Nothing can be written beside the slide, so your work is saved as "
                f"“{book.folder.path.name}” in your own folder; “Session” shows where.",
            )
        elif first:
            self.notices.changed.emit()
        self.saved.emit(book.key)

    def _failed(self, book: Book, error: BaseException) -> None:
        self._not_before = time.monotonic() + AGAIN_S
        self._mark(book.key)
        if self._failing:
            return
        self._failing = True
        log.warning("the session cannot be saved", exc_info=error)
        reason = getattr(error, "strerror", None) or type(error).__name__
        self.notices.say(
            "slide",
            f"Your work is not being saved ({reason}); make room on the disk, or choose another "
            "place with “Session”. It is tried again.",
        )

    def _run(self, work: Callable[[], Any], done: Callable[[BaseException | None], None]) -> Any:
        future = self._last = self._thread.submit(work)
        future.add_done_callback(lambda f: self.background.post(lambda: done(f.exception())))
        return future

    # -- what the user asks for ----------------------------------------------------------

    def flush(self, seconds: float = 10.0) -> None:
        """Save now, and wait for it; for scripts and tests."""
        end = time.monotonic() + seconds
        self._not_before = 0.0
        while time.monotonic() < end:
            self.background.pump()
            if self._last is not None and not self._last.done():
                time.sleep(0.005)
            elif self.background.pump():
                continue  # what came of it may have more to be saved
            elif self._dirty:
                for key in self._dirty:
                    self._dirty[key] = (0.0, 0.0)
                before = len(self._dirty)
                self.tick()
                if len(self._dirty) == before:
                    return  # off, or restoring
            else:
                return

    def save_as(self, path: Path) -> None:
        """Save the current session to another folder from now on, with all that is in it."""
        book = self.book()
        if book is None:
            return
        path = path if path.suffix == places.SUFFIX else path.with_name(path.name + places.SUFFIX)

        def work() -> None:
            folder = SessionFolder(path)
            folder.create()
            book.move_to(folder)

        def done(error: BaseException | None) -> None:
            if isinstance(error, FileExistsError):
                self.notices.say(
                    "slide", f"There is a folder “{path.name}” already; choose another name."
                )
            elif error is not None:
                reason = getattr(error, "strerror", None) or type(error).__name__
                self.notices.say(
                    "slide", f"Nothing can be saved there ({reason}); choose another place."
                )
            else:
                book.off, self._not_before = False, 0.0
                self.on = True
                self.notices.note("slide", f"Your work is saved as “{path.name}”.")
                self._mark(book.key)

        self._run(work, done)

    def switch(self, on: bool) -> None:
        """Save the current session by itself, or do not."""
        book = self.book()
        if book is not None:
            book.off = not on
            self.on = self.on or on
            self._mark(book.key)
            words = "is saved by itself" if on else "is not saved any more; what is there stays"
            self.notices.note("slide", f"Your work on this slide {words}.")

    def where(self) -> str:
        """Say where the current session is saved."""
        book = self.book()
        if book is None:
            return "Open a session that was saved, or drop its folder on this panel."
        if not self.on or book.off:
            return "Your work on this slide is not saved."
        if book.folder is None:
            return "Your work is saved by itself as soon as there is a region."
        when = f", last {places.day(book.saved)}" if book.saved is not None else ""
        return f"Your work is saved by itself in {book.folder.path}{when}."

    # -- opening -------------------------------------------------------------------------

    def begin_restoring(self) -> None:
        """Save nothing until :meth:`adopt`: what is half opened must not replace what was saved."""
        self._restoring += 1

    def adopt(
        self,
        key: str,
        folder: SessionFolder | None,
        place: Path | None,
        names: dict[Hashable, str],
        id_: str = "",
    ) -> None:
        """Go on with the folder that was opened; without one, with a new one in ``place``.

        Parameters
        ----------
        key : str
            Of the slide; empty where nothing was opened.
        folder : SessionFolder, optional
            Its lock is ours.
        place : Path, optional
            Where to make a new one.
        names : dict
            Files that are there, by the keys of what is in them.
        id_ : str
            Of the session, where it is the same.
        """
        self._restoring -= 1
        book = self._books.get(key)
        if book is None:
            if folder is not None:
                folder.release()
            return

        def work() -> None:
            book.use(folder)
            book.names = dict(names)
            book.place, book.offer, book.id = place, None, id_ or book.id

        self._run(work, lambda _: self._mark(key))

    def close(self) -> None:
        """Save what is not saved yet, and let go of the folders; does not wait for it."""
        if self.closed:
            return
        self.closed = True
        held = self._held
        if self.on and not self._restoring:
            for key in self._open + [key for key in self._dirty if key not in self._open]:
                if held is None:
                    self._save(self._books[key], self._take(key))
                elif key in held:
                    self._save(self._books[key], held[key])
        for book in self._books.values():
            self._thread.submit(book.use, None)
        self._thread.shutdown(wait=False)


__all__ = ["Saver"]
