"""Teaching a stain of the user's own: by which pairs, and how it is going."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_pixcell.engine.events import Event, Failure, Finished, Notice, Progress, Trained
from napari_pixcell.engine.training.pairs import folder_pairs, write_region_pair
from napari_pixcell.engine.training.request import FLOW_STEPS, LORA_STEPS, TrainRequest
from napari_pixcell.errors import PixCellError
from napari_pixcell.folders import data_folder
from napari_pixcell.models.catalogue import BUILT_IN, Family
from napari_pixcell.models.own_families import check_not_taken, check_own_name
from napari_pixcell.models.stain_families import usual_base
from napari_pixcell.slides.region import Region
from napari_pixcell.studio.generation.pace import Clock
from napari_pixcell.studio.results.results import JobHandle

if TYPE_CHECKING:
    from napari_pixcell.studio.session import Session

SECTION = "stain"
HE, IHC = "he", "ihc"
SIDES = {HE: "H&E", IHC: "IHC"}


@dataclass(frozen=True, eq=False)
class Place:
    """A region that was chosen for a pair: it stays what it was then."""

    name: str
    slide: Any
    region: Region


@dataclass(eq=False)
class TeachingJob:
    """A teaching under way.

    Parameters
    ----------
    request : TrainRequest
    """

    request: TrainRequest
    handle: JobHandle | None = None
    done: int = 0
    total: int = 0
    message: str = "Waiting for the model"
    cancelled: bool = False
    taught: Trained | None = None
    notices: list[str] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)

    def sentence(self) -> str:
        """Say what is going on, and how long it will take at most."""
        if self.cancelled:
            return "Cancelling…"
        left = self.clock.left
        return f"{self.message} · at most {left}" if left else f"{self.message}…"

    def note(self, event: Progress) -> None:
        """Take progress in."""
        if event.total != self.total:
            self.clock = Clock()  # another stage, of another pace
        self.clock.note(event.done, event.total)
        self.done, self.total, self.message = event.done, event.total, event.message


class StainTeaching:
    """Teaches stains, one at a time.

    Parameters
    ----------
    session : Session
        Its slide, regions and worker.

    Attributes
    ----------
    name : str
        Of the stain.
    base : str
        Name of the family that it builds on.
    folders : dict of str to Path
        Of pictures of H&E and IHC: ``he`` and ``ihc``, where they were chosen.
    places : dict of str to Place
        Regions that are to be a pair.
    lora, aligned : bool
        Whether the generator is taught too, and whether pairs fit to the pixel.
    job : TeachingJob or None
        What is under way.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.name = ""
        self.base = ""
        self.folders: dict[str, Path] = {}
        self.places: dict[str, Place] = {}
        self.lora = self.aligned = False
        self.job: TeachingJob | None = None
        self.count = 0  # pairs in the folders
        self._adding = False

    # -- what is asked for -----------------------------------------------------------------

    @property
    def bases(self) -> list[Family]:
        """Families that a stain can be taught on here."""
        why_missing = self._session.staining.why_missing
        return [family for family in BUILT_IN.values() if not why_missing(family)]

    @property
    def out(self) -> Path:
        """Folder of the stain."""
        return data_folder() / "stains" / (self.name or "unnamed")

    def set(self, **values: Any) -> None:
        """Change name, base, ``lora`` or ``aligned``."""
        for name, value in values.items():
            setattr(self, name, value)
        self._session.changed.emit()

    def choose_folder(self, side: str, folder: Path) -> None:
        """Choose the pictures of H&E or of IHC."""
        self.folders[side] = folder
        self._look()

    def choose_region(self, side: str) -> None:
        """Choose the active region as the H&E or the IHC of a pair; with both it is added."""
        session, item = self._session, self._session.active
        if self.why_no_region() or item is None:
            return
        self.places[side] = Place(item.name, session.slide, item.region)
        if len(self.places) == len(SIDES):
            self._add_pair()
        session.changed.emit()

    def why_no_region(self) -> str:
        """Say why the active region cannot be part of a pair; empty if it can."""
        if self.job is not None or self._adding:
            return "It is being taught" if self.job is not None else "The pair is being written"
        if why := self._why_no_name():
            return why
        return self._session.why_no_region() or (
            "" if self._session.active is not None else "Add a region first"
        )

    def why_not(self) -> str:
        """Say why nothing can be taught now; empty if it can."""
        if self.job is not None:
            return "It is being taught"
        if why := self._why_no_name():
            return why
        for side, words in SIDES.items():
            if side not in self.folders:
                return f"Choose the folder of {words}, or two regions"
        return "" if self.count else "The folders hold no pairs"

    def words(self) -> str:
        """Say what was chosen by now."""
        parts = [f"{SIDES[side]}: {place.name}" for side, place in self.places.items()]
        if self.count:
            parts.append("1 pair" if self.count == 1 else f"{self.count:,} pairs")
        if self.job is None and any((self.out / "work").glob("*.pt")):
            parts.append("it was begun and goes on with the same pairs")
        return " · ".join(parts)

    def _why_no_name(self) -> str:
        if not self.name:
            return "Give the stain a name"
        try:
            check_own_name(self.name, BUILT_IN)
            check_not_taken(self.name, self.out)
        except PixCellError as error:
            return str(error)
        return ""

    def _look(self) -> None:
        """Count the pairs of both folders, in a thread: a folder can be far away."""
        session = self._session
        self.count = 0
        session.say(SECTION, "")
        if len(self.folders) == len(SIDES):
            he, ihc = self.folders[HE], self.folders[IHC]

            def done(found: tuple[list[Any], str]) -> None:
                if (he, ihc) == (self.folders.get(HE), self.folders.get(IHC)):
                    self.count = len(found[0])
                    session.note(SECTION, found[1]) if found[1] else session.changed.emit()

            session.background.compute(
                lambda: folder_pairs(he, ihc), done, lambda text: session.say(SECTION, text)
            )

    def _add_pair(self) -> None:
        session, family = self._session, self.family
        he, ihc = (self.places[side] for side in SIDES)
        folder = self.out / "pairs"
        self.places, self._adding = {}, True

        def work() -> tuple[Path, Path]:
            return write_region_pair((he.slide, he.region), (ihc.slide, ihc.region), family, folder)

        def done(folders: tuple[Path, Path]) -> None:
            self._adding = False
            self.folders = dict(zip(SIDES, folders, strict=True))
            self._look()

        def failed(message: str) -> None:
            self._adding = False
            session.say(SECTION, message)

        session.background.compute(work, done, failed)

    # -- teaching --------------------------------------------------------------------------

    @property
    def family(self) -> Family:
        """What it builds on."""
        why_missing = self._session.staining.why_missing
        return BUILT_IN.get(self.base) or usual_base(lambda family: not why_missing(family))

    def teach(self) -> None:
        """Teach the stain in the worker, going on where it was stopped."""
        session = self._session
        if self.why_not():
            return
        session.say(SECTION, "")
        request = TrainRequest(
            name=self.name,
            family=self.family.name,
            he=str(self.folders[HE]),
            ihc=str(self.folders[IHC]),
            out=str(self.out),
            steps=FLOW_STEPS,
            lora_steps=LORA_STEPS if self.lora else 0,
            aligned=self.aligned,
        )
        job = self.job = TeachingJob(request)
        post = session.background.post

        def submit() -> None:
            job.handle = session.client.submit(request, lambda e: post(lambda: take(e)))

        def take(event: Event) -> None:
            if self.job is not job:
                return
            match event:
                case Progress():
                    job.note(event)
                case Notice(message):
                    job.notices.append(message)
                case Trained():
                    job.taught = event
                case Failure(message):
                    self._ended(message)
                case Finished():
                    self._ended("")
            session.changed.emit()

        session.background.talk(submit, self._ended)
        session.changed.emit()

    def cancel(self) -> None:
        """Stop; what was done is kept, and the same teaching goes on from there."""
        job = self.job
        if job is not None and not job.cancelled:
            job.cancelled = True
            self._session.background.talk(lambda: job.handle.cancel() if job.handle else None)
            self._session.changed.emit()

    def _ended(self, problem: str) -> None:
        session, job, self.job = self._session, self.job, None
        if problem or job is None:
            session.say(SECTION, problem)
        elif job.taught is not None:
            session.check_model()
            session.staining.choose(job.taught.name, True)
            session.note(SECTION, " ".join([job.taught.sentence(), *job.notices]))
        else:
            session.note(SECTION, "Stopped; teach it again to go on from there.")
