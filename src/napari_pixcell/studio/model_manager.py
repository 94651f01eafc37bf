"""The model manager's state, without Qt: which families are here, and getting the others."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psygnal import Signal

from napari_pixcell.errors import PixCellError
from napari_pixcell.models import hub
from napari_pixcell.models.catalogue import WeightSet
from napari_pixcell.models.families import get_weight_set, weight_sets
from napari_pixcell.models.licences import licence_texts
from napari_pixcell.models.memory import this_machine, verdict
from napari_pixcell.models.store import missing, set_weights_folder
from napari_pixcell.models.transport import export_family, import_folder, remove
from napari_pixcell.preferences import set_idle_minutes
from napari_pixcell.studio.background import Background, sentence


@dataclass(frozen=True)
class Row:
    """A family as the manager shows it.

    Parameters
    ----------
    family : WeightSet
        Which one.
    state : str
        ``bundled``, ``installed``, or what is missing.
    installed : bool
        Whether it can be used.
    gated : bool
        Whether access has to be asked for.
    verdict : str
        How it runs on this machine.
    """

    family: WeightSet
    state: str
    installed: bool
    gated: bool
    verdict: str

    @property
    def size(self) -> str:
        """Size of all files, for people."""
        amount = self.family.bytes
        return f"{amount / 1e9:.1f} GB" if amount >= 1e9 else f"{amount / 1e6:.0f} MB"


class Shelf:
    """Lists families, and gets, removes, exports and imports their files.

    Everything that takes time runs in a thread of its own, so that a download of hours keeps
    nothing else waiting; its outcome comes with the background's pump.

    Parameters
    ----------
    background : Background
        Brings outcomes to the main thread.
    installed : callable
        Called when what is installed may have changed.

    Attributes
    ----------
    changed : Signal
        Anything the manager shows.
    progress : tuple of int, int, str, or None
        Bytes done, bytes in all and a word, while something is under way.
    problem, note : str
        What went wrong, or well, last.
    """

    changed = Signal()

    def __init__(self, background: Background, installed: Callable[[], None]) -> None:
        self._background = background
        self._installed = installed
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.progress: tuple[int, int, str] | None = None
        self.problem = self.note = ""

    @property
    def busy(self) -> bool:
        """Whether something is under way."""
        return self._thread is not None

    def rows(self) -> list[Row]:
        """Give every family, and Cellpose, with its state."""
        machine = this_machine()
        return [self._row(family, machine) for family in weight_sets().values()]

    def _row(self, family: WeightSet, machine: Any) -> Row:
        left = missing(family)
        state = "bundled" if family.bundled else "installed"
        if left:
            here = len(family.parts) - len(left)
            state = "not installed" if not here else f"{here} of {len(family.parts)} parts here"
        gated = any(part.gated for part in left)
        return Row(family, state, not left, gated, verdict(family, machine))

    def offer(self, name: str) -> str:
        """Say what getting a family means: size, licences, gates."""
        return hub.offer(get_weight_set(name))

    def licence(self, name: str) -> str:
        """Give the licence texts that were kept beside the weights, else their names."""
        family = get_weight_set(name)
        return "\n\n".join(licence_texts(family).values()) or family.licence

    def get(self, name: str) -> None:
        """Download what is missing of a family; call it only after the user agreed."""
        family = get_weight_set(name)

        def work() -> str:
            hub.download(missing(family), self._tell, self._stop.is_set)
            return f"{family.title} is installed."

        self._start(work)

    def cancel(self) -> None:
        """Stop a download; what has come so far is kept for the next time."""
        self._stop.set()
        self.changed.emit()

    def remove(self, name: str) -> None:
        """Delete the files of a family that no other installed one uses."""
        family = get_weight_set(name)

        def work() -> str:
            remove(family)
            if not missing(family):
                return f"{family.title} stays: its files lie in a folder that you filled yourself."
            return f"{family.title} was removed; what other models use stays."

        self._start(work)

    def export(self, name: str, folder: Path) -> None:
        """Copy a family to a folder, for a machine without internet."""
        family = get_weight_set(name)

        def work() -> str:
            export_family(family, folder, self._tell)
            return f"{family.title} was copied; on the other machine choose “Import a folder…”."

        self._start(work)

    def import_(self, folder: Path) -> None:
        """Take over a folder that :meth:`export` made."""

        def work() -> str:
            import_folder(folder, self._tell)
            return "The folder was checked and taken over."

        self._start(work)

    def locate(self, folder: Path) -> None:
        """Look for weights in ``folder`` from now on."""

        def work() -> str:
            set_weights_folder(folder)
            return f"Weights are looked for in {folder.name} first."

        self._start(work)

    def unload_after(self, minutes: int) -> None:
        """Let networks leave the memory after so many minutes without work; 0 is never."""
        try:
            set_idle_minutes(minutes)
        except PixCellError as error:
            self.note, self.problem = "", str(error)
            self.changed.emit()

    def _tell(self, done: int, total: int, message: str = "") -> None:
        def take() -> None:
            self.progress = done, total, message
            self.changed.emit()

        self._background.post(take)

    def _start(self, work: Callable[[], str]) -> None:
        if self.busy:
            return
        self._stop.clear()
        self.problem = self.note = ""
        self.progress = 0, 0, ""

        def run() -> None:
            note = problem = ""
            try:
                note = work()
            except Exception as error:  # a thread has nobody else to tell
                problem = sentence(error)
            self._background.post(lambda: self._settle(note, problem))

        self._thread = threading.Thread(target=run, name="pixcell-shelf", daemon=True)
        self._thread.start()
        self.changed.emit()

    def _settle(self, note: str, problem: str) -> None:
        self._thread, self.progress = None, None
        if self._stop.is_set() and problem:
            note, problem = "Stopped; what has come so far is kept.", ""
        self.note, self.problem = note, problem
        self._installed()
        self.changed.emit()
