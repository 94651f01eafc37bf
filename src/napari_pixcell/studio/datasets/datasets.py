"""Datasets made from a session, through its queue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.methods import SegmentMethod
from napari_pixcell.datasets import runs
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.store.plan import FIRST
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.engine.requests import generate_request, tile_size
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import Family
from napari_pixcell.studio.datasets.choice import (
    BYTES_PER_PIXEL,
    DatasetChoice,
    Outlook,
    Wanted,
    recipe_like,
)
from napari_pixcell.studio.datasets.evaluating import Evaluation
from napari_pixcell.studio.datasets.outside import OutsideRuns
from napari_pixcell.studio.datasets.uses import SECTION, DatasetUses
from napari_pixcell.studio.generation.job import Job
from napari_pixcell.studio.generation.queue import JobQueue
from napari_pixcell.studio.models import InstalledModels
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.regions.regions import Regions
from napari_pixcell.studio.settings import Settings
from napari_pixcell.studio.slides import Slides
from napari_pixcell.studio.styles.library import Styles
from napari_pixcell.studio.tasks import Tasks
from napari_pixcell.words import sentence

if TYPE_CHECKING:
    from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
    from napari_pixcell.datasets.runs import RunState


@dataclass(eq=False, kw_only=True)
class DatasetJob(Job):
    """A dataset under way. It gives way to other jobs, and resumes when they are done.

    ``requests`` holds its one request.
    """

    section: str = "dataset"
    gives_way: bool = True
    pictures: bool = False

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def folder(self) -> Path:
        return Path(self.dataset_request.folder)

    @property
    def dataset_request(self) -> DatasetRequest:
        request: DatasetRequest = self.requests[0]
        return request

    def summary(self) -> str:
        most = self.dataset_request.most
        first = f", the first {most}" if most else ""
        return f"dataset {self.folder.name}{first}"

    def sentence(self) -> str:
        match self.state:
            case "waiting":
                return f"waiting, {self.done:,} of {self.total:,} made" if self.total else "waiting"
            case "done":
                return f"done, {self.done:,} pairs"
            case "failed":
                return self.problem
            case "cancelled":
                return f"cancelled, {self.done:,} pairs are kept" if self.total else "cancelled"
        if self.cancelled:
            return "Cancelling…"
        left = self.clock.left if self.total else ""
        return " · ".join([self.message, *([left] if left else [])])

    def rest(self) -> list[DatasetRequest]:
        """Return its request: the dataset itself knows what is missing."""
        return [self.dataset_request]

    def retry(self) -> DatasetJob:
        return DatasetJob(number=self.number, requests=self.requests, on_end=self.on_end)


@dataclass(eq=False)
class Datasets:
    """The datasets that a session makes."""

    slides: Slides
    models: InstalledModels
    settings: Settings
    regions: Regions
    library: Styles
    queue: JobQueue
    tasks: Tasks
    notices: Notices

    def __post_init__(self) -> None:
        self._background = self.tasks.background
        self.choice = DatasetChoice()
        self.uses = DatasetUses(self.tasks, self.notices)
        self.evaluation = Evaluation(self.tasks, self.notices)
        self.outside = OutsideRuns(self.tasks, self.notices)
        self.outside.ended.connect(self._outside_ended)
        self.finished: Path | None = None  # folder of the last dataset that got pairs

    @property
    def jobs(self) -> list[DatasetJob]:
        return [job for job in self.queue.jobs if isinstance(job, DatasetJob)]

    @property
    def newest(self) -> Path | None:
        """Folder of a dataset under way, or else of the last one."""
        folders = [job.folder for job in self.jobs]
        folders += [state.folder for state in self.outside.live]
        begun = (folder for folder in folders if _has_begun(folder))
        return next(begun, self.finished)

    # -- the next one ----------------------------------------------------------------------

    def why_not(self) -> str:
        family, choice, regions = self.settings.model, self.choice, self.regions.current
        if reason := self.slides.why_not() or self.models.why_not():
            return reason
        if choice.styles == "slide" and not self.models.embeds:
            return self.models.why_no_encoder()
        if choice.styles == "slide" and self.slides.current.path is None:
            return "This slide is not a file. Select regions as styles"
        if choice.styles == "saved" and not self.library.usable():
            return "No saved style fits this model. Save one in the Style section"
        if choice.styles == "regions" or choice.layouts == "regions":
            if not regions:
                return "Add a region first"
            if any(item.family != family.name for item in regions):
                return "The slide is too small for this model"
        if choice.styles == "regions":
            if any(item.embedding_busy for item in regions):
                return "Embedding the regions…"
            if not any(item.embedding is not None for item in regions):
                if not self.models.embeds:
                    return self.models.why_no_encoder()
                return "No region has a style yet: embed one"
        if not family.takes_layout:
            return ""
        if choice.layouts == "regions" and not any(item.cells for item in regions):
            return "No region has cells. Segment or paint some, or select other layouts"
        if choice.layouts == "found" and choice.styles == "saved":
            return "Saved styles have no tissue to segment. Select other layouts"
        return ""

    def outlook(self) -> Outlook | None:
        """Return the expected size of the dataset, without computing anything.

        None if something is missing for it.
        """
        if self.why_not():
            return None
        family, choice, items = self.settings.model, self.choice, self.regions.current
        styles = {
            "regions": sum(_tiles(i, family) for i in items if i.embedding is not None),
            "slide": choice.places,
            "saved": len(self.library.usable()),
        }[choice.styles]
        layouts = {
            "regions": sum(_tiles(i, family) for i in items if i.cells) * (1 + choice.variations),
            "found": styles,
            "invented": choice.invented,
        }[choice.layouts]
        if not family.takes_layout:
            layouts = 0
        combinations = styles * max(1, layouts)
        if choice.pairing == "matched" and layouts:
            combinations = layouts
        pairs = combinations * choice.seeds
        seconds = self.queue.paces.expect(self._base(), bool(layouts))
        return Outlook(
            pairs,
            None if seconds is None else seconds * pairs * choice.candidates,
            round(pairs * family.tile**2 * BYTES_PER_PIXEL),
        )

    def _base(self) -> GenerateRequest:
        family, settings = (
            self.settings.model,
            self.settings.generation(self.settings.takes_layout, count=1),
        )
        request = generate_request(family, settings, size=tile_size(family), embedding=None)
        return replace(request, repair=self.settings.repairing if self.choice.repair else None)

    def _wanted(self) -> Wanted:
        """Capture what the dataset will be made of.

        Raises
        ------
        PixCellError
            If something is missing.
        """
        from napari_pixcell.datasets.store.checks import Checks  # slow to import

        problem, slide = self.why_not(), self.slides.current
        if problem:
            raise PixCellError(sentence(problem))
        file = None
        if slide is not None and slide.path is not None:
            file = {"slide": str(slide.path.absolute()), "mpp": slide.mpp}
        density: dict[str, Any] = {}
        if self.choice.layouts == "invented":
            density = recipe_like(self.regions.active, self.settings.model)
        return Wanted(
            replace(self.choice),
            self._base(),
            Checks(segmenter=SegmentMethod()),
            self.settings.colour_setting,
            tuple(self.regions.current),
            tuple(self.library.usable()),
            file,
            density,
        )

    # -- making ----------------------------------------------------------------------------

    def make(self, folder: Path, first: bool = False) -> None:
        """Make a dataset in an empty folder, at the chosen place.

        Parameters
        ----------
        folder : Path
            New or empty.
        first : bool
            Make only the first pairs, for inspection; :meth:`resume` makes the others.
        """
        self.notices.say(SECTION, "")
        with self.notices.reporting(SECTION):
            wanted, most = self._wanted(), FIRST if first else None
            if self.outside.place.outside:
                self.outside.make(folder, wanted.recipe, most)
                return

            def done(recipe: DatasetRecipe) -> None:
                self._enqueue(DatasetRequest(str(folder), recipe, most))

            self._background.compute(wanted.recipe, done, self._fail)

    def resume(self, folder: Path) -> None:
        """Make what a dataset lacks at the chosen place, or show the run that makes it already."""
        self.notices.say(SECTION, "")

        def work() -> RunState:
            from napari_pixcell.datasets.store.dataset import Dataset  # slow to import

            state = runs.run_of(folder)
            if not state.live:
                Dataset(folder)
            return state

        def done(state: RunState) -> None:
            if any(job.folder == folder for job in self.jobs):
                self._fail("This dataset is in the queue already.")
            elif state.live:
                self.outside.attach(state)
                by = state.owner.words if state.owner is not None else "A process"
                self.notices.note(SECTION, f"{by} is making “{folder.name}”. It is shown here.")
            elif self.outside.place.outside:
                self.outside.resume(folder)
            else:
                self._enqueue(DatasetRequest(str(folder)))

        self._background.compute(work, done, self._fail)

    def _enqueue(self, request: DatasetRequest) -> None:
        number = self.queue.new_number()
        self.queue.enqueue(DatasetJob(number=number, requests=[request], on_end=self._ended))

    def _ended(self, job: Job) -> None:
        self._tell(Path(job.request.folder))

    def _outside_ended(self, state: RunState) -> None:
        if state.stage == "failed":
            self._fail(f"“{state.name}”: {state.message}")
        elif state.stage != "died":  # its row says so
            self._tell(state.folder)

    def _tell(self, folder: Path) -> None:
        """Say how many pairs a dataset holds whose making has ended."""

        def work() -> tuple[int, int, int]:
            from napari_pixcell.datasets.store.dataset import Dataset  # slow to import
            from napari_pixcell.datasets.store.table import PairTable

            dataset = Dataset(folder)
            table = PairTable(dataset)
            return len(table), int(table.flagged.sum()), len(dataset.plan)

        def done(counts: tuple[int, int, int]) -> None:
            made, flagged, planned = counts
            self.finished = folder if made else None
            of = "" if made == planned else f" of {planned:,}"
            kept = f", {flagged:,} of them flagged and kept apart" if flagged else ""
            self.notices.note(SECTION, f"{made:,}{of} pairs are in “{folder.name}”{kept}.")

        def unknown(_: str) -> None:
            pass  # it ended before there was a plan: its job says why

        self._background.compute(work, done, unknown)

    def sheet(self, done: Callable[[tuple[str, NDArray[np.uint8]]], None]) -> None:
        """Lay out the first pairs of the last dataset, in a thread; ``done`` also gets a title."""
        folder = self.finished
        if folder is None:
            return

        def work() -> tuple[str, NDArray[np.uint8]]:
            from napari_pixcell.datasets.report.sheets import first_sheet  # slow to import
            from napari_pixcell.datasets.store.dataset import Dataset

            dataset = Dataset(folder)
            return dataset.description.name, first_sheet(dataset, FIRST)

        self._background.compute(work, done, self._fail)

    def _fail(self, message: str) -> None:
        self.notices.say(SECTION, message)


def _has_begun(folder: Path) -> bool:
    from napari_pixcell.datasets.store.dataset import DESCRIPTION  # slow to import

    return (folder / DESCRIPTION).exists()


def _tiles(item: RegionItem, family: Family) -> int:
    return (item.size[0] // family.tile) * (item.size[1] // family.tile)


__all__ = ["FIRST", "SECTION", "Datasets"]
