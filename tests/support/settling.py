"""Waiting for a session."""

from __future__ import annotations

from napari_pixcell.studio.session import Session


def settled(session: Session) -> None:
    """Wait until a session has no work in the background."""
    session.wait(20, until=lambda: not session.background.busy)
