"""Reports and conversions of datasets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.tasks import Task, Tasks

SECTION = "dataset"
VALIDATION = 0.2  # share of the pairs that is set apart


def _workers() -> int:
    from napari_pixcell.datasets.processes import usable_cores  # slow to import

    return max(1, usable_cores() - 1)  # one is left to the window


@dataclass(eq=False, kw_only=True)
class UseTask(Task):
    """A report that is written, or a conversion."""

    counted: ClassVar[bool] = False

    section: str = SECTION

    def sentence(self) -> str:
        return f"{self.message}…{f' {self.done:,} of {self.total:,}' if self.done else ''}"


@dataclass(eq=False)
class DatasetUses:
    """Writes reports and conversions, one at a time."""

    tasks: Tasks
    notices: Notices

    @property
    def busy(self) -> str:
        return next((task.sentence() for task in self.tasks.of(UseTask)), "")

    def report(self, folder: Path) -> None:
        def work(progress: Callable[[int, int], None]) -> str:
            from napari_pixcell.datasets.processes import Processes  # slow to import
            from napari_pixcell.datasets.report.writing import write_report
            from napari_pixcell.datasets.store.dataset import Dataset

            dataset = Dataset(folder)
            with Processes(_workers()) as processes:
                path = write_report(dataset, folder / "report.html", progress, processes=processes)
            written = f"“{path.name}” is in “{folder.name}”. Open it in a browser."
            return f"{written} {dataset.damage}".strip()

        self._start("Writing the report", work)

    def convert(self, folder: Path, kind: str, into: Path, split: bool) -> None:
        """Write the accepted pairs of a dataset in another format.

        Parameters
        ----------
        folder : Path
            Folder of the dataset.
        kind : str
            One of :data:`napari_pixcell.datasets.formats.FORMATS`.
        into : Path
            Gets a new folder with the result.
        split : bool
            Set a fifth apart for validation. No slide and no layout is then on both sides.
        """

        def work(progress: Callable[[int, int], None]) -> str:
            from napari_pixcell.datasets.formats.converting import convert  # slow to import
            from napari_pixcell.datasets.marks import safe_name
            from napari_pixcell.datasets.splits import Split
            from napari_pixcell.datasets.store.dataset import Dataset

            dataset = Dataset(folder)
            out = into / f"{safe_name(dataset.description.name)}-{kind}"
            parts = Split(VALIDATION) if split else None
            sentence = convert(dataset, kind, out, parts, progress, _workers()).sentence
            return f"{sentence} {dataset.damage}".strip()

        self._start("Converting", work)

    def _start(self, message: str, work: Callable[[Callable[[int, int], None]], str]) -> None:
        if self.busy:
            return
        task = UseTask(message=message)
        report = self.tasks.reporter(task)
        self.tasks.run_alone(
            task, lambda: work(report), lambda text: self.notices.note(SECTION, text)
        )
