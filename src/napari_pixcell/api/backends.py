"""Where requests run: in this process, or in the worker.

Cancelling takes effect between two steps. Models stay as they were, and the next request runs as if
nothing had happened.
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Any, Literal, Protocol

from napari_pixcell.engine.events import Emit, Event, Failure, is_last
from napari_pixcell.errors import PixCellError
from napari_pixcell.worker.requests import AnyRequest

Where = Literal["here", "worker"]
POLL_S = 0.1  # between looks whether the user cancelled


class Backend(Protocol):
    """Runs requests, one after another."""

    def run(
        self, request: AnyRequest, emit: Emit, cancelled: Callable[[], bool], previews: bool
    ) -> None:
        """Run a request.

        Parameters
        ----------
        emit : callable
            Receives its events in this thread. The last is ``Finished``.
        cancelled : callable
            Returns True once the request is to end.
        previews : bool
            Whether there are events of previews.

        Raises
        ------
        PixCellError
            If the request cannot be run.
        """

    def free(self) -> None:
        """Free all memory of models; the next request loads them again."""


class InProcess:
    """Runs requests in this process."""

    def __init__(self) -> None:
        self._engine: Any = None

    def run(
        self, request: AnyRequest, emit: Emit, cancelled: Callable[[], bool], previews: bool
    ) -> None:
        """Run a request."""
        from napari_pixcell.worker.dispatch import run_request

        try:
            run_request(self._started(), request, emit, cancelled, previews=previews)
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

    def run(
        self, request: AnyRequest, emit: Emit, cancelled: Callable[[], bool], previews: bool
    ) -> None:
        """Run a request."""
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        job = self._client.submit(request, events.put, previews=previews)
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


_BACKENDS: dict[str, Callable[[], Backend]] = {"here": InProcess, "worker": InWorker}


def open_backend(where: Where) -> Backend:
    """Return what runs requests ``here`` or in the ``worker``.

    Raises
    ------
    PixCellError
        If the place is neither.
    """
    if where not in _BACKENDS:
        raise PixCellError(
            f"The place “{where}” is unknown. Choose one of: {', '.join(_BACKENDS)}."
        )
    return _BACKENDS[where]()
