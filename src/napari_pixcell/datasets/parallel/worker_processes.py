"""Worker processes on this machine: each loads the models once, and makes one chunk after another.

Messages are JSON values. This is the transport only: what a worker does with a chunk is in
:mod:`~napari_pixcell.datasets.parallel.chunk_making`.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from napari_pixcell.datasets.parallel.chunk_making import ChunkMaker, MadeChunk
from napari_pixcell.datasets.parallel.chunks import Chunk
from napari_pixcell.datasets.preparation.making import PreparationMaker
from napari_pixcell.datasets.preparation.parts import PreparationChunk
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
from napari_pixcell.datasets.recipe.runner import DatasetEngine, Runner
from napari_pixcell.datasets.recipe.same_weights import OtherWeights
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.pair_files import DiskProblem, disk_problems
from napari_pixcell.engine.events import Event, Notice, Progress
from napari_pixcell.errors import PixCellError

# Loads an engine. A function of a module, which each process imports.
Start = Callable[[], DatasetEngine]
Message = dict[str, Any]
LINGERS = 10.0  # seconds that an ended process may take to leave
# Every worker has as many threads as a single process would have, because the last digits of an
# image depend on their number. They must not spin while they wait for each other.
PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
_MAIN = "__file__", "__spec__"  # by which multiprocessing knows the script
_STARTING = threading.Lock()


class ChunkWorker:
    """A process that makes chunks of a dataset.

    Parameters
    ----------
    folder : Path
        Of the dataset.
    start : callable
        Loads the engine in the process, and returns it.
    environment : mapping of str to str
        Environment variables of the process, such as ``CUDA_VISIBLE_DEVICES``.

    Attributes
    ----------
    chunk : Chunk, PreparationChunk or None
        The one in work.
    made : int
        Pairs or other items of it that are made.
    """

    def __init__(self, folder: Path, start: Start, environment: Mapping[str, str]) -> None:
        self.chunk: Chunk | PreparationChunk | None = None
        self.made = 0
        self._has_recipe = False
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        arguments = (theirs, folder, start, PASSIVE | dict(environment))
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        with _main_not_run(start):
            self._process.start()
        theirs.close()

    def ask_at_once(self, family: str) -> None:
        """Ask how many pairs of a family are generated together."""
        self._send({"at once": family})

    def prepare(self, chunk: PreparationChunk, recipe: DatasetRecipe | None) -> None:
        """Ask for a chunk of the preparation by a recipe, which is sent once."""
        self.chunk, self.made = chunk, 0
        message: Message = {"prepare": chunk.to_dict()}
        if not self._has_recipe and recipe is not None:
            message["recipe"] = recipe.to_dict()
            self._has_recipe = True
        self._send(message)

    def make(self, chunk: Chunk) -> None:
        """Ask for a chunk of pairs."""
        self.chunk, self.made = chunk, 0
        self._send({"chunk": chunk.to_dict()})

    def _send(self, message: Message) -> None:
        with suppress(OSError):  # it has ended, which its connection shows
            self.connection.send_bytes(json.dumps(message).encode())

    def receive(self) -> Message | None:
        """Return the next message, or None if the process has ended."""
        try:
            return dict(json.loads(self.connection.recv_bytes()))
        except (EOFError, OSError):
            return None

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.join()
        self.connection.close()

    def ended(self) -> str:
        """Return in words how the process ended, which has closed its connection."""
        self._process.join(LINGERS)
        self.kill()
        code = self._process.exitcode or 0
        if code >= 0:
            return f"its worker ended with exit code {code}"
        memory = ", perhaps for lack of memory" if code == -9 else ""
        return f"its worker was killed (signal {-code}){memory}"


@contextmanager
def _main_not_run(start: Start) -> Iterator[None]:
    """Let a process start without running the script that started this one.

    ``multiprocessing`` runs it for what it defines, and scripts of users have no guard against
    that. Only a function of the script itself needs it.
    """
    main = sys.modules["__main__"]
    if start.__module__ == main.__name__:
        yield
        return
    with _STARTING:
        hidden = {name: vars(main).pop(name) for name in _MAIN if name in vars(main)}
        main.__spec__ = None
        try:
            yield
        finally:
            vars(main).update(hidden)


def messages(workers: Iterable[ChunkWorker], timeout: float) -> Iterator[ChunkWorker]:
    """Iterate over the workers that sent a message or ended; wait for the first of them."""
    by_connection = {worker.connection: worker for worker in workers}
    for connection in wait(list(by_connection), timeout):
        yield by_connection[connection]  # type: ignore[index]


def _serve(
    connection: Connection, folder: Path, start: Start, environment: Mapping[str, str]
) -> None:
    """Run a worker until its coordinator ends."""
    os.environ.update(environment)  # before torch is imported
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches all; the coordinator decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    worker = _Served(connection, folder, start)
    with suppress(EOFError, OSError):  # the coordinator has ended
        while True:
            worker.answer(json.loads(connection.recv_bytes()))


def _end_with_parent() -> None:
    """End this process if its coordinator is killed, also in the middle of a chunk."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class _Served:
    """The worker's side: answers messages with the same functions that a shard uses."""

    def __init__(self, connection: Connection, folder: Path, start: Start) -> None:
        self._connection, self._folder, self._start = connection, folder, start
        self._engine: DatasetEngine | None = None
        self._preparer: PreparationMaker | None = None
        self._maker: ChunkMaker | None = None

    def answer(self, message: Message) -> None:
        try:
            if self._engine is None:
                self._engine = self._start()
            if "at once" in message:
                self._send({"at once": self._engine.at_once(message["at once"])})
            elif "prepare" in message:
                self._prepare(PreparationChunk.from_dict(message["prepare"]), message.get("recipe"))
                self._send({"made": {"failed": {}, "notes": []}})
            else:
                self._send({"made": asdict(self._make(Chunk.from_dict(message["chunk"])))})
        except PixCellError as error:
            kind = "chunk"
            if isinstance(error, OtherWeights) or (self._maker or self._preparer) is None:
                kind = "every chunk"
            elif isinstance(error, DiskProblem):
                kind = "disk"
            self._send({"failed": str(error), "kind": kind})

    def _prepare(self, chunk: PreparationChunk, recipe: dict[str, Any] | None) -> None:
        assert self._engine is not None
        if recipe is not None:
            runner = Runner(self._engine.run, lambda: False)
            self._preparer = PreparationMaker(
                Dataset(self._folder), DatasetRecipe.from_dict(recipe), runner.run, runner.check
            )
        assert self._preparer is not None
        with disk_problems(self._folder):
            self._preparer.make(chunk, self._count)

    def _make(self, chunk: Chunk) -> MadeChunk:
        assert self._engine is not None
        if self._maker is None:
            self._end_preparing()
            self._maker = ChunkMaker(self._folder, self._engine.run, self._emit)
        return self._maker.make(chunk, self._count)

    def _end_preparing(self) -> None:
        if self._preparer is not None:
            self._preparer.close()
            self._preparer = None

    def _count(self) -> None:
        self._send({"item": True})

    def _emit(self, event: Event) -> None:
        if isinstance(event, Progress):
            self._send({"progress": event.message})
        elif isinstance(event, Notice):
            self._send({"notice": event.message})

    def _send(self, message: Message) -> None:
        self._connection.send_bytes(json.dumps(message).encode())
