"""What a user asks of saving: another place, not at all, and where it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_pixcell.studio.saving import places
from napari_pixcell.studio.saving.book import Book
from napari_pixcell.studio.saving.folder import SessionFolder

if TYPE_CHECKING:
    from napari_pixcell.studio.session import Session


class Asked:
    """The part of a :class:`~napari_pixcell.studio.saving.saver.Saver` that the user speaks to."""

    on: bool
    _session: Session
    _not_before: float

    def book(self, key: str = "") -> Book | None:
        """Give what is known about the session of a slide, by default of the current one."""
        raise NotImplementedError

    def _mark(self, key: str) -> None:
        raise NotImplementedError

    def _run(self, work: Callable[[], Any], done: Callable[[BaseException | None], None]) -> Any:
        raise NotImplementedError

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
                self._session.say(
                    "slide",
                    f"There is a folder “{path.name}” already; choose another name.",
                )
            elif error is not None:
                reason = getattr(error, "strerror", None) or type(error).__name__
                self._session.say(
                    "slide",
                    f"Nothing can be saved there ({reason}); choose another place.",
                )
            else:
                book.off, self._not_before = False, 0.0
                self.on = True
                self._session.note("slide", f"Your work is saved as “{path.name}”.")
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
            self._session.note("slide", f"Your work on this slide {words}.")

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
