"""Whether the pairs of a dataset help, measured from the dock."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_pixcell.engine.events import Evaluated
from napari_pixcell.studio.datasets.uses import SECTION
from napari_pixcell.studio.long_work import LongTask, LongWork
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.tasks import Tasks

STOPPED = "The evaluation stopped. Start it again to resume."


@dataclass(eq=False, kw_only=True)
class EvaluateTask(LongTask):
    """An evaluation under way."""

    section: str = SECTION
    message: str = "Waiting for the worker"


@dataclass(eq=False)
class Evaluation:
    """Evaluates datasets, one at a time. A cancelled evaluation resumes."""

    tasks: Tasks
    notices: Notices

    def __post_init__(self) -> None:
        self.page: Path | None = None  # of the last evaluation
        self._work = LongWork(self.tasks, self.notices, Evaluated, STOPPED)

    @property
    def job(self) -> LongTask | None:
        return self._work.task

    @property
    def busy(self) -> str:
        return self.job.sentence() if self.job is not None else ""

    def start(self, folder: Path, real: Path) -> None:
        """Evaluate a dataset on a folder of labelled tiles, in the worker."""
        if self.job is not None:
            return
        from napari_pixcell.evaluation.request import EvaluateRequest  # slow to import

        self.page = None
        self._work.start(EvaluateTask(), EvaluateRequest(str(folder), str(real)), self._finished)

    def cancel(self) -> bool:
        """Stop the evaluation; finished trainings are kept. True if one was running."""
        return self._work.cancel()

    def _finished(self, found: Evaluated) -> str:
        self.page = Path(found.page)
        return f"{found.sentence} {found.cost}"
