"""Requests of an engine: run one at a time, shown, cancelled, and answered.

The user's functions are called in the thread that asked. An error in them, or Ctrl-C, cancels the
request in the same way as :meth:`Engine.cancel`.
"""

from __future__ import annotations

import threading
from typing import TypeVar

from napari_pixcell.api.backends import Backend
from napari_pixcell.api.progress import (
    OnPreview,
    ProgressDisplay,
    RequestCancelled,
    WantedProgress,
    check_on_preview,
)
from napari_pixcell.api.variants import PublicVariant
from napari_pixcell.api.warning import warn
from napari_pixcell.engine.events import Emit, Event, Finished, Notice, Preview, Progress, Variant
from napari_pixcell.errors import PixCellError
from napari_pixcell.words import counted
from napari_pixcell.worker.requests import AnyRequest

E = TypeVar("E", bound=Event)


class RequestRunner:
    """Runs the requests of an engine.

    Parameters
    ----------
    backend : Backend
    progress : bool or callable
        See :class:`~napari_pixcell.api.progress.ProgressDisplay`.
    """

    def __init__(self, backend: Backend, progress: WantedProgress) -> None:
        ProgressDisplay(progress)  # raises
        self.backend, self._progress = backend, progress
        self.closed = False
        self._running = threading.Lock()
        self._cancel = threading.Event()

    def run(self, request: AnyRequest, on_event: Emit, previews: bool = False) -> None:
        """Run a request.

        Parameters
        ----------
        on_event : callable
            Receives the results.
        previews : bool
            Whether it receives previews as well.

        Raises
        ------
        PixCellError
            If the request cannot be run.
        RequestCancelled
            If it was cancelled.
        """
        self.check_open()
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

            self.backend.run(request, emit, self._cancel.is_set, previews)
            if raised:
                raise raised[0]
        if not finished:
            raise RequestCancelled()

    def answer(self, request: AnyRequest, kind: type[E]) -> E:
        """Run a request, and return its event of one kind. Errors: :meth:`run`."""
        found: list[E] = []

        def on_event(event: Event) -> None:
            if isinstance(event, kind):
                found.append(event)

        self.run(request, on_event)
        return found[0]

    def variants(
        self, request: AnyRequest, on_preview: OnPreview | None = None
    ) -> list[PublicVariant]:
        """Run a request, and return its variants.

        Parameters
        ----------
        on_preview : callable, optional
            Receives the number of a variant, from 0, and a small image of it.

        Raises
        ------
        PixCellError
            If the request cannot be run.
        RequestCancelled
            If it was cancelled, with the variants that were finished.
        """
        check_on_preview(on_preview)
        found: list[PublicVariant] = []

        def on_event(event: Event) -> None:
            if isinstance(event, Variant):
                found.append(PublicVariant(event.image, event.record))
            elif isinstance(event, Preview) and on_preview is not None:
                on_preview(event.index, event.image)

        try:
            self.run(request, on_event, previews=on_preview is not None)
        except RequestCancelled:
            were = counted(len(found), "variant was", "variants were")
            raise RequestCancelled(f"The request was cancelled. {were} finished.", found) from None
        return found

    def cancel(self) -> None:
        """Cancel the running request, from any thread."""
        self._cancel.set()

    def free(self) -> None:
        """Free the memory of the models."""
        self.check_open()
        self.backend.free()

    def close(self) -> None:
        """Cancel the running request, and free the memory of the models for good."""
        if not self.closed:
            self.closed = True
            self.cancel()
            self.backend.free()

    def check_open(self) -> None:
        """Raise PixCellError if it was closed."""
        if self.closed:
            raise PixCellError("This engine is closed. Open a new one.")
