"""Training of a user's own stain: the pairs it learns from, and the training itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_pixcell.engine.events import Trained
from napari_pixcell.engine.training.new_requests import stain_out, stain_training
from napari_pixcell.engine.training.pairs import folder_pairs, write_region_pair
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import BUILT_IN, Family
from napari_pixcell.models.families import usual_base
from napari_pixcell.models.own_families import check_not_taken, check_own_name
from napari_pixcell.slides.region import Region
from napari_pixcell.studio.long_work import LongTask, LongWork, TrainTask
from napari_pixcell.studio.models import InstalledModels
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.regions.regions import Regions
from napari_pixcell.studio.slides import Slides
from napari_pixcell.studio.stains.staining import SECTION, Staining
from napari_pixcell.studio.tasks import Tasks
from napari_pixcell.words import counted

HE, IHC = "he", "ihc"
SIDES = {HE: "H&E", IHC: "IHC"}
TRAINING = "Training is under way"
STOPPED = "Training stopped. Train again to resume."


@dataclass(frozen=True, eq=False)
class TrainingRegion:
    """A region selected as one side of a pair, as it was then."""

    name: str
    slide: Any
    region: Region


@dataclass(eq=False)
class StainTraining:
    """Trains stains, one at a time."""

    slides: Slides
    regions: Regions
    models: InstalledModels
    staining: Staining
    tasks: Tasks
    notices: Notices

    def __post_init__(self) -> None:
        self.name = ""
        self.base = ""  # name of the family that it builds on
        # Folders of H&E and IHC pictures: ``he`` and ``ihc``, once selected
        self.folders: dict[str, Path] = {}
        self.places: dict[str, TrainingRegion] = {}
        # Whether the generator is trained too, and whether pairs match to the pixel.
        self.lora = self.aligned = False
        self.count = 0
        self._adding = False
        self._work = LongWork(self.tasks, self.notices, Trained, STOPPED)

    @property
    def job(self) -> LongTask | None:
        return self._work.task

    # -- name, base and pairs --------------------------------------------------------------

    @property
    def bases(self) -> list[Family]:
        why_missing = self.staining.why_missing
        return [family for family in BUILT_IN.values() if not why_missing(family)]

    @property
    def out(self) -> Path:
        return stain_out(self.name or "unnamed")

    def set(self, **values: Any) -> None:
        for name, value in values.items():
            setattr(self, name, value)
        self.notices.changed.emit()

    def choose_folder(self, side: str, folder: Path) -> None:
        self.folders[side] = folder
        self._count()

    def choose_region(self, side: str) -> None:
        """Select the active region as H&E or IHC of a pair; with both the pair is added."""
        item = self.regions.active
        if self.why_no_region() or item is None:
            return
        self.places[side] = TrainingRegion(item.name, self.slides.current, item.region)
        if len(self.places) == len(SIDES):
            self._add_pair()
        self.notices.changed.emit()

    def why_no_region(self) -> str:
        if self.job is not None or self._adding:
            return TRAINING if self.job is not None else "The pair is being written"
        if why := self._why_no_name():
            return why
        return self.slides.why_not() or (
            "" if self.regions.active is not None else "Add a region first"
        )

    def why_not(self) -> str:
        if self.job is not None:
            return TRAINING
        if why := self._why_no_name():
            return why
        for side, words in SIDES.items():
            if side not in self.folders:
                return f"Select the folder of {words}, or two regions"
        return "" if self.count else "The folders hold no pairs"

    def words(self) -> str:
        parts = [f"{SIDES[side]}: {place.name}" for side, place in self.places.items()]
        if self.count:
            parts.append(counted(self.count, "pair"))
        if self.job is None and any((self.out / "work").glob("*.pt")):
            parts.append("training resumes with the same pairs")
        return " · ".join(parts)

    def _why_no_name(self) -> str:
        if not self.name:
            return "Enter a name for the stain"
        try:
            check_own_name(self.name, BUILT_IN)
            check_not_taken(self.name, self.out)
        except PixCellError as error:
            return str(error)
        return ""

    def _count(self) -> None:
        """Count the pairs of both folders, in a thread: a folder can be far away."""
        self.count = 0
        self.notices.say(SECTION, "")
        if len(self.folders) == len(SIDES):
            he, ihc = self.folders[HE], self.folders[IHC]

            def done(outcome: tuple[list[Any], str]) -> None:
                if (he, ihc) == (self.folders.get(HE), self.folders.get(IHC)):
                    self.count, warning = len(outcome[0]), outcome[1]
                    if warning:
                        self.notices.note(SECTION, warning)
                    self.notices.changed.emit()

            self.tasks.background.compute(
                lambda: folder_pairs(he, ihc), done, lambda text: self.notices.say(SECTION, text)
            )

    def _add_pair(self) -> None:
        family = self.family
        he, ihc = (self.places[side] for side in SIDES)
        folder = self.out / "pairs"
        self.places, self._adding = {}, True

        def work() -> tuple[Path, Path]:
            return write_region_pair((he.slide, he.region), (ihc.slide, ihc.region), family, folder)

        def done(folders: tuple[Path, Path]) -> None:
            self._adding = False
            self.folders = dict(zip(SIDES, folders, strict=True))
            self._count()

        def failed(message: str) -> None:
            self._adding = False
            self.notices.say(SECTION, message)

        self.tasks.background.compute(work, done, failed)

    # -- training --------------------------------------------------------------------------

    @property
    def family(self) -> Family:
        why_missing = self.staining.why_missing
        return BUILT_IN.get(self.base) or usual_base(lambda family: not why_missing(family))

    def train(self) -> None:
        """Train the stain in the worker; a stopped training resumes."""
        if self.why_not():
            return
        request = stain_training(
            self.name,
            self.folders[HE],
            self.folders[IHC],
            base=self.family.name,
            lora=self.lora,
            aligned=self.aligned,
        )
        self._work.start(TrainTask(section=SECTION), request, self._finished)

    def cancel(self) -> bool:
        """Stop the training; its checkpoint is kept. True if one was running."""
        return self._work.cancel()

    def _finished(self, trained: Trained) -> str:
        self.models.check()
        self.staining.choose(trained.name, True)
        return trained.sentence()
