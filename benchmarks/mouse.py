"""Mouse events on napari's canvas, as its layers receive them."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from napari.utils._proxies import ReadOnlyWrapper
from napari.utils.interactions import (
    mouse_move_callbacks,
    mouse_press_callbacks,
    mouse_release_callbacks,
)

CALLS = {
    "mouse_press": mouse_press_callbacks,
    "mouse_move": mouse_move_callbacks,
    "mouse_release": mouse_release_callbacks,
}


def drag(layer: Any, *path: tuple[float, float], modifiers: Sequence[str] = ()) -> None:
    """Press, move and release the mouse in a layer, at world positions (y, x)."""
    steps = [("mouse_press", path[0]), *(("mouse_move", place) for place in path)]
    for kind, place in [*steps, ("mouse_release", path[-1])]:
        send(layer, kind, place, modifiers)


def send(layer: Any, kind: str, place: tuple[float, float], modifiers: Sequence[str] = ()) -> None:
    """Send one mouse event to a layer."""
    event = SimpleNamespace(
        type=kind,
        is_dragging=kind == "mouse_move",
        position=place,
        modifiers=list(modifiers),
        button=1,
        camera_zoom=1.0,
    )
    event.pos, event.handled, event.native = np.array(place), False, None
    event.view_direction, event.up_direction = None, None
    event.dims_displayed, event.dims_point = [0, 1], [0, 0]
    CALLS[kind](layer, ReadOnlyWrapper(event, exceptions=("handled",)))
