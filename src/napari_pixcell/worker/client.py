"""The napari side of the worker: submits requests and receives their events. Imports no torch."""

from __future__ import annotations

import itertools
import logging
import queue
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from platformdirs import user_log_dir

from napari_pixcell.engine.events import Event, Failure, is_last
from napari_pixcell.engine.packed import arrays_apart
from napari_pixcell.errors import PixCellError
from napari_pixcell.worker import protocol
from napari_pixcell.worker.blocks import remove_leftovers
from napari_pixcell.worker.requests import AnyRequest
from napari_pixcell.worker.running import PATIENCE_S, WorkerProcess

log = logging.getLogger(__name__)

OnEvent = Callable[[Event], None]
KILLED = 9  # the signal by which a system that is short of memory ends a process
AGAIN = "Generate again to start a new one."


def log_path() -> Path:
    """Return the path of the worker's log."""
    return Path(user_log_dir("napari-pixcell", appauthor=False)) / "worker.log"


class SubmittedRequest:
    """A request that the worker has or will get, and the shared memory of its arrays."""

    def __init__(self, number: int, request: AnyRequest, on_event: OnEvent | None = None) -> None:
        self.number = number
        self.request = request
        self._on_event = on_event
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.process: WorkerProcess | None = None
        try:
            self.block = protocol.ImageBlock(protocol.slot_bytes(request))
        except OSError as error:
            raise PixCellError(
                f"There is no room to exchange images with the worker ({error.strerror}). Free "
                f"some space in {_temporary_folder()}, or set TMPDIR to another folder."
            ) from error
        self._value, self._inputs, self._arrays = protocol.pack_request(request)

    def cancel(self) -> None:
        """Ask the worker to stop at its next step; it answers ``Finished(cancelled=True)``."""
        self._send({"op": "cancel", "job": self.number})

    def events(self) -> Iterator[Event]:
        """Wait for events and iterate over them to the last; only for jobs without ``on_event``."""
        while True:
            event = self._events.get()
            yield event
            if is_last(event):
                return

    def start(self, process: WorkerProcess, previews: bool) -> None:
        self.process = process
        message = {"op": "run", "job": self.number, "request": self._value, "previews": previews}
        message |= {"block": self.block.name, "slot_bytes": self.block.slot_bytes}
        message["inputs"] = self._inputs.message if self._inputs is not None else None
        self._value = {}
        self._send(message)

    def receive(self, message: dict[str, Any]) -> Event | None:
        """Return the event of a message, and free its memory; None for a receipt."""
        if message["event"] == protocol.RECEIVED:
            if self._inputs is not None:
                self._inputs.close()
            return None
        image = None
        if "slot" in message:
            image = self.block.take(message["slot"], tuple(message["shape"]), message["dtype"])
            self._send({"op": "free", "job": self.number, "slot": message["slot"]})
        with arrays_apart(self._arrays):
            return protocol.event_from_message(message, image)

    def deliver(self, event: Event) -> None:
        if is_last(event):
            self.close()
        (self._on_event or self._events.put)(event)

    def close(self) -> None:
        """Free the shared memory."""
        self.block.close()
        if self._inputs is not None:
            self._inputs.close()

    def remove_memory(self) -> None:
        """Remove the shared memory of a job whose worker has ended."""
        self.block.remove()
        if self._inputs is not None:
            self._inputs.remove()

    def _send(self, message: dict[str, Any]) -> None:
        if self.process is not None:
            self.process.send(message)


class WorkerClient:
    """Owns the worker process: starts it on demand, also after it has died.

    Parameters
    ----------
    patience : float
        Seconds without a sign of life after which the worker is killed.
    """

    def __init__(self, patience: float = PATIENCE_S) -> None:
        self._patience = patience
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)
        self._jobs: dict[int, SubmittedRequest] = {}
        self._process: WorkerProcess | None = None

    @property
    def process_id(self) -> int | None:
        """Process id of the worker, or None if it is not running."""
        process = self._process
        return process.pid if process is not None and process.alive else None

    def submit(
        self, request: AnyRequest, on_event: OnEvent | None = None, previews: bool = True
    ) -> SubmittedRequest:
        """Queue a request. Returns at once, also if the worker does not listen.

        Parameters
        ----------
        request : Request
            Carried by value.
        on_event : callable, optional
            Receives each event in a background thread; the last is ``Finished`` or ``Failure``.
            Without it, read :meth:`SubmittedRequest.events`.
        previews : bool
            Whether to receive previews of unfinished variants.

        Raises
        ------
        PixCellError
            If the worker cannot be started, or there is no room for the images.
        """
        job = SubmittedRequest(next(self._numbers), request, on_event)
        try:
            with self._lock:
                if self._process is None or not self._process.alive:
                    remove_leftovers()
                    self._process = WorkerProcess(
                        self._receive, self._report_end, log_path(), self._patience
                    )
                self._jobs[job.number] = job
                job.start(self._process, previews)
        except BaseException:
            job.close()
            raise
        return job

    def restart(self) -> None:
        """End the worker and free all its memory; the next request starts a new one."""
        with self._lock:
            process, self._process = self._process, None
            jobs = [job for job in self._jobs.values() if job.process is process]
        if process is not None:
            process.kill("freed")
            process.wait()
        for job in jobs:
            job.remove_memory()

    close = restart

    def _receive(self, message: dict[str, Any]) -> None:
        with self._lock:
            job = self._jobs.get(message["job"])
        event = job.receive(message) if job is not None else None
        if job is None or event is None:
            return
        if isinstance(event, Failure) and event.details:
            log.error("%s\n%s", event.message, event.details)
        if is_last(event):
            with self._lock:
                self._jobs.pop(job.number, None)
        _deliver(job, event)

    def _report_end(self, process: WorkerProcess) -> None:
        with self._lock:
            if self._process is process:
                self._process = None
            orphans = [job for job in self._jobs.values() if job.process is process]
            for job in orphans:
                del self._jobs[job.number]
        for job in orphans:
            _deliver(job, _failure_of(process))


def _deliver(job: SubmittedRequest, event: Event) -> None:
    try:
        job.deliver(event)
    except Exception:  # of whoever receives it; the worker is not to blame
        log.exception("an event could not be delivered")


def _failure_of(process: WorkerProcess) -> Failure:
    """Return what a process that has ended means to its requests."""
    where = f" Details are in {log_path().name}." if process.has_log else ""
    details = f"see {log_path()}" if process.has_log else ""
    match process.reason:
        case "freed":
            return Failure("The memory was freed, which stopped this request. Start it again.")
        case "silent":
            text = f"The worker process did not answer and was ended. {AGAIN}"
        case "garbled":
            text = f"The worker process sent an unreadable answer and was ended. {AGAIN}"
        case _:
            killed = process.code == -KILLED
            why = "the system ended it, perhaps for lack of memory" if killed else ""
            why = why or f"code {process.code}"
            text = f"The worker process ended unexpectedly ({why}). {AGAIN}"
    return Failure(text + where, details)


def _temporary_folder() -> str:
    try:
        return tempfile.gettempdir()
    except OSError:
        return "the temporary folder"
