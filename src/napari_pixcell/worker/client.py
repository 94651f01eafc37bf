"""The napari side of the worker: submit a request, get its events. Imports no torch."""

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
from napari_pixcell.worker.protocol import (
    ImageBlock,
    event_from_message,
    slot_bytes,
    write_line,
)

log = logging.getLogger(__name__)

OnEvent = Callable[[Event], None]
# A longer log is put aside when the next worker starts; the one before that goes.
MOST_LOG_BYTES = 1_000_000
KILLED = 9  # the signal by which a system that is short of memory ends a process


def log_path() -> Path:
    """Where the worker's own output goes."""
    return Path(user_log_dir("napari-pixcell", appauthor=False)) / "worker.log"


class Job:
    """One submitted request.

    Attributes
    ----------
    request : Request
        What was asked for.
    """

    def __init__(
        self, number: int, request: AnyRequest, client: WorkerClient, on_event: OnEvent | None
    ) -> None:
        self.number = number
        self.request = request
        self._client = client
        self._on_event = on_event
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.process: subprocess.Popen[bytes] | None = None
        self.block = ImageBlock(slot_bytes(request))

    def cancel(self) -> None:
        """Ask the worker to stop at its next step; ``Finished(cancelled=True)`` will come."""
        self._client.send({"op": "cancel", "job": self.number})

    def events(self) -> Iterator[Event]:
        """Wait for events and give them, up to the last; only for jobs without ``on_event``."""
        while True:
            event = self._events.get()
            yield event
            if is_last(event):
                return

    def deliver(self, event: Event) -> None:
        """Pass an event on to whoever waits for it."""
        if is_last(event):
            self.block.close()
        (self._on_event or self._events.put)(event)


class WorkerClient:
    """Owns the worker process: starts it when it is needed, again when it has died."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)
        self._jobs: dict[int, Job] = {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process_id(self) -> int | None:
        """Of the worker, if one runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def submit(
        self, request: AnyRequest, on_event: OnEvent | None = None, previews: bool = True
    ) -> Job:
        """Queue a request.

        Parameters
        ----------
        request : Request
            Carried by value.
        on_event : callable, optional
            Gets each event, in a background thread; the last is ``Finished`` or ``Failure``.
            Without it, read :meth:`Job.events`.
        previews : bool
            Whether to be sent how pictures look by now.
        """
        with self._lock:
            job = Job(next(self._numbers), request, self, on_event)
            if self.process_id is None:
                self._start()
            job.process = self._process
            self._jobs[job.number] = job
            block = {"block": job.block.name, "slot_bytes": job.block.slot_bytes}
            asked = {"request": request.to_dict(), "previews": previews}
            self.send({"op": "run", "job": job.number, **asked, **block})
        return job

    def send(self, message: dict[str, Any]) -> None:
        """Send a message to the worker; one that has died is noticed by its reader."""
        with self._lock:
            if self._process is None or self._process.stdin is None:
                return
            try:
                write_line(self._process.stdin, message)
            except (OSError, ValueError):
                log.info("the worker is gone; its reader reports it")

    def restart(self) -> None:
        """End the worker and with it all memory it held; the next request starts a new one."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def close(self) -> None:
        """End the worker for good."""
        self.restart()

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
                # Spinning threads would take the processor from the window.
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
        if job is None:
            return
        image = None
        if "slot" in message:
            image = job.block.take(message["slot"], tuple(message["shape"]), message["dtype"])
            self.send({"op": "free", "job": job.number, "slot": message["slot"]})
        event = event_from_message(message, image)
        if isinstance(event, Failure) and event.details:
            log.error("%s\n%s", event.message, event.details)
        if is_last(event):
            with self._lock:
                self._jobs.pop(job.number, None)
        job.deliver(event)


def _ended(on_purpose: bool, code: int) -> Failure:
    if on_purpose:
        return Failure("The memory was freed, so this request was stopped; start it again.")
    why = "the system ended it, perhaps for want of memory" if code == -KILLED else f"code {code}"
    return Failure(
        f"The worker process ended unexpectedly ({why}); generate again, a new one starts by "
        f"itself. Details are in {log_path().name}.",
        f"see {log_path()}",
    )
