"""What runs on the workers of a cluster. A process loads its models once, for all its tasks.

Tasks return JSON values. They are plain functions of this module, so that a worker imports them
from its own installation.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from distributed import get_worker
from distributed.core import Status

from napari_pixcell.datasets.parallel.chunk_making import ChunkMaker
from napari_pixcell.datasets.parallel.chunks import Chunk
from napari_pixcell.datasets.parallel.worker_processes import Start
from napari_pixcell.datasets.preparation.parts import PreparationChunk
from napari_pixcell.datasets.preparation.tissue import LentPreparation, keep_tissue
from napari_pixcell.datasets.recipe.opening import warn_of_copies
from napari_pixcell.datasets.recipe.preparing import keep_recipe, lacking_tissue, real_files
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
from napari_pixcell.datasets.recipe.runner import DatasetEngine, MakingCancelled
from napari_pixcell.datasets.recipe.same_weights import OtherWeights, weights_of
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.lock import OWNER
from napari_pixcell.datasets.store.pair_files import DiskProblem, disk_problems
from napari_pixcell.engine.events import Event, Notice, Progress
from napari_pixcell.errors import PixCellError

Answer = dict[str, Any]
TOPIC = "napari-pixcell"  # of messages to coordinators
INTERVAL = 1.0  # seconds between messages about progress
LOOKS = 1.0  # seconds between looks for the mark of the file system
CHUNK, DISK, WORKER = "chunk", "disk", "worker"  # what a failure is due to
ENDING = {Status.closing, Status.closing_gracefully, Status.closed, Status.failed}
STOPPED: Answer = {"stopped": True}


class _Process:
    """The engine and the chunk maker of this process."""

    def __init__(self) -> None:
        self.busy = threading.Lock()  # a worker may have several threads, but there is one engine
        self.runs: dict[str, str] = {}  # marks of the runs that may work on a dataset, by folders
        self._engines: dict[Start, DatasetEngine] = {}
        self._made_for: ClusterRun | None = None
        self._maker: ChunkMaker | None = None
        self._prepares: tuple[ClusterRun, LentPreparation] | None = None

    def engine(self, start: Start) -> DatasetEngine:
        """Return the engine, loaded once."""
        if start not in self._engines:
            self._engines[start] = start()
        return self._engines[start]

    def maker(self, run: ClusterRun, start: Start, task: _Task) -> ChunkMaker:
        """Return the maker of the chunks of a run, with its checks and references."""
        self._end_preparing()
        if self._maker is None or self._made_for != run:
            self._maker = None
            folder, engine = Path(run.folder), self.engine(start)
            self._maker = ChunkMaker(folder, engine.run, task.emit, task.cancelled)
            self._made_for = run
            warn_of_copies(Dataset(folder), task.emit)
        return self._maker

    def preparer(
        self, run: ClusterRun, recipe: dict[str, Any] | None, start: Start
    ) -> LentPreparation:
        """Return what makes the chunks of a run's preparation."""
        if self._prepares is None or self._prepares[0] != run:
            self._end_preparing()
            assert recipe is not None  # it comes with the first chunk
            dataset, engine = Dataset(Path(run.folder)), self.engine(start)
            read = DatasetRecipe.from_dict(recipe)
            keep_recipe(dataset.description, read)
            self._prepares = run, LentPreparation(dataset, read, engine.run)
        return self._prepares[1]

    def _end_preparing(self) -> None:
        if self._prepares is not None:
            self._prepares[1].close()
            self._prepares = None


@dataclass(frozen=True)
class ClusterRun:
    """One run of a coordinator.

    Parameters
    ----------
    folder : str
        Of the dataset.
    mark : str
        Content of the file that shows who works on the dataset. It differs between runs.
    """

    folder: str
    mark: str


