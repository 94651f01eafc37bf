"""Waiting for a session."""

from __future__ import annotations

from napari_pixcell.studio.session import Session


def settled(session: Session) -> None:
    """Wait until a session has no work in the background."""
    session.wait(60, until=lambda: not works(session))


def works(session: Session) -> bool:
    """Whether a session computes, or opens features, which have a thread and a process."""
    return session.background.busy or session.features.opening is not None
