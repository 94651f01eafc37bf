"""Makes a dataset with the workers of a Dask scheduler."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING, Any

from distributed import Future

import napari_pixcell
from napari_pixcell.cluster.connection import FETCH, Connection, SchedulerLost
from napari_pixcell.cluster.worker_tasks import (
    DISK,
    WORKER,
    Answer,
    ClusterRun,
    allow,
    inspect,
    make_chunk,
    prepare_dataset,
)
from napari_pixcell.datasets.parallel.chunk_queue import MOST_RETRIES, ChunkQueue
from napari_pixcell.datasets.parallel.chunks import Chunk
from napari_pixcell.datasets.parallel.joining import JoinedDataset
from napari_pixcell.datasets.parallel.worker_processes import Start
from napari_pixcell.datasets.recipe.opening import open_for_making
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.recipe.runner import MakingCancelled
from napari_pixcell.datasets.recipe.style_sources import with_library_styles
from napari_pixcell.datasets.store.dataset import DESCRIPTION, Dataset
from napari_pixcell.datasets.store.lock import OWNER, locked
from napari_pixcell.datasets.store.pair_files import disk_problems
from napari_pixcell.engine.events import Emit, Finished, Notice, Progress
from napari_pixcell.engine.record import other_weights
from napari_pixcell.errors import PixCellError

if TYPE_CHECKING:
    from napari_pixcell.cluster.jobs import Jobs

LISTENS = 0.5  # seconds until it looks again for workers, and whether it was cancelled
PATIENCE = 10.0  # seconds for a new file to appear on the file system of a worker
ENDING = 30.0  # seconds for tasks to end after a cancel


def make_on_cluster(
    request: DatasetRequest,
    connection: Connection,
    start: Start,
    emit: Emit,
    cancelled: Callable[[], bool] = lambda: False,
    jobs: Jobs | None = None,
    patience: float = PATIENCE,
) -> JoinedDataset | None:
    """Make the missing pairs of a dataset with the workers of a scheduler.

    This process loads no models. It may be killed and started again.

    Parameters
    ----------
    request : DatasetRequest
        Workers must see its folder, and what its recipe names, under the same paths.
    connection : Connection
    start : callable
        Function of a module that loads an engine; workers import it.
    emit : callable
        Receives ``Progress`` in pairs, ``Notice`` of failures, ``Finished``.
    cancelled : callable
        Called about twice a second; complete pairs are kept.
    jobs : Jobs, optional
        Starts and ends workers as they are needed. By default those that are there are used.
    patience : float
        Seconds for a new file to appear on the file system of a worker.

    Returns
    -------
    JoinedDataset or None
        None if it was cancelled before it was prepared.

    Raises
    ------
    PixCellError
        If the recipe cannot be followed, no worker can be used, the disk is full, no pair can be
        made, or another process is working on the dataset.
    """
    folder = Path(request.folder).absolute()
    coordinator = _ClusterCoordinator(request, folder, connection, start, emit)
    coordinator.cancelled, coordinator.jobs, coordinator.patience = cancelled, jobs, patience
    stopped = False
    try:
        with disk_problems(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with locked(folder):
                coordinator.run()
    except MakingCancelled:
        stopped = True
    emit(Finished(cancelled=stopped))
    return coordinator.joined


@dataclass
class _Worker:
    name: str
    task: Future | None = None  # the one in work
    chunk: Chunk | None = None  # that the task makes
    admitted: bool = False


class _ClusterCoordinator:
    def __init__(
        self,
        request: DatasetRequest,
        folder: Path,
        connection: Connection,
        start: Start,
        emit: Emit,
    ) -> None:
        self.joined: JoinedDataset | None = None
        self.cancelled: Callable[[], bool] = lambda: False
        self.jobs: Jobs | None = None
        self.patience = PATIENCE
        self._folder, self._connection = folder, connection
        recipe = request.recipe and with_library_styles(request.recipe)  # of this machine
        self._request = DatasetRequest(str(folder), recipe, request.most)
        self._start, self._emit = start, emit
        self._workers: dict[str, _Worker] = {}
        self._refused: dict[str, str] = {}  # sentences by addresses
        self._told: set[str] = set()  # notices
        self._weights: dict[str, str] = {}  # of the dataset
        self._common: dict[str, str] = {}  # of the first worker
        self._looked = 0.0

    def run(self) -> None:
        """Prepare the dataset and make its pairs; the folder is locked."""
        mark = (self._folder / OWNER).read_text()
        self._run = ClusterRun(str(self._folder), mark)
        self._family = self._family_name()
        scheduler = f"The scheduler {self._connection.name}"
        sentence = _other_version(scheduler, self._connection.scheduler_version())
        if sentence:
            raise PixCellError(sentence)
        try:
            self._prepare()
            self._make()
        finally:
            self._end()

    def _family_name(self) -> str:
        if (self._folder / DESCRIPTION).exists():
            dataset = open_for_making(self._request, lambda: None, self._emit)
            self._weights = dict(dataset.description.weights)
            return dataset.description.family
        if self._request.recipe is None:
            return Dataset(self._folder).description.family  # raises
        return self._request.recipe.family

    # -- workers ---------------------------------------------------------------------------

    def _wait(self, wanted: int) -> list[tuple[_Worker, Answer | None]]:
        """Wait for answers of tasks, or None of those whose worker has ended."""
        if self.cancelled():
            raise MakingCancelled
        answers: list[tuple[_Worker, Answer | None]] = []
        for task in self._connection.ended(LISTENS):
            address = next((a for a, one in self._workers.items() if one.task is task), None)
            if address is None:  # of a worker that has ended meanwhile
                continue
            worker, answer = self._workers[address], _answer_of(task)
            worker.task = None
            if worker.admitted:
                answers.append((worker, answer))
            else:
                self._admit(address, worker, answer)
        self._tell()
        if time.monotonic() - self._looked > LISTENS:
            self._looked = time.monotonic()
            answers += self._look(wanted)
        return answers

    def _look(self, wanted: int) -> list[tuple[_Worker, Answer | None]]:
        """Look for new workers, and for those that have ended."""
        found = self._connection.workers()
        ended: list[tuple[_Worker, Answer | None]] = []
        for address in self._workers.keys() - found.keys():
            worker = self._workers.pop(address)
            if worker.task is not None:
                worker.task.cancel()
                worker.task = None
                ended.append((worker, None))
        new = found.keys() - self._workers.keys() - self._refused.keys()
        self._meet({address: found[address] for address in new})
        if self.jobs is not None:
            idle = [one.name for one in self._workers.values() if one.admitted and not one.task]
            self.jobs.adapt(wanted, idle)
            if self.jobs.problem and not self._workers:
                raise PixCellError(self.jobs.problem)
            if self.jobs.problem:
                self._note(self.jobs.problem)
        return ended

    def _meet(self, names: dict[str, str]) -> None:
        """Inspect workers that have joined, those with another version excepted."""
        versions = self._connection.versions(names)
        self._workers |= {address: _Worker(names[address]) for address in versions}
        for address, version in versions.items():
            sentence = _other_version(self._described(address), version)
            if sentence:
                self._refuse(address, sentence)
        same = [address for address in versions if address in self._workers]
        self._connection.run(same, allow, self._run.folder, self._run.mark)
        for address in same:
            values = self._run, self._family, self.patience
            self._workers[address].task = self._connection.submit(address, inspect, *values)

    def _described(self, address: str) -> str:
        return f"The worker {self._workers[address].name} ({address})"

    def _admit(self, address: str, worker: _Worker, answer: Answer | None) -> None:
        """Use a worker, or refuse it by name."""
        if answer is None:
            del self._workers[address]  # it is asked again if it is still there
            return
        sentence = self._objection(self._described(address), answer)
        if sentence:
            self._refuse(address, sentence)
        else:
            self._common = self._common or answer["weights"]
            worker.admitted = True

    def _objection(self, name: str, answer: Answer) -> str:
        if "failed" in answer:
            return f"{name} cannot be used. {answer['failed']}."
        if not answer["sees"]:
            return (
                f"{name} does not see the folder {self._folder}. Choose a folder with --out on a "
                "file system that all workers share, under the same path."
            )
        if "problem" in answer:
            return f"{name} cannot be used. {answer['problem']}"
        weights = answer["weights"]
        known = {part: sha256 for part, sha256 in self._weights.items() if part in weights}
        changed = other_weights(known | self._common, weights)
        if changed:
            return (
                f"{name} has other weights of {self._family} ({', '.join(changed)}) than the "
                "dataset or the other workers. Install the same weights for all."
            )
        return ""

    def _refuse(self, address: str, sentence: str) -> None:
        del self._workers[address]
        self._refused[address] = sentence
        if not self._workers:
            raise PixCellError(sentence)
        self._note(f"{sentence} It gets no work.")

    def _tell(self) -> None:
        """Emit what workers have sent."""
        while True:
            try:
                message = self._connection.messages.get_nowait()
            except Empty:
                return
            match message:
                case {"run": self._run.mark, "notice": str(text)}:
                    self._note(text)
                case {"run": self._run.mark, "progress": str(text)}:
                    self._emit(Progress(0, 0, text))

    def _note(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._emit(Notice(text))

    def _end(self) -> None:
        """End the tasks of this run, and wait until they have stopped writing."""
        busy = [worker for worker in self._workers.values() if worker.task is not None]
        if not busy:
            return
        until = time.monotonic() + ENDING
        try:
            self._connection.run(self._workers, allow, self._run.folder, "")
            while any(w.task for w in busy) and time.monotonic() < until:
                ended = self._connection.ended(LISTENS)
                alive = self._connection.workers()
                for address, worker in self._workers.items():
                    if worker.task in ended or address not in alive:
                        worker.task = None
        except SchedulerLost:
            pass  # its workers end as well

    # -- styles and layouts ----------------------------------------------------------------

    def _prepare(self) -> None:
        """Let a worker prepare the dataset, once all workers that are there were inspected."""
        self._looked = 0.0
        while not self._workers or not all(one.admitted for one in self._workers.values()):
            if not self._workers:
                self._emit(Progress(0, 0, f"Waiting for a worker of {self._connection.name}"))
            self._wait(1)
        begun = (self._folder / DESCRIPTION).exists()
        if begun and Dataset(self._folder).description.plan is not None:
            return
        for _ in range(1 + MOST_RETRIES):
            if self._prepared():
                return
        raise PixCellError(
            f"The styles and layouts of {self._folder.name} could not be prepared: each worker "
            "that tried has ended. Check the memory of the workers, and run the command again."
        )

    def _prepared(self) -> bool:
        """Return True if a worker has prepared the dataset, False if it has ended."""
        while not (ready := self._idle()):
            self._wait(1)
        address, chosen = ready[0]
        values = self._run, self._request.to_dict(), self._start
        chosen.task = self._connection.submit(address, prepare_dataset, *values)
        while True:
            for worker, answer in self._wait(1):
                if worker is not chosen:
                    continue
                match answer:
                    case {"prepared": _}:
                        return True
                    case {"failed": str(reason)}:
                        raise PixCellError(reason)
                return False

    def _idle(self) -> list[tuple[str, _Worker]]:
        found = self._workers.items()
        return [(address, one) for address, one in found if one.admitted and one.task is None]

    # -- pairs -----------------------------------------------------------------------------

    def _make(self) -> None:
        self._chunks = ChunkQueue(Dataset(self._folder), self._request.most, self._emit)
        try:
            while self._hand_out():
                for worker, answer in self._wait(self._chunks.needed):
                    self._receive(worker, answer)
                self._chunks.show(sum(one.admitted for one in self._workers.values()))
        finally:  # also when cancelled
            self._end()
            self.joined = self._chunks.finish()
        self._chunks.report()

    def _hand_out(self) -> bool:
        """Give each idle worker a chunk; return False if all are made."""
        for address, worker in self._idle():
            worker.chunk = self._chunks.next()
            if worker.chunk is None:
                break
            values = self._run, worker.chunk.to_dict(), self._start
            worker.task = self._connection.submit(address, make_chunk, *values)
        return not self._chunks.empty or any(one.chunk for one in self._workers.values())

    def _receive(self, worker: _Worker, answer: Answer | None) -> None:
        chunk, worker.chunk = worker.chunk, None
        assert chunk is not None
        match answer:
            case {"made": {"failed": failed, "notes": notes}}:
                self._chunks.made(chunk, failed, notes)
            case {"failed": str(reason), **more}:
                kind = more.get("kind")
                self._chunks.failed(chunk, reason, of_disk=kind == DISK)
                address = next((a for a, one in self._workers.items() if one is worker), None)
                if kind == WORKER and address is not None:
                    self._refuse(address, f"{self._described(address)}: {reason}")
            case _:
                self._chunks.lost(chunk, f"the worker {worker.name} has ended")


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
