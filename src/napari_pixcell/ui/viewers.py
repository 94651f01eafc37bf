"""The viewer behind the proxy that napari hands to dock widgets."""

from __future__ import annotations

from napari.viewer import Viewer


def itself(viewer: Viewer) -> Viewer:
    """Return the viewer itself.

    Each dock widget of a plugin gets a proxy of its own, which warns the user about every private
    part that is used, and of which two are never the same.
    """
    found: Viewer = getattr(viewer, "__wrapped__", viewer)
    return found
