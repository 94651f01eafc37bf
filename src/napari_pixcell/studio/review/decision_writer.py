"""Decisions on their way to disk: written in a thread, and kept until they are stored."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from napari_pixcell.datasets.store.decisions import Decision, decide
from napari_pixcell.errors import PixCellError
from napari_pixcell.studio.background import Background
from napari_pixcell.words import counted

Decisions = dict[int, Decision | None]


class DecisionWriter:
    """Writes decisions on the pairs of a dataset, several at once if they come fast.

    Lines are only appended to the file. It needs no lock, and a dataset can be reviewed while it
    is generated.

    Parameters
    ----------
    folder : Path
        Folder of the dataset.
    background : Background
        Its computing thread writes.
    changed : callable
        Called in the main thread after each attempt.
    """

    def __init__(self, folder: Path, background: Background, changed: Callable[[], None]) -> None:
        self.folder = folder
        self.waiting: Decisions = {}  # decisions that are not on disk yet
        self.problem = ""  # why the last attempt failed; empty if it did not
        self._background = background
        self._changed = changed
        self._writing = False
        self._closed = False
        self._disk = threading.Lock()

    def put(self, decisions: Decisions) -> None:
        """Queue decisions, and write them as soon as possible."""
        self.waiting.update(decisions)
        self.retry()

    def retry(self) -> None:
        if self._writing or not self.waiting:
            return
        self._writing = True
        batch = dict(self.waiting)

        def work() -> None:
            with self._disk:
                if not self._closed:
                    self._write(batch)

        def done(_: None) -> None:
            self._writing, self.problem = False, ""
            self.waiting = {
                i: d for i, d in self.waiting.items() if i not in batch or batch[i] != d
            }
            self._changed()
            self.retry()

        def failed(message: str) -> None:
            self._writing, self.problem = False, message
            self._changed()

        self._background.compute(work, done, failed)

    def close(self) -> None:
        """Write the waiting decisions at once, and nothing afterwards.

        Raises
        ------
        PixCellError
            If they cannot be written. They keep waiting then.
        """
        with self._disk:  # a write in progress ends first
            if self.waiting:
                self._write(self.waiting)
            self._closed = True
            self.waiting = {}

    def _write(self, decisions: Decisions) -> None:
        try:
            decide(self.folder, decisions)
        except OSError as error:
            raise PixCellError(
                f"{counted(len(decisions), 'decision')} could not be stored in {self.folder.name} "
                f"({error.strerror}). Check the folder, then retry. Until then they are kept in "
                "memory."
            ) from error
