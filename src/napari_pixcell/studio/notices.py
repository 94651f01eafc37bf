"""Messages for the sections of the dock."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from psygnal import Signal

from napari_pixcell.errors import PixCellError


class Notices:
    """The message of each section: a problem or a note."""

    changed = Signal()  # anything that the dock shows has changed

    def __init__(self) -> None:
        self.problems: dict[str, str] = {}
        self.notes: dict[str, str] = {}

    def say(self, section: str, message: str) -> None:
        """Show a problem in a section. An empty message clears its problem and its note."""
        self.notes.pop(section, None)
        if message:
            self.problems[section] = message
        else:
            self.problems.pop(section, None)
        self.changed.emit()

    def note(self, section: str, message: str) -> None:
        """Show a note in a section, in place of its problem."""
        self.problems.pop(section, None)
        self.notes[section] = message
        self.changed.emit()

    @contextlib.contextmanager
    def reporting(self, section: str) -> Iterator[None]:
        """Show a ``PixCellError`` of the block as the problem of a section."""
        self.problems.pop(section, None)
        try:
            yield
        except PixCellError as error:
            self.say(section, str(error))
