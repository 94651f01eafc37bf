"""The worker's side: it owns the device and the models, and runs one job after another."""

from __future__ import annotations

import json
import logging
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from typing import IO, Any

from napari_pixcell.datasets.recipe.making import make_dataset
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.engine.events import Emit, Event, Failure, Preview, summary
from napari_pixcell.engine.request import request_from_dict
from napari_pixcell.errors import PixCellError
from napari_pixcell.preferences import idle_minutes
from napari_pixcell.worker.protocol import ImageBlock, image_of, write_line

log = logging.getLogger(__name__)


class Worker:
    """Reads jobs from ``commands`` and writes their events to ``answers``."""

    def __init__(self, commands: IO[bytes], answers: IO[bytes]) -> None:
        self._commands = commands
        self._answers = answers
        self._jobs: queue.Queue[dict[str, Any]] = queue.Queue()
        self._cancelled: set[int] = set()
        self._free: queue.SimpleQueue[tuple[int, int]] = queue.SimpleQueue()

    def serve(self) -> None:
        """Work until the client closes the pipe."""
        threading.Thread(target=self._listen, daemon=True).start()
        from napari_pixcell.engine.engine import Engine  # torch: seconds, so after listening

        engine = Engine()
        while True:
            minutes = idle_minutes()
            try:
                job = self._jobs.get(timeout=60 * minutes or None)
            except queue.Empty:
                engine.unload()  # nobody has asked for long: others may need the memory
                log.info("Unloaded after %g minutes without a request", minutes)
                job = self._jobs.get()
            self._run(engine, job)

    def _listen(self) -> None:
        for line in self._commands:
            message = json.loads(line)
            match message["op"]:
                case "run":
                    self._jobs.put(message)
                case "cancel":
                    self._cancelled.add(message["job"])
                case "free":
                    self._free.put((message["job"], message["slot"]))
        # The client is gone: a job that still runs has nobody to work for.
        os._exit(0)

    def _run(self, engine: Any, job: dict[str, Any]) -> None:
        number = job["job"]
        channel = _Channel(self, number, ImageBlock(job["slot_bytes"], job["block"]))
        try:
            self._answer(engine, job, channel.emit, lambda: number in self._cancelled)
        except PixCellError as error:
            channel.emit(Failure(str(error)))
        except Exception as error:  # whatever happens in a job must not end the worker
            channel.emit(Failure(_sentence(error), traceback.format_exc()))
        finally:
            channel.block.close()
            self._cancelled.discard(number)

    @staticmethod
    def _answer(
        engine: Any, job: dict[str, Any], emit: Emit, cancelled: Callable[[], bool]
    ) -> None:
        asked = job["request"]
        if asked.get("kind") == DatasetRequest.kind:
            make_dataset(DatasetRequest.from_dict(asked), engine.run, emit, cancelled)
        else:
            request = request_from_dict(asked)
            engine.run(request, emit, cancelled, previews=job.get("previews", True))

    def send(self, message: dict[str, Any]) -> None:
        """Write one message to the client."""
        write_line(self._answers, message)

    def take_slot(self, job: int, wait: bool, owned: set[int]) -> int | None:
        """Give a slot that the worker may write to."""
        while True:
            if owned and (wait is False or self._free.empty()):
                return owned.pop()
            try:
                freed_job, slot = self._free.get(block=wait)
            except queue.Empty:
                return None
            if freed_job == job:  # a late answer to an earlier job is of no use
                owned.add(slot)


class _Channel:
    """Sends the events of one job."""

    def __init__(self, worker: Worker, job: int, block: ImageBlock) -> None:
        self._worker = worker
        self._job = job
        self._owned = set(range(block.slots))
        self.block = block

    def emit(self, event: Event) -> None:
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


def _sentence(error: Exception) -> str:
    if "out of memory" in str(error).lower():
        return (
            "There is not enough memory on the device; close other programs that use it, "
            "press “Free memory”, or make fewer variants."
        )
    kind = type(error).__name__
    return f"The request failed ({kind}); try again, and if it stays, report the log."


def main() -> None:
    """Serve the process that started this one."""
    # Libraries print to stdout; that must not mix with the messages.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s")
    logging.getLogger("napari_pixcell").setLevel(logging.INFO)
    Worker(sys.stdin.buffer, answers).serve()
