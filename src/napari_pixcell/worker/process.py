"""The worker process: owns the device and the models, and runs jobs one after another."""

from __future__ import annotations

import json
import logging
import os
import queue
import sys
import threading
import traceback
from typing import IO, Any

from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.engine.events import Event, Failure, Preview, summary
from napari_pixcell.engine.packed import ArraysApart, arrays_apart
from napari_pixcell.engine.reproducing import ReproduceRequest
from napari_pixcell.engine.request_values import request_from_dict
from napari_pixcell.errors import PixCellError
from napari_pixcell.evaluation.request import EvaluateRequest
from napari_pixcell.preferences import idle_minutes
from napari_pixcell.verification.request import VerifyRequest
from napari_pixcell.worker.dispatch import run_request
from napari_pixcell.worker.protocol import (
    HEARD,
    READY,
    RECEIVED,
    ImageBlock,
    image_of,
    read_arrays,
    write_line,
)
from napari_pixcell.worker.requests import AnyRequest

log = logging.getLogger(__name__)


class Worker:
    """Reads jobs from ``commands`` and writes their events to ``answers``."""

    def __init__(self, commands: IO[bytes], answers: IO[bytes]) -> None:
        self._commands = commands
        self._answers = answers
        self._writing = threading.Lock()
        self._jobs: queue.Queue[dict[str, Any]] = queue.Queue()
        self._cancelled: set[int] = set()
        self._free: queue.SimpleQueue[tuple[int, int]] = queue.SimpleQueue()

    def serve(self) -> None:
        """Run jobs until the client closes the pipe."""
        threading.Thread(target=self._listen, daemon=True).start()
        from napari_pixcell.engine.engine import Engine  # torch takes seconds to import

        engine = Engine()
        self.send({"event": READY})
        while True:
            minutes = idle_minutes()
            try:
                job = self._jobs.get(timeout=60 * minutes or None)
            except queue.Empty:
                engine.unload()  # other programs may need the memory
                log.info("Unloaded after %g minutes without a request", minutes)
                job = self._jobs.get()
            self._run(engine, job)

    def _listen(self) -> None:
        try:
            for line in self._commands:
                self._take(line)
                self.send({"event": HEARD})
        finally:
            # The client is gone, so nobody waits for the running job.
            os._exit(0)

    def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
            number = int(message["job"])
            match message["op"]:
                case "run":
                    self._jobs.put(message | {"job": number})
                case "cancel":
                    self._cancelled.add(number)
                case "free":
                    self._free.put((number, int(message["slot"])))
        except Exception:  # the next message may be readable
            log.exception("a message could not be read")

    def _run(self, engine: Any, job: dict[str, Any]) -> None:
        number = job["job"]

        def cancelled() -> bool:
            return number in self._cancelled

        try:
            block = ImageBlock(job["slot_bytes"], job["block"])
        except Exception as error:
            log.exception("the block of a job cannot be opened")
            self.send({"job": number, **summary(Failure(_sentence(error)))})
            return
        channel = _Channel(self, number, block)
        try:
            if job["inputs"] is not None:
                channel.arrays = ArraysApart(read_arrays(job["inputs"]))
                self.send({"job": number, "event": RECEIVED})
            with arrays_apart(channel.arrays):
                request = _request(job["request"])
            run_request(engine, request, channel.emit, cancelled, previews=job["previews"])
        except PixCellError as error:
            channel.emit(Failure(str(error)))
        except Exception as error:  # an error in a job must not end the worker
            channel.emit(Failure(_sentence(error), traceback.format_exc()))
        finally:
            channel.block.close()
            self._cancelled.discard(number)

    def send(self, message: dict[str, Any]) -> None:
        with self._writing:
            write_line(self._answers, message)

    def take_slot(self, job: int, wait: bool, owned: set[int]) -> int | None:
        """Return a slot to write to, or None if none is free and ``wait`` is false."""
        while True:
            if owned and (wait is False or self._free.empty()):
                return owned.pop()
            try:
                freed_job, slot = self._free.get(block=wait)
            except queue.Empty:
                return None
            if freed_job == job:  # else a late answer to an earlier job
                owned.add(slot)


class _Channel:
    """Sends the events of one job."""

    def __init__(self, worker: Worker, job: int, block: ImageBlock) -> None:
        self._worker = worker
        self._job = job
        self._owned = set(range(block.slots))
        self.block = block
        self.arrays = ArraysApart()

    def emit(self, event: Event) -> None:
        with arrays_apart(self.arrays):
            message = {"job": self._job, **summary(event)}
        image = image_of(event)
        if image is not None:
            wait = not isinstance(event, Preview)
            slot = self._worker.take_slot(self._job, wait, self._owned)
            if slot is None:
                return
            self.block.put(slot, image)
            message |= {"slot": slot, "shape": list(image.shape), "dtype": image.dtype.name}
        self._worker.send(message)


def _request(value: dict[str, Any]) -> AnyRequest:
    if value.get("kind") == DatasetRequest.kind:
        return DatasetRequest.from_dict(value)
    if value.get("kind") == EvaluateRequest.kind:
        return EvaluateRequest.from_dict(value)
    if value.get("kind") == VerifyRequest.kind:
        return VerifyRequest.from_dict(value)
    if value.get("kind") == ReproduceRequest.kind:
        return ReproduceRequest.from_dict(value)
    return request_from_dict(value)


def _sentence(error: Exception) -> str:
    if "out of memory" in str(error).lower():
        return (
            "There is not enough memory on the device. Close other programs that use it, press "
            "“Free memory”, or make fewer variants."
        )
    kind = type(error).__name__
    return f"The request failed ({kind}). Try again; if it fails again, report the log."


def main() -> None:
    """Serve the process that started this one."""
    # Whatever libraries print must not mix with the messages.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s")
    logging.getLogger("napari_pixcell").setLevel(logging.INFO)
    Worker(sys.stdin.buffer, answers).serve()
