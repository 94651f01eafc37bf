"""The napari side of the worker: submits requests and receives their events. Imports no torch."""

from __future__ import annotations

import itertools
import json
import logging
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from platformdirs import user_log_dir

from napari_pixcell.datasets.recipe.request import AnyRequest
from napari_pixcell.engine.events import Event, Failure, is_last
from napari_pixcell.engine.packed import arrays_apart
from napari_pixcell.worker import protocol

log = logging.getLogger(__name__)

OnEvent = Callable[[Event], None]
MOST_LOG_BYTES = 1_000_000  # a longer log is replaced by a new one when a worker starts
KILLED = 9  # the signal by which a system that is short of memory ends a process


def log_path() -> Path:
    """Return the path of the worker's log."""
    return Path(user_log_dir("napari-pixcell", appauthor=False)) / "worker.log"


class SubmittedRequest:
    """A request that the worker has or will get, and the shared memory of its arrays."""

    def __init__(
        self, number: int, request: AnyRequest, client: WorkerClient, on_event: OnEvent | None
    ) -> None:
        self.number = number
        self.request = request
        self._client = client
        self._on_event = on_event
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.process: subprocess.Popen[bytes] | None = None
        self.block = protocol.ImageBlock(protocol.slot_bytes(request))
        self._value, self._inputs, self._arrays = protocol.pack_request(request)

    def cancel(self) -> None:
        """Ask the worker to stop at its next step; it answers ``Finished(cancelled=True)``."""
        self._client.send({"op": "cancel", "job": self.number})

    def events(self) -> Iterator[Event]:
        """Wait for events and iterate over them to the last; only for jobs without ``on_event``."""
        while True:
            event = self._events.get()
            yield event
            if is_last(event):
                return

    def start(self, previews: bool) -> None:
        message = {"op": "run", "job": self.number, "request": self._value, "previews": previews}
        message |= {"block": self.block.name, "slot_bytes": self.block.slot_bytes}
        message["inputs"] = self._inputs.message if self._inputs is not None else None
        self._value = {}
        self._client.send(message)

    def receive(self, message: dict[str, Any]) -> Event | None:
        """Return the event of a message, and free its memory; None for a receipt."""
        if message["event"] == protocol.RECEIVED:
            if self._inputs is not None:
                self._inputs.close()
            return None
        image = None
        if "slot" in message:
            image = self.block.take(message["slot"], tuple(message["shape"]), message["dtype"])
            self._client.send({"op": "free", "job": self.number, "slot": message["slot"]})
        with arrays_apart(self._arrays):
            return protocol.event_from_message(message, image)

    def deliver(self, event: Event) -> None:
        if is_last(event):
            self.block.close()
            if self._inputs is not None:
                self._inputs.close()
        (self._on_event or self._events.put)(event)

    def remove_memory(self) -> None:
        """Remove the shared memory of a job whose worker has ended."""
        self.block.remove()
        if self._inputs is not None:
            self._inputs.remove()


class WorkerClient:
    """Owns the worker process: starts it on demand, also after it has died."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)
        self._jobs: dict[int, SubmittedRequest] = {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process_id(self) -> int | None:
        """Process id of the worker, or None if it is not running."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def submit(
        self, request: AnyRequest, on_event: OnEvent | None = None, previews: bool = True
    ) -> SubmittedRequest:
        """Queue a request.

        Parameters
        ----------
        request : Request
            Carried by value.
        on_event : callable, optional
            Receives each event in a background thread; the last is ``Finished`` or ``Failure``.
            Without it, read :meth:`SubmittedRequest.events`.
        previews : bool
            Whether to receive previews of unfinished variants.
        """
        with self._lock:
            if self.process_id is None:
                self._start()
            job = SubmittedRequest(next(self._numbers), request, self, on_event)
            job.process = self._process
            self._jobs[job.number] = job
            job.start(previews)
        return job

    def send(self, message: dict[str, Any]) -> None:
        """Send a message to the worker. If it has died, its reader notices."""
        with self._lock:
            if self._process is None or self._process.stdin is None:
                return
            try:
                protocol.write_line(self._process.stdin, message)
            except (OSError, ValueError):
                log.info("the worker is gone; its reader reports it")

    def restart(self) -> None:
        """End the worker and free all its memory; the next request starts a new one."""
        with self._lock:
            process, self._process = self._process, None
            jobs = [job for job in self._jobs.values() if job.process is process]
        if process is not None:
            process.kill()
            process.wait()
        for job in jobs:
            job.remove_memory()

    close = restart

    def _start(self) -> None:
        path = log_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > MOST_LOG_BYTES:
            path.replace(path.with_suffix(".old.log"))
        with path.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "napari_pixcell.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                # Spinning threads would starve the window of CPU time.
                env=os.environ | {"OMP_WAIT_POLICY": "PASSIVE"},
            )
        threading.Thread(target=self._read, args=(self._process,), daemon=True).start()

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            try:
                self._receive(json.loads(line))
            except Exception:
                log.exception("a message of the worker could not be read")
        code = process.wait()
        with self._lock:
            on_purpose = self._process is not process
            if not on_purpose:
                self._process = None
            orphans = [job for job in self._jobs.values() if job.process is process]
            for job in orphans:
                del self._jobs[job.number]
        for job in orphans:
            job.deliver(_ended(on_purpose, code))

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
        job.deliver(event)


def _ended(on_purpose: bool, code: int) -> Failure:
    if on_purpose:
        return Failure("The memory was freed, which stopped this request. Start it again.")
    why = "the system ended it, perhaps for lack of memory" if code == -KILLED else f"code {code}"
    return Failure(
        f"The worker process ended unexpectedly ({why}). Generate again to start a new one. "
        f"Details are in {log_path().name}.",
        f"see {log_path()}",
    )
