"""Runs requests and waits for their events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from napari_pixcell.engine.events import Emit, Event, Finished
from napari_pixcell.engine.request_values import Request

Run = Callable[..., None]  # run(request, emit, cancelled, previews=…): see engine.Engine.run


class DatasetEngine(Protocol):
    """The part of :class:`napari_pixcell.engine.engine.Engine` that making a dataset needs."""

    @property
    def run(self) -> Run:
        """Run a request."""

    @property
    def at_once(self) -> Callable[[str], int]:
        """Return how many pairs of a new dataset of a family are generated together."""


class MakingCancelled(Exception):
    """The user cancelled; raised between pairs, and between the steps of one."""


class Runner:
    """Runs requests one after another, and returns the events of each.

    Parameters
    ----------
    run : callable
        Runs requests like :meth:`napari_pixcell.engine.engine.Engine.run`.
    cancelled : callable
        Called between steps.
    """

    def __init__(self, run: Run, cancelled: Callable[[], bool]) -> None:
        self._run, self._cancelled = run, cancelled

    def check(self) -> None:
        """Raise MakingCancelled if the user cancelled."""
        if self._cancelled():
            raise MakingCancelled

    def run(self, request: Request, on_event: Emit = lambda event: None) -> list[Event]:
        """Run a request and return its events, each of which ``on_event`` receives at once.

        Raises
        ------
        MakingCancelled
            If the user cancelled.
        PixCellError
            If the request cannot be run.
        """
        self.check()
        events: list[Event] = []

        def receive(event: Event) -> None:
            on_event(event)
            events.append(event)

        self._run(request, receive, self._cancelled, previews=False)
        if any(isinstance(event, Finished) and event.cancelled for event in events):
            raise MakingCancelled
        return events
