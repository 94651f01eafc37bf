"""Layers that a closed studio leaves in the viewer, which the next one does not know."""

from __future__ import annotations

from napari.viewer import Viewer

from napari_pixcell.studio.session import Session
from napari_pixcell.ui.layers.slide import ROLE, role

EARLIER = "earlier"
SESSION = "napari_pixcell_session"


def leave(viewer: Viewer, session: Session) -> None:
    """Mark our layers as those of a studio that is closed, and of which session they are."""
    book = session.saver.book()
    for layer in viewer.layers:
        if role(layer) and role(layer) != EARLIER:
            id_ = book.id if book is not None else ""
            layer.metadata = {**layer.metadata, ROLE: EARLIER, SESSION: id_}


def take_away(viewer: Viewer, id_: str) -> None:
    """Take those away that come back with a session."""
    for layer in list(viewer.layers):
        if role(layer) == EARLIER and id_ and layer.metadata.get(SESSION) == id_:
            viewer.layers.remove(layer)