class _Task:
    """What a task of a run needs to know of its worker."""

    def __init__(self, run: ClusterRun) -> None:
        self._run, self._worker, self._shown = run, get_worker(), 0.0

    def cancelled(self) -> bool:
        """Return True if the coordinator or this worker has ended."""
        mark = PROCESS.runs.get(self._run.folder, self._run.mark)
        return mark != self._run.mark or self._worker.status in ENDING

    def check(self) -> None:
        """Raise MakingCancelled if the coordinator or this worker has ended."""
        if self.cancelled():
            raise MakingCancelled

    def emit(self, event: Event) -> None:
        """Send progress and notices to the coordinator."""
        if isinstance(event, Notice):
            self._send({"notice": event.message})
        elif isinstance(event, Progress) and time.monotonic() - self._shown > INTERVAL:
            self._shown = time.monotonic()
            self._send({"progress": event.message})

    def _send(self, message: Answer) -> None:
        self._worker.log_event(TOPIC, message | {"run": self._run.mark})


PROCESS = _Process()


def allow(folder: str, mark: str) -> None:
    """End the tasks of all runs on a dataset but one. A killed coordinator leaves some.

    It runs beside the tasks.
    """
    PROCESS.runs[folder] = mark


def inspect(run: ClusterRun, family: str, patience: float) -> Answer:
    """Return the weights of this worker, and whether it sees the dataset.

    It waits for earlier tasks of this process, and ``patience`` seconds for the file system.
    """
    with PROCESS.busy:
        answer: Answer = {"weights": {}, "sees": _sees(run, patience)}
        try:
            answer["weights"] = weights_of(family)
        except PixCellError as error:
            answer["problem"] = str(error)
        return answer


def _sees(run: ClusterRun, patience: float) -> bool:
    folder, until = Path(run.folder), time.monotonic() + patience
    while True:
        with suppress(OSError):
            list(folder.iterdir())  # a network file system looks again for what is new
            if (folder / OWNER).read_text() == run.mark:
                return True
        if time.monotonic() > until:
            return False
        time.sleep(LOOKS)


def at_once(run: ClusterRun, family: str, start: Start) -> Answer:
    """Return how many pairs of a new dataset are generated together."""
    with PROCESS.busy:
        return _answered(lambda: {"at once": PROCESS.engine(start).at_once(family)})


def prepare_chunk(
    run: ClusterRun, chunk: dict[str, Any], recipe: dict[str, Any] | None, start: Start
) -> Answer:
    """Make a chunk of the preparation. The recipe is sent once.

    Where the data folder is not that of the coordinator, the real tissue of styles is returned, as
    the contents of its files.
    """
    with PROCESS.busy:
        task = _Task(run)
        if task.cancelled():
            return STOPPED

        def work() -> Answer:
            preparer = PROCESS.preparer(run, recipe, start)
            with disk_problems(Path(run.folder)):
                preparer.make(PreparationChunk.from_dict(chunk), task.check)
            return {"made": {"failed": {}, "notes": []}, "tissue": preparer.taken()}

        return _answered(work)


def bring_tissue(run: ClusterRun, files: dict[str, bytes] | None) -> Answer:
    """Keep files of real tissue in the data folder of this worker, or return which are lacking.

    Parameters
    ----------
    files : dict of str to bytes, optional
        Contents by names.
    """
    with PROCESS.busy:
        dataset = Dataset(Path(run.folder))

        def work() -> Answer:
            if files is None:
                here = sorted(real_files(dataset)) if lacking_tissue(dataset) else None
                return {"has": here}
            with disk_problems(Path(run.folder)):
                keep_tissue(dataset, files)
            return {"kept": len(files)}

        return _answered(work)


def make_chunk(run: ClusterRun, chunk: dict[str, Any], start: Start) -> Answer:
    """Make a chunk, whose rows are then a part on disk."""
    with PROCESS.busy:
        task = _Task(run)
        if task.cancelled():
            return STOPPED
        try:
            maker = PROCESS.maker(run, start, task)
        except PixCellError as error:
            return {"failed": str(error), "kind": WORKER}
        return _answered(lambda: {"made": asdict(maker.make(Chunk.from_dict(chunk)))})


def _answered(work: Callable[[], Answer]) -> Answer:
    try:
        return work()
    except MakingCancelled:
        return STOPPED
    except OtherWeights as error:
        return {"failed": str(error), "kind": WORKER}
    except DiskProblem as error:
        return {"failed": str(error), "kind": DISK}
    except PixCellError as error:
        return {"failed": str(error), "kind": CHUNK}
