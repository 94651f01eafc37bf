"""Long work at the worker: its progress in stages, its cancel, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from napari_pixcell.engine.events import (
    Evaluated,
    Event,
    Failure,
    Finished,
    Notice,
    Trained,
    TrainedControl,
    Verified,
)
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.tasks import Clock, Task, Tasks
from napari_pixcell.worker.requests import AnyRequest

Outcome = TypeVar("Outcome", Evaluated, Trained, TrainedControl, Verified)


@dataclass(eq=False, kw_only=True)
class LongTask(Task):
    """Long work under way, in stages with a total of their own."""

    def progress(self, done: int, total: int, message: str = "") -> None:
        if total != self.total:
            self.clock = Clock()  # another stage, with another pace
        super().progress(done, total, message)


@dataclass(eq=False, kw_only=True)
class TrainTask(LongTask):
    """A training under way, shown in ``section``."""

    section: str
    message: str = "Waiting for the model"

    def sentence(self) -> str:
        if self.cancelled:
            return "Cancelling…"
        left = self.clock.left
        return f"{self.message} · at most {left}" if left else f"{self.message}…"


@dataclass(eq=False)
class LongWork(Generic[Outcome]):
    """Runs long requests of one kind, one at a time. What was cancelled resumes.

    Parameters
    ----------
    outcome : type
        The event that holds the outcome.
    stopped : str
        What the section says after a cancel, and how to resume.
    """

    tasks: Tasks
    notices: Notices
    outcome: type[Outcome]
    stopped: str

    def __post_init__(self) -> None:
        self._task: LongTask | None = None

    @property
    def task(self) -> LongTask | None:
        return self._task if self.tasks.is_running(self._task) else None

    def start(
        self, task: LongTask, request: AnyRequest, finished: Callable[[Outcome], str]
    ) -> None:
        """Run a request in the worker, unless one is running.

        ``finished`` receives the outcome, and returns what the section says, before any notices.
        """
        if self.task is not None:
            return
        self._task = self.tasks.start(task)
        found: list[Outcome] = []
        notes: list[str] = []

        def take(event: Event) -> None:
            if isinstance(event, self.outcome):
                found.append(event)
            match event:
                case Notice(message):
                    notes.append(message)
                case Failure(message):
                    self.tasks.end(task, message)
                case Finished():
                    self.tasks.end(task)
                    words = [finished(found[-1]), *notes] if found else [self.stopped]
                    self.notices.note(task.section, " ".join(words))
            self.notices.changed.emit()

        self.tasks.ask(task, request, take)

    def cancel(self) -> bool:
        """Stop the work; what is finished is kept. True if any was running."""
        task = self.task
        if task is None:
            return False
        self.tasks.cancel(task)
        return True
