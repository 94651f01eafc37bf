"""Work that takes minutes or hours: on an engine of the user's or of its own, and resumable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TypeVar

from napari_pixcell.api.engine import PublicEngine
from napari_pixcell.api.progress import RequestCancelled, WantedProgress
from napari_pixcell.engine.events import Emit, Event
from napari_pixcell.worker.requests import AnyRequest

STOPPED = "The request was cancelled. Finished work is kept. Repeat the call to resume."
E = TypeVar("E", bound=Event)


@contextmanager
def resumable() -> Iterator[None]:
    """Say how to resume, if work in this block is cancelled."""
    try:
        yield
    except RequestCancelled:
        raise RequestCancelled(STOPPED) from None


def run_long(
    request: AnyRequest,
    engine: PublicEngine | None,
    progress: WantedProgress,
    on_event: Emit = lambda event: None,
) -> None:
    """Run a request.

    Parameters
    ----------
    engine : Engine, optional
        By default one in this process that is closed afterwards.
    progress : bool or callable
        Of an engine of its own.
    on_event : callable
        Receives the results.

    Raises
    ------
    PixCellError
        If the request cannot be run.
    RequestCancelled
        If it was cancelled.
    """
    own = nullcontext(engine) if engine is not None else PublicEngine(progress=progress)
    with resumable(), own as chosen:
        chosen.run(request, on_event)


def long_answer(
    request: AnyRequest, kind: type[E], engine: PublicEngine | None, progress: WantedProgress
) -> E:
    """Run a request, and return its event of one kind. Parameters: :func:`run_long`."""
    found: list[E] = []

    def on_event(event: Event) -> None:
        if isinstance(event, kind):
            found.append(event)

    run_long(request, engine, progress, on_event)
    return found[0]
