"""Saving a session automatically, shortly after each change, in a thread."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
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
from napari_pixcell.studio.saving.recent import RecentSessions
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
    recent: RecentSessions
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
        """Return the book of a slide, by default of the current one, if it has one."""
        return self._books.get(key or self.slides.key)

    # -- changes -------------------------------------------------------------------------

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
        """Identify the current slide, and search for an earlier session of it."""
        slide, key = self.slides.current, self.slides.key
        if not self.started or self.closed or slide is None or key in self._books:
            return
        book = self._books[key] = Book(key, slide.short_name)
        restoring = self._restoring > 0

        def work() -> None:
            mark = SlideMark.of(slide)
            if self.on and not restoring:
                book.offers = places.find(mark, book.stem)
            book.mark = mark

        def done(error: BaseException | None) -> None:
            if error is not None:
                log.warning("the slide cannot be identified for its session: %s", error)
            self.notices.changed.emit()

        self._run(work, done)

    @property
    def offers(self) -> list[places.Offer]:
        """The earlier sessions of the current slide, newest first."""
        book = self.book()
        return book.offers if book is not None else []

    @property
    def offer(self) -> places.Offer | None:
        """The newest earlier session of the current slide, until one is opened or dismissed."""
        book = self.book()
        return book.offers[0] if book is not None and book.offers and not book.dismissed else None

    def dismiss_offers(self) -> None:
        """Offer the earlier sessions of the current slide no longer; the menu still lists them."""
        book = self.book()
        if book is not None:
            book.dismissed = True
            self.notices.changed.emit()

    # -- timing --------------------------------------------------------------------------

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
        """Take snapshots before a layer is removed: the window may be closing.

        A window that closes removes its layers one by one. That must not look like the user
        deleting regions and layouts. These snapshots are saved if the session is closed within
        ``HELD_S``.
        """
        if self._held is None and self.on and not self._restoring:
            self._held = {key: self._take(key) for key in self._dirty | dict.fromkeys(self._open)}
            self._held_at = time.monotonic()

    @property
    def _open(self) -> list[str]:
        return [key for key, book in self._books.items() if book.folder is not None]

    def _take(self, key: str) -> dict[str, Any]:
        """Return a snapshot; an empty one if that fails, which must not stop the window."""
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
                folder = self._created(book)
                book.use(folder)
                self.recent.remember(folder.path)
            return book.write(snapshot)

        first = book.folder is None

        def done(error: BaseException | None) -> None:
            if error is None:
                self._worked(book, first)
            else:
                self._failed(book, error)

        self._writing = self._run(work, done)

    def _created(self, book: Book) -> SessionFolder:
        """Create a folder: beside the slide if possible, else in the user's data folder."""
        assert book.mark is not None
        preferred = book.parent or places.beside(book.mark)
        if preferred is not None:
            try:
                return places.create(preferred, book.stem)
            except OSError as error:
                if error.errno not in NOT_ALLOWED:
                    raise
        book.elsewhere = book.mark.path is not None and not book.mark.path.is_relative_to(
            places.OWN
        )
        return places.create(places.own_folder(), book.stem)

    def _worked(self, book: Book, first: bool) -> None:
        if self._failing:
            self._failing = False
            self.notices.note("slide", "Your work is being saved again.")
        if first and book.elsewhere and book.folder is not None:
            self.notices.note(
                "slide",
                "The folder of the slide is read-only. Your work is saved as "
                f"“{book.folder.path.name}” in your own folder. The ⋯ menu shows the path.",
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
            f"Your work is not being saved ({reason}). Free some disk space, or choose another "
            "folder by “Save session as…” in the ⋯ menu. Saving is retried.",
        )

    def _run(self, work: Callable[[], Any], done: Callable[[BaseException | None], None]) -> Any:
        try:
            future = self._thread.submit(work)
        except RuntimeError:  # Python is exiting, and its threads take no more work
            future = _done_here(work)
        self._last = future
        future.add_done_callback(lambda f: self.background.post(lambda: done(f.exception())))
        return future

    # -- the user's requests --------------------------------------------------------------

    def flush(self, seconds: float = 10.0) -> None:
        """Save now, and wait until it is done; for scripts and tests."""
        end = time.monotonic() + seconds
        self._not_before = 0.0
        while time.monotonic() < end:
            self.background.pump()
            if self._last is not None and not self._last.done():
                time.sleep(0.005)
            elif self.background.pump():
                continue  # its outcome may need saving too
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
        """Save the current session to another folder from now on, with all its files."""
        book = self.book()
        if book is None:
            return
        path = path if path.suffix == places.SUFFIX else path.with_name(path.name + places.SUFFIX)

        def work() -> None:
            folder = SessionFolder(path)
            folder.create()
            book.move_to(folder)
            self.recent.remember(path)

        def done(error: BaseException | None) -> None:
            if isinstance(error, FileExistsError):
                self.notices.say(
                    "slide", f"The folder “{path.name}” exists already. Choose another name."
                )
            elif error is not None:
                reason = getattr(error, "strerror", None) or type(error).__name__
                self.notices.say(
                    "slide", f"Your work cannot be saved there ({reason}). Choose another folder."
                )
            else:
                book.off, self._not_before = False, 0.0
                self.on = True
                self.notices.note("slide", f"Your work is saved as “{path.name}”.")
                self._mark(book.key)

        self._run(work, done)

    def switch(self, on: bool) -> None:
        """Switch automatic saving of the current session on or off."""
        book = self.book()
        if book is not None:
            book.off = not on
            self.on = self.on or on
            self._mark(book.key)
            self.notices.note(
                "slide",
                "Your work on this slide is saved automatically."
                if on
                else "Your work on this slide is no longer saved. The saved session stays.",
            )

    def where(self) -> str:
        """Return where the current session is saved, in words."""
        book = self.book()
        if book is None:
            return "Open a saved session, or drop its folder on this panel."
        if not self.on or book.off:
            return "Your work on this slide is not saved."
        if book.folder is None:
            return "Your work is saved automatically once you add a region."
        when = f", last {places.day(book.saved)}" if book.saved is not None else ""
        return f"Your work is saved automatically in {book.folder.path}{when}."

    # -- opening -------------------------------------------------------------------------

    def begin_restoring(self) -> None:
        """Save nothing until :meth:`adopt`: a session that is half opened must not be saved."""
        self._restoring += 1

    def adopt(
        self,
        key: str,
        folder: SessionFolder | None,
        parent: Path | None,
        names: dict[Hashable, str],
        id_: str = "",
    ) -> None:
        """Save to the folder that was opened, or to a new one in ``parent``.

        Parameters
        ----------
        key : str
            Key of the slide; empty if nothing was opened.
        folder : SessionFolder, optional
            Locked by this window.
        parent : Path, optional
            Parent of a new folder.
        names : dict
            Files of the folder, by the keys of their arrays.
        id_ : str
            Identifier of the session; by default a new one.
        """
        self._restoring = max(0, self._restoring - 1)
        book = self._books.get(key)
        if book is None:
            if folder is not None:
                folder.release()
            return
        book.dismissed = True
        book.offers = [one for one in book.offers if folder is None or one.path != folder.path]

        def work() -> None:
            book.use(folder)
            book.names = dict(names)
            book.parent, book.id = parent, id_ or book.id

        self._run(work, lambda _: self._mark(key))

    def close(self) -> None:
        """Start to save what is not saved yet, and unlock the folders; does not wait."""
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
            self._run(partial(book.use, None), lambda _: None)
        self._thread.shutdown(wait=False)


def _done_here(work: Callable[[], Any]) -> Future[Any]:
    """Work in this thread, and return the outcome."""
    future: Future[Any] = Future()
    try:
        future.set_result(work())
    except Exception as error:
        future.set_exception(error)
    return future


__all__ = ["Saver"]
