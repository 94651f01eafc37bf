"""Makes datasets of what a session has, through its queue."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.report.sheets import FIRST, first_sheet
from napari_pixcell.datasets.store.dataset import DESCRIPTION, Dataset
from napari_pixcell.datasets.store.table import PairTable
from napari_pixcell.slides.region import Region
from napari_pixcell.studio.datasets.choice import DatasetChoice, Outlook, outlook, wanted, why_not
from napari_pixcell.studio.datasets.job import DatasetJob
from napari_pixcell.studio.datasets.uses import SECTION, DatasetUses
from napari_pixcell.studio.results.results import Target

if TYPE_CHECKING:
    from napari_pixcell.studio.session import Session


class Datasets:
    """What the dock asks for, and the datasets that are being made of it.

    Parameters
    ----------
    session : Session
        Its slide, regions, styles, settings and queue.

    Attributes
    ----------
    choice : DatasetChoice
        What is asked for.
    uses : DatasetUses
        What is made of a dataset.
    finished : Path or None
        Folder of the dataset of which pairs were made last.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.choice = DatasetChoice()
        self.uses = DatasetUses(session)
        self.finished: Path | None = None
        session.generation.dataset_ended.connect(self._ended)

    @property
    def jobs(self) -> list[DatasetJob]:
        """The datasets that are being made, or wait for it."""
        return [job for job in self._session.generation.jobs if isinstance(job, DatasetJob)]

    @property
    def newest(self) -> Path | None:
        """Folder of a dataset that is being made, or else of the one that was made last."""
        begun = (job.folder for job in self.jobs if (job.folder / DESCRIPTION).exists())
        return next(begun, self.finished)

    def why_not(self) -> str:
        """Say why no dataset can be made now; empty if one can."""
        return why_not(self._session, self.choice)

    def outlook(self) -> Outlook | None:
        """Say what the dataset will be; None where something is missing."""
        return outlook(self._session, self.choice)

    def make(self, folder: Path, first: bool = False) -> None:
        """Queue a dataset in an empty folder.

        Parameters
        ----------
        folder : Path
            A new one, or one that is empty.
        first : bool
            Make only the first pairs, to be looked at; :meth:`resume` makes the others.
        """
        session = self._session
        session.say(SECTION, "")
        with session.reporting(SECTION):
            asked = wanted(session, self.choice)

            def done(recipe: DatasetRecipe) -> None:
                most = FIRST if first else None
                self._queue(DatasetRequest(str(folder), recipe, most))

            session.background.compute(asked.recipe, done, self._say)

    def resume(self, folder: Path) -> None:
        """Queue what is missing of a dataset."""
        self._session.say(SECTION, "")
        with self._session.reporting(SECTION):
            Dataset(folder)
            if any(job.folder == folder for job in self.jobs):
                self._say("This dataset is in the queue already.")
                return
            self._queue(DatasetRequest(str(folder)))

    def _queue(self, request: DatasetRequest) -> None:
        session = self._session
        folder = Path(request.folder)
        nowhere = Target(0, folder.name, session.slide_key, Region(0, 0, 1, 1), 1.0, (1, 1))
        job = DatasetJob(session.generation.new_number(), [request], nowhere, ready=True)
        session.generation.add(job)

    def _ended(self, job: DatasetJob) -> None:
        """Say what came of a dataset."""

        def work() -> tuple[int, int, int]:
            dataset = Dataset(job.folder)
            table = PairTable(dataset)
            return len(table), int(table.flagged.sum()), len(dataset.plan)

        def done(counts: tuple[int, int, int]) -> None:
            made, flagged, planned = counts
            self.finished = job.folder if made else None
            of = "" if made == planned else f" of {planned:,}"
            kept = f", {flagged:,} of them flagged and kept apart" if flagged else ""
            name = job.folder.name
            self._session.note(SECTION, f"{made:,}{of} pairs are in “{name}”{kept}.")

        def unknown(_: str) -> None:
            pass  # it ended before there was a plan: its job says why

        self._session.background.compute(work, done, unknown)

    def sheet(self, done: Callable[[tuple[str, NDArray[np.uint8]]], None]) -> None:
        """Lay the first pairs of the last dataset out, in a thread; ``done`` gets a title too."""
        folder = self.finished
        if folder is None:
            return

        def work() -> tuple[str, NDArray[np.uint8]]:
            dataset = Dataset(folder)
            return dataset.description.name, first_sheet(dataset, FIRST)

        self._session.background.compute(work, done, self._say)

    def _say(self, message: str) -> None:
        self._session.say(SECTION, message)


__all__ = ["FIRST", "SECTION", "Datasets"]
