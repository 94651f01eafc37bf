"""Messages for the sections of the dock."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from psygnal import Signal

from napari_pixcell.errors import PixCellError

OF_REGIONS = ("style", "layout")  # sections that show the active region


class Notices:
    """The message of each section: a problem or a note.

    A message about a region is shown while that region is active. It is kept while another one is.
    """

    changed = Signal()  # anything that the dock shows has changed

    def __init__(self) -> None:
        self.problems: dict[str, str] = {}
        self.notes: dict[str, str] = {}
        self._region = 0  # number of the active region
        self._kept: dict[tuple[str, int], tuple[str, str]] = {}  # of the other regions

    def say(self, section: str, message: str, about: int | None = None) -> None:
        """Show a problem in a section. An empty message clears its problem and its note.

        Parameters
        ----------
        section : str
        message : str
        about : int, optional
            Number of the region that it is about; by default the active one.
        """
        self._put(section, message, "", about)

    def note(self, section: str, message: str, about: int | None = None) -> None:
        """Show a note in a section, in place of its problem; see :meth:`say`."""
        self._put(section, "", message, about)

    def _put(self, section: str, problem: str, note: str, about: int | None) -> None:
        if section in OF_REGIONS and about not in (None, self._region):
            self._kept[section, about or 0] = problem, note
        else:
            self._show(section, problem, note)
            self.changed.emit()

    def _show(self, section: str, problem: str, note: str) -> None:
        for messages, text in ((self.problems, problem), (self.notes, note)):
            messages.pop(section, None)
            if text:
                messages[section] = text

    def turn_to(self, region: int) -> None:
        """Show the messages about a region, and keep those about the one before."""
        before, self._region = self._region, region
        if region == before:
            return
        for section in OF_REGIONS:
            self._kept[section, before] = (
                self.problems.get(section, ""),
                self.notes.get(section, ""),
            )
            self._show(section, *self._kept.pop((section, region), ("", "")))

    @contextlib.contextmanager
    def reporting(self, section: str) -> Iterator[None]:
        """Show a ``PixCellError`` of the block as the problem of a section."""
        self.problems.pop(section, None)
        try:
            yield
        except PixCellError as error:
            self.say(section, str(error))
