"""The viewer behind the proxy that napari hands to dock widgets, and what napari 0.9 renamed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.layers import Layer
from napari.viewer import Viewer

MARGIN = 0.05  # of the view around layers that fill it


def itself(viewer: Viewer) -> Viewer:
    """Return the viewer itself.

    Each dock widget of a plugin gets a proxy of its own, which warns the user about every private
    part that is used. Each look at a layer through it yields another object, so that none is ever
    the active one.
    """
    found: Viewer = getattr(viewer, "__wrapped__", viewer)
    return found


def camera_of(viewer: Viewer) -> Any:
    """Return the camera."""
    scene = getattr(viewer, "scene", None)
    return viewer.camera if scene is None else scene.camera  # napari before 0.9 has no scene


def canvas_size(viewer: Viewer) -> tuple[int, int]:
    """Return height and width of the canvas in px."""
    canvas = getattr(viewer, "canvas", None)
    height, width = itself(viewer)._canvas_size if canvas is None else canvas.size  # as above
    return height, width


def fit_to_view(viewer: Viewer, layers: Sequence[Layer]) -> None:
    """Bring layers into view, as large as they fit."""
    if getattr(viewer, "scene", None) is not None:
        viewer.fit_to_view(layers=layers)
        return
    # napari before 0.9 fits all layers only.
    corners = np.concatenate([layer.extent.world[:, -2:] for layer in layers])
    first, last = corners.min(axis=0), corners.max(axis=0)
    camera, size = camera_of(viewer), np.maximum(last - first, 1e-9)
    camera.center = tuple((first + last) / 2)
    camera.zoom = float((np.array(canvas_size(viewer)) / size).min()) * (1 - MARGIN)
