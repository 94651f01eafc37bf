"""Progress of a command on stderr, with rate and time left."""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from napari_pixcell.cli.messages import QUIET, note
from napari_pixcell.engine.events import Event, Notice, Progress
from napari_pixcell.words import file_size, pace

if TYPE_CHECKING:
    import rich.progress

log = logging.getLogger("napari_pixcell.progress")

REFRESH = 0.1  # seconds between updates of a line on a terminal
EVERY = 30.0  # seconds between lines where there is no terminal
PARTS, BRIEF = 20, 5.0  # or for each of so many parts of the work, if it took these seconds
BAR = 20  # characters
_HAS_COUNT = re.compile(r"\d of \d")
_HAS_SPEED = re.compile(r"\d.*/(s|min|h)\b| left$")


class ProgressLine:
    """The progress of some work: one line of a terminal, or a line every so often elsewhere.

    Use it in a ``with`` statement, so that the last line is shown whatever happens.

    Parameters
    ----------
    lines : bool
        Whether to print lines where there is no terminal. They are logged in any case.
    clock : callable
        Returns the time in seconds.
    """

    def __init__(self, lines: bool = True, clock: Callable[[], float] = time.monotonic) -> None:
        quiet = QUIET in os.environ or sys.stderr is None
        self._live = None if quiet or not _on_terminal() else _LiveLine()
        self._prints = lines and not quiet and self._live is None
        self._clock = clock
        self._rate = _Rate()
        self._words = ""  # what is not yet printed
        self._printed: tuple[float, int] | None = None  # when, and in which part of the work

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def show(self, text: str, done: int = 0, total: int = 0, unit: str = "") -> None:
        """Show an activity and how far it is, at once or soon.

        Parameters
        ----------
        text : str
            The activity in words, which may name the numbers.
        done, total : int
            Work done, of all; a total of 0 is unknown.
        unit : str
            Unit of the rate; "bytes" are shown in kB, MB or GB.
        """
        now = self._clock()
        speed = self._rate.words(done, total, now, unit)
        self._words = _sentence(text, done, total, speed, unit)
        if self._live is not None:
            self._live.show(self._words, done, total, now)
        part = PARTS * done // total if total else 0
        if self._is_due(part, now):
            self._print(part, now)

    def emit(self, event: Event) -> None:
        """Show an event of an engine, if it tells progress or is a notice."""
        match event:
            case Notice(message):
                note(message)
            case Progress(done, total, message):
                self.show(message, done, total)

    def end(self) -> None:
        """Show the last text, and leave its line."""
        if self._live is not None:
            self._live.end()
        if self._words:
            self._print(PARTS, self._clock())
        self._printed = None

    def _is_due(self, part: int, now: float) -> bool:
        if self._printed is None:
            return True
        waited = now - self._printed[0]
        return waited >= EVERY or (waited >= BRIEF and part != self._printed[1])

    def _print(self, part: int, now: float) -> None:
        words, self._words, self._printed = self._words, "", (now, part)
        if self._prints:
            note(words)
        else:
            log.info("%s", words)


class _Rate:
    """Speed of the work, since its present part began."""

    def __init__(self) -> None:
        self._first = self._last = self._total = 0
        self._began = 0.0

    def words(self, done: int, total: int, now: float, unit: str) -> str:
        """Return speed and time left in words; empty if they are unknown."""
        if total != self._total or done < self._last:
            self._first, self._total, self._began = done, total, now
        self._last = done
        return pace(done - self._first, total - done, now - self._began, unit) if total else ""


class _LiveLine:
    """A line of a terminal with a bar, rewritten in place."""

    def __init__(self) -> None:
        self._progress: rich.progress.Progress | None = None
        self._drawn = 0.0

    def show(self, words: str, done: int, total: int, now: float) -> None:
        if self._progress is None:
            self._progress = _new_progress()
            self._progress.add_task("", total=None)
        (task,) = self._progress.tasks
        task.description, task.completed, task.total = words, done, total or None
        if now - self._drawn >= REFRESH:
            self._drawn = now
            with suppress(OSError, ValueError):  # the terminal was closed; the work continues
                self._progress.start()
                self._progress.refresh()

    def end(self) -> None:
        """Draw the line as it is now, and leave it."""
        progress, self._progress, self._drawn = self._progress, None, 0.0
        if progress is None:
            return
        error = progress.console.file  # rich may fail to put it back
        try:
            progress.start()
            progress.stop()
        except (OSError, ValueError, IndexError):
            sys.stderr = error


def _on_terminal() -> bool:
    """True if stderr is a terminal whose lines can be rewritten."""
    return sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


def _new_progress() -> rich.progress.Progress:
    from rich.console import Console
    from rich.progress import BarColumn, ProgressColumn, Task
    from rich.progress import Progress as Bars
    from rich.text import Text

    class Words(ProgressColumn):
        """The text of the line, cut where the terminal ends."""

        def render(self, task: Task) -> Text:
            return Text(task.description, no_wrap=True, overflow="ellipsis")

    class Terminal(Console):
        """A console whose end does not end the program."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    # Messages that are printed meanwhile go above the line. Results on stdout are not touched.
    console = Terminal(file=sys.stderr, force_terminal=True)
    columns: list[Any] = [BarColumn(BAR), Words()] if console.width >= 3 * BAR else [Words()]
    return Bars(*columns, console=console, auto_refresh=False, redirect_stdout=False)


def _sentence(text: str, done: int, total: int, speed: str, unit: str) -> str:
    """Return an activity with its numbers, unless the engine has put them into words."""
    if text.endswith("%"):  # an activity after the steps that are counted
        return text
    if unit == "bytes":
        amount = f"{file_size(done)} of {file_size(total)}" if total else ""
    elif not total or f" of {total:,}" in text:
        amount = ""
    elif _HAS_COUNT.search(text):  # of a part of the work
        amount = f"{100 * done // total} %"
    else:
        amount = f"{done:,} of {total:,}"
    if _HAS_SPEED.search(text):
        speed = ""
    return ", ".join(filter(None, (text, amount, speed)))
