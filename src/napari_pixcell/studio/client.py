"""The interface of whoever runs requests: the worker's client, or a scripted one in tests."""

from __future__ import annotations

from typing import Any, Protocol

from napari_pixcell.datasets.recipe.request import AnyRequest


class JobHandle(Protocol):
    """Handle of a submitted request."""

    def cancel(self) -> None:
        """Stop between two steps."""


class Client(Protocol):
    """Runs requests, one after another."""

    def submit(self, request: AnyRequest, on_event: Any = None, previews: bool = True) -> JobHandle:
        """Queue a request; ``on_event`` receives its events in some thread."""

    def restart(self) -> None:
        """Release all memory; the next request starts afresh."""

    def close(self) -> None:
        """Stop for good."""
