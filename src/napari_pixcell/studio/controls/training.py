"""Training of a user's own ControlNet: its pairs and classes, its plan, and the training itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_pixcell.cells.class_map import Palette, checked_palette
from napari_pixcell.cells.methods import METHODS, SegmentMethod
from napari_pixcell.engine.events import TrainedControl
from napari_pixcell.engine.training.control.request import CONTROL_BATCH, CONTROL_STEPS
from napari_pixcell.engine.training.new_requests import control_out, control_training
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.catalogue import BUILT_IN, Family
from napari_pixcell.models.families import is_stain, segmenter_file, usual_control_base
from napari_pixcell.models.own_families import check_not_taken, check_own_name
from napari_pixcell.models.store import missing
from napari_pixcell.models.training_memory import card_words
from napari_pixcell.studio.controls.pair_classes import PairClasses
from napari_pixcell.studio.long_work import LongTask, LongWork, TrainTask
from napari_pixcell.studio.models import InstalledModels
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.tasks import Tasks
from napari_pixcell.words import counted

if TYPE_CHECKING:
    from napari_pixcell.engine.training.control.pairs import ControlFiles

SECTION = "control"
TRAINING = "Training is under way"
STOPPED = "Training stopped. Train again to resume."


@dataclass(eq=False)
class ControlTraining:
    """Trains ControlNets, one at a time."""

    models: InstalledModels
    tasks: Tasks
    notices: Notices

    def __post_init__(self) -> None:
        self.name = ""
        self.base = ""  # name of the family that it builds on
        self.folder: Path | None = None  # of the pairs
        self.classes = False  # whether it is trained on the classes of the masks
        self.steps, self.batch = CONTROL_STEPS, CONTROL_BATCH
        self.segment = SegmentMethod()  # for images without masks
        self.files: list[ControlFiles] = []
        self.found = PairClasses(self.tasks.background, self.notices)
        self.outcome: TrainedControl | None = None  # of the last training
        self._work = LongWork(self.tasks, self.notices, TrainedControl, STOPPED)

    @property
    def job(self) -> LongTask | None:
        return self._work.task

    @property
    def bases(self) -> list[Family]:
        """The installed families that a ControlNet can be trained on."""
        families = [family for family in BUILT_IN.values() if not is_stain(family)]
        return [family for family in families if not missing(family)]

    @property
    def family(self) -> Family:
        return BUILT_IN.get(self.base) or usual_control_base()

    @property
    def method(self) -> str:
        """Method that segments images without masks, one of ``METHODS``."""
        return self.segment.method

    @method.setter
    def method(self, method: str) -> None:
        self.segment = SegmentMethod(method)

    @property
    def masks(self) -> bool:
        """Whether the images have masks."""
        return any(one.cells is not None for one in self.files)

    @property
    def palette(self) -> Palette:
        """The classes to train on, in their colours; empty if the engine is to find them."""
        return self.found.palette() if self.classes else ()

    @property
    def out(self) -> Path:
        return control_out(self.name or "unnamed")

    def set(self, **values: Any) -> None:
        for name, value in values.items():
            setattr(self, name, value)
        self.notices.changed.emit()

    def choose_folder(self, folder: Path) -> None:
        """Select the folder of pairs, and look for them in a thread: it can be far away."""
        self.folder, self.files = folder, []
        self.found.look([])
        self.notices.say(SECTION, "")

        def done(files: list[ControlFiles]) -> None:
            if folder == self.folder:
                self.files = files
                self.found.look([one for one in files if one.cells is not None])
                self.notices.changed.emit()

        def work() -> list[ControlFiles]:
            from napari_pixcell.engine.training.control.pairs import control_files  # slow to import

            return control_files(folder)

        self.tasks.background.compute(work, done, lambda text: self.notices.say(SECTION, text))

    def why_not(self) -> str:
        """Return why training cannot start; empty if it can."""
        if self.job is not None:
            return TRAINING
        if not self.name:
            return "Enter a name for the model"
        try:
            check_own_name(self.name, BUILT_IN, "ControlNet")
            check_not_taken(self.name, self.out)
            if self.files and not self.masks and self.method != METHODS[0]:
                segmenter_file(self.segment.model)
            checked = self.palette
            if checked:
                checked_palette(checked)
        except PixCellError as error:
            return str(error)
        if self.folder is None:
            return "Select a folder of images and masks"
        if not self.files:
            return "The folder holds no pairs"
        return self.why_no_classes() if self.classes else ""

    def why_no_classes(self) -> str:
        """Return why it cannot be trained on classes; empty if it can."""
        if self.files and not self.masks:
            return "Images without masks name no classes"
        return self.found.why_none() if self.files else ""

    def words(self) -> str:
        """Return what would be trained on."""
        parts = []
        if self.files:
            how = (
                "with masks" if self.masks else f"without masks, segmented by {self.segment.words}"
            )
            parts.append(f"{counted(len(self.files), 'image')} {how}")
        if self.job is None and any((self.out / "work").glob("*.pt")):
            parts.append("training resumes with the same pairs")
        return " · ".join(parts)

    def plan(self) -> list[str]:
        """Return what GPUs of the usual sizes can train; empty for small networks."""
        family = self.family
        return [] if family.bundled else card_words(family, self.batch)

    def train(self) -> None:
        """Train the ControlNet in the worker; a stopped training resumes."""
        if self.why_not() or self.folder is None:
            return
        self.outcome = None
        self.notices.say(SECTION, "")
        request = control_training(
            self.name,
            self.folder,
            base=self.family.name,
            classes=self.classes,
            palette=self.palette,
            segment=self.segment,
            steps=self.steps,
            batch=self.batch,
        )
        self._work.start(TrainTask(section=SECTION), request, self._finished)

    def cancel(self) -> bool:
        """Stop the training; its checkpoint is kept. True if one was running."""
        return self._work.cancel()

    def _finished(self, trained: TrainedControl) -> str:
        self.outcome = trained
        self.models.check()
        return trained.sentence()
