"""Where requests run: in this process, or in the worker, with progress and cancelling.

The user's function for progress is called in the thread that asked. An error in it, or Ctrl-C,
cancels the request in the same way as :meth:`Engine.cancel`: between two steps. Models stay as they
were, and the next request runs as if nothing had happened.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, Protocol

from napari_pixcell.api.progress import ProgressDisplay, WantedProgress
from napari_pixcell.api.warning import warn
from napari_pixcell.engine.events import Emit, Event, Failure, Finished, Notice, Progress, is_last
from napari_pixcell.errors import PixCellError
from napari_pixcell.worker.requests import AnyRequest

POLL_S = 0.1  # between looks whether the user cancelled


class Backend(Protocol):
    """Runs requests, one after another."""

    def run(self, request: AnyRequest, emit: Emit, cancelled: Callable[[], bool]) -> None:
        """Run a request; ``emit`` receives its events in this thread, the last is ``Finished``."""

    def free(self) -> None:
        """Free all memory of models; the next request loads them again."""


class InProcess:
    """Runs requests in this process."""

    def __init__(self) -> None:
        self._engine: Any = None

    def run(self, request: AnyRequest, emit: Emit, cancelled: Callable[[], bool]) -> None:
        """Run a request."""
        from napari_pixcell.worker.dispatch import run_request

        try:
            run_request(self._started(), request, emit, cancelled, previews=False)
        except PixCellError:
            raise
        except BaseException:  # Ctrl-C may have come while a model was being changed
            self.free()
            raise

    def _started(self) -> Any:
        if self._engine is None:
            from napari_pixcell.engine.engine import Engine  # torch takes seconds to import

            self._engine = Engine()
        return self._engine

    def free(self) -> None:
        """Free the memory of the models."""
        if self._engine is not None:
            self._engine.unload()


class InWorker:
    """Runs requests in a process of their own."""

    def __init__(self) -> None:
        from napari_pixcell.worker.client import WorkerClient

        self._client = WorkerClient()

    def run(self, request: AnyRequest, emit: Emit, cancelled: Callable[[], bool]) -> None:
        """Run a request."""
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        job = self._client.submit(request, events.put, previews=False)
        told, last = False, False
        try:
            while not last:
                if cancelled() and not told:
                    job.cancel()
                    told = True
                try:
                    event = events.get(timeout=POLL_S)
                except queue.Empty:
                    continue
                last = is_last(event)
                if isinstance(event, Failure):
                    raise PixCellError(event.message) from (
                        RuntimeError(event.details) if event.details else None
                    )
                emit(event)
        except BaseException:
            if not last:
                self._stop(job, events)
            raise

    def _stop(self, job: Any, events: queue.SimpleQueue[Event]) -> None:
        """Cancel a request and wait for its end, or kill the worker if that is interrupted too."""
        try:
            job.cancel()
            while not is_last(events.get()):
                pass
        except BaseException:
            self.free()
            raise

    def free(self) -> None:
        """End the process; the next request starts a new one."""
        self._client.restart()


class RequestRunner:
    """Runs the requests of an engine: one at a time, shown and cancellable.

    Parameters
    ----------
    backend : Backend
    progress : bool or callable
        See :class:`~napari_pixcell.api.progress.ProgressDisplay`.
    """

    def __init__(self, backend: Backend, progress: WantedProgress) -> None:
        ProgressDisplay(progress)  # raises
        self.backend, self._progress = backend, progress
        self._running = threading.Lock()
        self._cancel = threading.Event()

    def cancel(self) -> None:
        """Cancel the running request, from any thread."""
        self._cancel.set()

    def run(self, request: AnyRequest, on_event: Emit) -> bool:
        """Run a request, and return False if it was cancelled.

        Parameters
        ----------
        on_event : callable
            Receives the results.

        Raises
        ------
        PixCellError
            If the request cannot be run.
        """
        with self._running, ProgressDisplay(self._progress) as display:
            self._cancel.clear()
            raised: list[BaseException] = []
            finished = True

            def take(event: Event) -> None:
                nonlocal finished
                match event:
                    case Progress(done, total, message):
                        if not display.show(done, total, message):
                            self._cancel.set()
                    case Notice(message):
                        warn(message)
                    case Finished(cancelled):
                        finished = not cancelled
                    case _:
                        on_event(event)

            def emit(event: Event) -> None:
                try:
                    take(event)
                except BaseException as error:  # the request ends properly before it is raised
                    raised.append(error)
                    self._cancel.set()

            self.backend.run(request, emit, self._cancel.is_set)
            if raised:
                raise raised[0]
            return finished
