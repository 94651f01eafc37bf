"""The model manager's state, without Qt: which families are here, and getting the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from psygnal import Signal

from napari_pixcell.errors import PixCellError
from napari_pixcell.models import hub
from napari_pixcell.models.catalogue import WeightSet
from napari_pixcell.models.families import get_weight_set, weight_sets
from napari_pixcell.models.memory import this_machine, verdict
from napari_pixcell.models.store import (
    lacks_only_encoder,
    licence_texts,
    missing,
    set_weights_folder,
)
from napari_pixcell.models.transport import export_family, import_folder, remove
from napari_pixcell.preferences import set_idle_minutes
from napari_pixcell.studio.tasks import Task, Tasks
from napari_pixcell.words import file_size


@dataclass(frozen=True)
class ModelRow:
    """A family in the model manager."""

    family: WeightSet
    state: str  # ``bundled``, ``installed``, or what is missing
    installed: bool
    usable: bool  # also without an encoder
    gated: bool  # whether access must be requested
    verdict: str  # how it will run on this machine

    @property
    def size(self) -> str:
        return file_size(self.family.bytes)


@dataclass(eq=False, kw_only=True)
class ModelTask(Task):
    """A download, a copy or a removal."""

    counted: ClassVar[bool] = False


class ModelManagerState:
    """Lists families, and downloads, removes, exports and imports their files.

    Everything that takes time runs in a thread of its own, so that nothing waits for a long
    download. Outcomes come with the background's pump.

    Parameters
    ----------
    tasks : Tasks
        Background work of the session.
    installed : callable
        Called when the installed models may have changed.
    """

    changed = Signal()  # anything that the manager shows

    def __init__(self, tasks: Tasks, installed: Callable[[], None]) -> None:
        self._tasks = tasks
        self._installed = installed
        self.problem = self.note = ""  # the last error, or the last result

    @property
    def _task(self) -> ModelTask | None:
        return next(iter(self._tasks.of(ModelTask)), None)

    @property
    def busy(self) -> bool:
        return self._task is not None

    @property
    def progress(self) -> tuple[int, int, str] | None:
        """Bytes done, all bytes and a message, while something is under way."""
        task = self._task
        return (task.done, task.total, task.message) if task is not None else None

    def rows(self) -> list[ModelRow]:
        machine = this_machine()
        return [self._row(family, machine) for family in weight_sets().values()]

    def _row(self, family: WeightSet, machine: Any) -> ModelRow:
        left = missing(family)
        state = "bundled" if family.bundled else "installed"
        if left:
            here = len(family.parts) - len(left)
            state = "not installed" if not here else f"{here} of {len(family.parts)} parts here"
        usable = not left
        if lacks_only_encoder(family):
            state, usable = "without encoder", True
        gated = any(part.gated for part in left)
        return ModelRow(family, state, not left, usable, gated, verdict(family, machine))

    def offer(self, name: str) -> str:
        """Return what downloading a family means: size, licences, access."""
        return hub.offer(get_weight_set(name))

    def licence(self, name: str) -> str:
        """Return the licence texts stored with the weights, or else their names."""
        family = get_weight_set(name)
        return "\n\n".join(licence_texts(family).values()) or family.licence

    def get(self, name: str) -> None:
        """Download what is missing of a family; call it only after the user agreed."""
        family = get_weight_set(name)

        def work(task: ModelTask) -> str:
            hub.download(missing(family), self._teller(task), lambda: task.cancelled)
            return f"{family.title} is installed."

        self._start(work)

    def cancel(self) -> None:
        """Stop a download; it resumes the next time."""
        if self._task is not None:
            self._tasks.cancel(self._task)
        self.changed.emit()

    def remove(self, name: str) -> None:
        """Delete the files of a family that no other installed family uses."""
        family = get_weight_set(name)

        def work(task: ModelTask) -> str:
            remove(family)
            if not missing(family):
                return f"{family.title} stays: its files are in a folder of your own."
            return f"{family.title} was removed. Files that other models use stay."

        self._start(work)

    def export(self, name: str, folder: Path) -> None:
        family = get_weight_set(name)

        def work(task: ModelTask) -> str:
            export_family(family, folder, self._teller(task))
            return f"{family.title} was copied. On the other machine choose “Import a folder…”."

        self._start(work)

    def import_(self, folder: Path) -> None:
        def work(task: ModelTask) -> str:
            import_folder(folder, self._teller(task))
            return "The folder was checked and imported."

        self._start(work)

    def locate(self, folder: Path) -> None:
        """Search ``folder`` for weights from now on."""

        def work(task: ModelTask) -> str:
            set_weights_folder(folder)
            return f"Weights are searched for in {folder.name} first."

        self._start(work)

    def unload_after(self, minutes: int) -> None:
        """Unload networks after some idle minutes; 0 means never."""
        try:
            set_idle_minutes(minutes)
        except PixCellError as error:
            self.note, self.problem = "", str(error)
            self.changed.emit()

    def _teller(self, task: ModelTask) -> Callable[..., None]:
        def tell(done: int, total: int, message: str = "") -> None:
            task.done, task.total, task.message = done, total, message
            self._tasks.background.post(self.changed.emit)

        return tell

    def _start(self, work: Callable[[ModelTask], str]) -> None:
        if self.busy:
            return
        self.problem = self.note = ""
        task = ModelTask()

        def done(note: str) -> None:
            self.note = note

        def ended() -> None:
            self.problem = task.problem
            if task.cancelled and task.problem:
                self.note, self.problem = "Download stopped. It resumes the next time.", ""
            self._installed()
            self.changed.emit()

        self._tasks.run_alone(task, lambda: work(task), done, ended)
        self.changed.emit()
