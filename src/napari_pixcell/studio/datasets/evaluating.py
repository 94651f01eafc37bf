"""Whether the pairs of a dataset help, measured from the dock."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from napari_pixcell.engine.events import Evaluated, Event, Failure, Finished, Notice
from napari_pixcell.evaluation.request import EvaluateRequest
from napari_pixcell.studio.datasets.uses import SECTION
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.tasks import Clock, Task, Tasks


@dataclass(eq=False, kw_only=True)
class EvaluateTask(Task):
    """An evaluation under way."""

    section: str = SECTION
    message: str = "Waiting for the worker"
    found: Evaluated | None = None
    notes: list[str] = field(default_factory=list)

    def progress(self, done: int, total: int, message: str = "") -> None:
        if total != self.total:
            self.clock = Clock()  # reading is over, and training has another pace
        super().progress(done, total, message)


@dataclass(eq=False)
class Evaluation:
    """Evaluates datasets, one at a time. A cancelled evaluation resumes."""

    tasks: Tasks
    notices: Notices

    def __post_init__(self) -> None:
        self.page: Path | None = None  # of the last evaluation

    @property
    def job(self) -> EvaluateTask | None:
        return next(iter(self.tasks.of(EvaluateTask)), None)

    @property
    def busy(self) -> str:
        return self.job.sentence() if self.job is not None else ""

    def start(self, folder: Path, real: Path) -> None:
        """Evaluate a dataset on a folder of labelled tiles, in the worker."""
        if self.job is not None:
            return
        self.page = None
        task = self.tasks.start(EvaluateTask())

        def take(event: Event) -> None:
            match event:
                case Notice(message):
                    task.notes.append(message)
                case Evaluated():
                    task.found = event
                case Failure(message):
                    self.tasks.end(task, message)
                case Finished():
                    self.tasks.end(task)
                    self._finished(task)
            self.notices.changed.emit()

        self.tasks.ask(task, EvaluateRequest(str(folder), str(real)), take)

    def cancel(self) -> bool:
        """Stop the evaluation; finished trainings are kept. True if one was running."""
        job = self.job
        if job is None:
            return False
        self.tasks.cancel(job)
        return True

    def _finished(self, task: EvaluateTask) -> None:
        if task.found is None:
            self.notices.note(SECTION, "The evaluation stopped. Start it again to resume.")
            return
        self.page = Path(task.found.page)
        self.notices.note(SECTION, " ".join([task.found.sentence, task.found.cost, *task.notes]))
