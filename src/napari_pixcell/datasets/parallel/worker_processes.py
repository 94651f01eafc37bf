"""Worker processes on this machine: each loads the models once, and makes one chunk after another.

Messages are JSON values. This is the transport only: what a worker does with a chunk is in
:mod:`~napari_pixcell.datasets.parallel.chunk_making`.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from napari_pixcell.datasets.parallel.chunk_making import ChunkMaker
from napari_pixcell.datasets.parallel.chunks import Chunk
from napari_pixcell.datasets.recipe.opening import prepare_dataset
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.recipe.runner import DatasetEngine
from napari_pixcell.datasets.recipe.same_weights import OtherWeights
from napari_pixcell.datasets.store.pair_files import DiskProblem
from napari_pixcell.engine.events import Event, Notice, Progress
from napari_pixcell.errors import PixCellError

# Loads an engine. A function of a module, which each process imports.
Start = Callable[[], DatasetEngine]
Message = dict[str, Any]
LINGERS = 10.0  # seconds that an ended process may take to leave
# Every worker has as many threads as a single process would have, because the last digits of an
# image depend on their number. They must not spin while they wait for each other.
PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}


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
    chunk : Chunk or None
        The one in work.
    made : int
        Pairs of it that are made.
    """

    def __init__(self, folder: Path, start: Start, environment: Mapping[str, str]) -> None:
        self.chunk: Chunk | None = None
        self.made = 0
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        arguments = (theirs, folder, start, PASSIVE | dict(environment))
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()

    def prepare(self, request: DatasetRequest) -> None:
        """Ask for the preparation of the dataset."""
        self._send({"prepare": request.to_dict()})

    def make(self, chunk: Chunk) -> None:
        """Ask for a chunk."""
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
        self._maker: ChunkMaker | None = None

    def answer(self, message: Message) -> None:
        try:
            if self._engine is None:
                self._engine = self._start()
            if "prepare" in message:
                request = DatasetRequest.from_dict(message["prepare"])
                prepare_dataset(request, self._engine.run, self._emit, block=self._engine.at_once)
                self._send({"prepared": True})
                return
            if self._maker is None:
                self._maker = ChunkMaker(self._folder, self._engine.run, self._emit)
            chunk = Chunk.from_dict(message["chunk"])
            made = self._maker.make(chunk, lambda: self._send({"pair": True}))
            self._send({"made": asdict(made)})
        except PixCellError as error:
            kind = "chunk"
            if isinstance(error, OtherWeights) or self._maker is None:
                kind = "every chunk"
            elif isinstance(error, DiskProblem):
                kind = "disk"
            self._send({"failed": str(error), "kind": kind})

    def _emit(self, event: Event) -> None:
        if isinstance(event, Progress):
            self._send({"progress": event.message})
        elif isinstance(event, Notice):
            self._send({"notice": event.message})

    def _send(self, message: Message) -> None:
        self._connection.send_bytes(json.dumps(message).encode())
