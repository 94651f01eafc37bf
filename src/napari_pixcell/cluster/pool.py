"""The workers of a coordinator: those that join are inspected, and admitted or refused by name."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from queue import Empty
from typing import TYPE_CHECKING, Any

from distributed import Future

import napari_pixcell
from napari_pixcell.cluster.connection import FETCH, Connection, SchedulerLost
from napari_pixcell.cluster.worker_tasks import Answer, ClusterRun, allow, inspect
from napari_pixcell.datasets.parallel.chunks import Chunk
from napari_pixcell.datasets.preparation.parts import PreparationChunk
from napari_pixcell.datasets.recipe.runner import MakingCancelled
from napari_pixcell.engine.events import Emit, Notice, Progress
from napari_pixcell.engine.record import other_weights
from napari_pixcell.errors import PixCellError

if TYPE_CHECKING:
    from napari_pixcell.cluster.jobs import Jobs

LISTENS = 0.5  # seconds until it looks again for workers, and whether it was cancelled
ENDING = 30.0  # seconds for tasks to end after a cancel


@dataclass(eq=False)
class PoolWorker:
    """A worker of Dask.

    Parameters
    ----------
    name, address : str
    task : Future, optional
        The one in work.
    chunk : Chunk or PreparationChunk, optional
        That the task makes.
    admitted : bool
        False until it was inspected.
    has_recipe : bool
        Whether it was sent the recipe of a dataset that is not prepared.
    tissue : iterator of dict, optional
        Files of real tissue that it lacks, while they are sent.
    has_tissue : bool
        Whether it was sent the real tissue of styles that it lacked.
    """

    name: str
    address: str
    task: Future[Any] | None = None
    chunk: Chunk | PreparationChunk | None = None
    admitted: bool = False
    has_recipe: bool = False
    tissue: Iterator[dict[str, bytes]] | None = None
    has_tissue: bool = False

    def __str__(self) -> str:
        return f"The worker {self.name} ({self.address})"


Answered = tuple[PoolWorker, Answer | None]


@dataclass
class WorkerPool:
    """Sends tasks to the workers of a scheduler, one at a time to each.

    Parameters
    ----------
    connection : Connection
    run : ClusterRun
    family : str
        Of the dataset.
    weights : dict of str to str
        The sha256 of its weight files, as far as they are known.
    emit : callable
        Receives ``Notice`` and ``Progress`` of the workers.
    cancelled : callable
    jobs : Jobs, optional
        Starts and ends workers as they are needed.
    patience : float
        Seconds for a new file to appear on the file system of a worker.
    """

    connection: Connection
    run: ClusterRun
    family: str
    weights: dict[str, str]
    emit: Emit
    cancelled: Callable[[], bool]
    jobs: Jobs | None
    patience: float
    _workers: dict[str, PoolWorker] = field(default_factory=dict)  # by addresses
    _refused: set[str] = field(default_factory=set)  # addresses
    _told: set[str] = field(default_factory=set)  # notices
    _common: dict[str, str] = field(default_factory=dict)  # weights of the first worker
    _looked: float = 0.0

    @property
    def admitted(self) -> list[PoolWorker]:
        """The workers that may be used."""
        return [worker for worker in self._workers.values() if worker.admitted]

    @property
    def idle(self) -> list[PoolWorker]:
        """The workers that may be used and have no task."""
        return [worker for worker in self.admitted if worker.task is None]

    @property
    def common_weights(self) -> dict[str, str]:
        """The sha256 of the weight files that the workers have in common."""
        return dict(self._common)

    def submit(self, worker: PoolWorker, task: Callable[..., Answer], *values: Any) -> None:
        """Send a task to an idle worker."""
        worker.task = self.connection.submit(worker.address, task, self.run, *values)

    def gather(self) -> None:
        """Wait for a worker, and until all that were there were inspected.

        An inspection waits for what a killed coordinator has left, so that no two tasks make the
        same pair.

        Raises
        ------
        MakingCancelled
            If the user cancelled.
        PixCellError
            If no worker may be used, or the scheduler has another version.
        """
        scheduler = f"The scheduler {self.connection.name}"
        sentence = _other_version(scheduler, self.connection.scheduler_version())
        if sentence:
            raise PixCellError(sentence)
        first: list[PoolWorker] = []
        while not self.admitted or any(
            not one.admitted and self._workers.get(one.address) is one for one in first
        ):
            self.wait(1)
            first = first or list(self._workers.values())
            if not self._workers:
                self.emit(Progress(0, 0, f"Waiting for a worker of {self.connection.name}"))

    def wait(self, wanted: int) -> list[Answered]:
        """Wait for answers of tasks, or None of those whose worker has ended; look for workers.

        Parameters
        ----------
        wanted : int
            Number of workers that would have work.
        """
        if self.cancelled():
            raise MakingCancelled
        answers: list[Answered] = []
        for task in self.connection.ended(LISTENS):
            worker = next((one for one in self._workers.values() if one.task is task), None)
            if worker is None:  # it has ended meanwhile
                continue
            answer, worker.task = _answer_of(task), None
            if worker.admitted:
                answers.append((worker, answer))
            else:
                self._admit(worker, answer)
        self._tell()
        if time.monotonic() - self._looked > LISTENS:
            self._looked = time.monotonic()
            answers += self._look(wanted)
        return answers

    def _look(self, wanted: int) -> list[Answered]:
        """Look for new workers, and for those that have ended."""
        found = self.connection.workers()
        ended: list[Answered] = []
        for address in self._workers.keys() - found.keys():
            worker = self._workers.pop(address)
            if worker.task is not None:
                worker.task.cancel()
                worker.task = None
                ended.append((worker, None))
        new = found.keys() - self._workers.keys() - self._refused
        self._meet({address: found[address] for address in new})
        if self.jobs is not None:
            self.jobs.adapt(wanted, [worker.name for worker in self.idle])
            if self.jobs.problem and not self._workers:
                raise PixCellError(self.jobs.problem)
            if self.jobs.problem:
                self._note(self.jobs.problem)
        return ended

    def _meet(self, names: dict[str, str]) -> None:
        """Inspect workers that have joined, those with another version excepted."""
        versions = self.connection.versions(names)
        new = {address: PoolWorker(names[address], address) for address in versions}
        self._workers |= new
        for address, version in versions.items():
            sentence = _other_version(str(new[address]), version)
            if sentence:
                self._refuse(new[address], sentence)
        same = [address for address in new if address in self._workers]
        self.connection.run(same, allow, self.run.folder, self.run.mark)
        for address in same:
            self.submit(new[address], inspect, self.family, self.patience)

    def _admit(self, worker: PoolWorker, answer: Answer | None) -> None:
        """Use a worker, or refuse it by name."""
        if answer is None:
            del self._workers[worker.address]  # it is met again if it is still there
            return
        sentence = self._objection(str(worker), answer)
        if sentence:
            self._refuse(worker, sentence)
        else:
            self._common = self._common or answer["weights"]
            worker.admitted = True

    def _objection(self, name: str, answer: Answer) -> str:
        if "failed" in answer:
            return f"{name} cannot be used. {answer['failed']}."
        if not answer["sees"]:
            return (
                f"{name} does not see the folder {self.run.folder}. Choose a folder with --out on "
                "a file system that all workers share, under the same path."
            )
        if "problem" in answer:
            return f"{name} cannot be used. {answer['problem']}"
        weights = answer["weights"]
        known = {part: sha256 for part, sha256 in self.weights.items() if part in weights}
        changed = other_weights(known | self._common, weights)
        if changed:
            return (
                f"{name} has other weights of {self.family} ({', '.join(changed)}) than the "
                "dataset or the other workers. Install the same weights for all."
            )
        return ""

    def refuse(self, worker: PoolWorker, reason: str) -> None:
        """Give no more work to a worker.

        Raises
        ------
        PixCellError
            If there is no other.
        """
        if worker.address in self._workers:
            self._refuse(worker, f"{worker} cannot be used. {reason}")

    def _refuse(self, worker: PoolWorker, sentence: str) -> None:
        del self._workers[worker.address]
        self._refused.add(worker.address)
        if not self._workers:
            raise PixCellError(sentence)
        self._note(f"{sentence} It gets no work.")

    def _tell(self) -> None:
        """Emit what workers have sent."""
        while True:
            try:
                message = self.connection.messages.get_nowait()
            except Empty:
                return
            match message:
                case {"run": self.run.mark, "notice": str(text)}:
                    self._note(text)
                case {"run": self.run.mark, "progress": str(text)}:
                    self.emit(Progress(0, 0, text))

    def _note(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self.emit(Notice(text))

    def end(self) -> None:
        """End the tasks of this run, and wait until they have stopped writing."""
        busy = [worker for worker in self._workers.values() if worker.task is not None]
        if not busy:
            return
        until = time.monotonic() + ENDING
        try:
            self.connection.run(self._workers, allow, self.run.folder, "")
            while any(worker.task for worker in busy) and time.monotonic() < until:
                ended = self.connection.ended(LISTENS)
                alive = self.connection.workers()
                for worker in busy:
                    if worker.task in ended or worker.address not in alive:
                        worker.task = None
        except SchedulerLost:
            pass  # its workers end as well


def _other_version(name: str, version: Any) -> str:
    """Return what is wrong with the napari-pixcell of a worker; empty if it is the same."""
    own = napari_pixcell.__version__
    if version == own:
        return ""
    if isinstance(version, str):
        return (
            f"{name} has napari-pixcell {version}, and this process {own}. Install the same "
            "version on both."
        )
    return (
        f"{name} cannot import napari-pixcell ({type(version).__name__}: {str(version)[:200]}). "
        f"Install version {own} with the extra “cluster” in its environment."
    )


def _answer_of(task: Any) -> Answer | None:
    """Return the answer of a task that has ended, or None if its worker has ended."""
    if task.status == "error":
        error = task.exception(timeout=FETCH)
        if type(error).__name__ == "KilledWorker":
            return None
        return {"failed": f"{type(error).__name__}: {error}"[:500]}
    try:
        return dict(task.result(timeout=FETCH))
    except Exception:  # cancelled, or lost with its worker
        return None
