"""Sentences for the sections of the dock."""

from __future__ import annotations

from types import TracebackType

from psygnal import Signal

from napari_pixcell.errors import PixCellError


class Notices:
    """What each section has to say: a problem, or good news.

    Attributes
    ----------
    changed : Signal
        Anything the dock shows.
    problems, notes : dict of str to str
        Sentences by section.
    """

    changed = Signal()

    def __init__(self) -> None:
        self.problems: dict[str, str] = {}
        self.notes: dict[str, str] = {}

    def say(self, section: str, message: str) -> None:
        """Show a problem in a section; an empty message clears it, and the note there."""
        self.notes.pop(section, None)
        if message:
            self.problems[section] = message
        else:
            self.problems.pop(section, None)
        self.changed.emit()

    def note(self, section: str, message: str) -> None:
        """Show good news in a section."""
        self.problems.pop(section, None)
        self.notes[section] = message
        self.changed.emit()

    def reporting(self, section: str) -> Reporting:
        """Turn a ``PixCellError`` in a block into a problem of ``section``."""
        return Reporting(self, section)


class Reporting:
    """Context of :meth:`Notices.reporting`."""

    def __init__(self, notices: Notices, section: str) -> None:
        self._notices = notices
        self._section = section

    def __enter__(self) -> None:
        self._notices.problems.pop(self._section, None)

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> bool:
        if isinstance(error, PixCellError):
            self._notices.say(self._section, str(error))
            return True
        return False
