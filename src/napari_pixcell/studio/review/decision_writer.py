"""Decisions on their way to the disk: written in a thread, and kept until they are there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from napari_pixcell.datasets.store.decisions import Decision, decide
from napari_pixcell.errors import PixCellError
from napari_pixcell.studio.background import Background

Decisions = dict[int, Decision | None]


class DecisionWriter:
    """Writes decisions on the pairs of a dataset, many at once where they come fast.

    The file only grows, a line at a time, so that no lock is needed and a dataset may be reviewed
    while it is made.

    Parameters
    ----------
    folder : Path
        Of the dataset.
    background : Background
        Whose computing thread writes.
    changed : callable
        Called in the main thread after each attempt.

    Attributes
    ----------
    waiting : dict
        What is not on the disk yet.
    problem : str
        Why the last attempt failed; empty where it did not.
    """

    def __init__(self, folder: Path, background: Background, changed: Callable[[], None]) -> None:
        self.folder = folder
        self.waiting: Decisions = {}
        self.problem = ""
        self._background = background
        self._changed = changed
        self._writing = False
        self._closed = False
        self._disk = threading.Lock()

    def put(self, decisions: Decisions) -> None:
        """Have these written."""
        self.waiting.update(decisions)
        self.retry()

    def retry(self) -> None:
        """Write what waits."""
        if self._writing or not self.waiting:
            return
        self._writing = True
        batch = dict(self.waiting)
        self._background.compute(
            lambda: self._store(batch), lambda _: self._stored(batch), self._failed
        )

    def close(self) -> None:
        """Write what waits at once, and nothing afterwards.

        Raises
        ------
        PixCellError
            If it cannot be written; then it still waits.
        """
        with self._disk:  # a write that is under way ends first
            if self.waiting:
                self._write(self.waiting)
            self._closed = True
            self.waiting = {}

    def _store(self, batch: Decisions) -> None:
        with self._disk:
            if not self._closed:
                self._write(batch)

    def _write(self, decisions: Decisions) -> None:
        try:
            decide(self.folder, decisions)
        except OSError as error:
            what = "1 decision" if len(decisions) == 1 else f"{len(decisions):,} decisions"
            raise PixCellError(
                f"{what} cannot be stored in {self.folder.name} ({error.strerror}); mend that, "
                "then press “Try again”: until then the studio remembers."
            ) from error

    def _stored(self, batch: Decisions) -> None:
        self._writing, self.problem = False, ""
        for index, what in batch.items():
            if index in self.waiting and self.waiting[index] == what:
                del self.waiting[index]
        self._changed()
        self.retry()

    def _failed(self, sentence: str) -> None:
        self._writing, self.problem = False, sentence
        self._changed()
