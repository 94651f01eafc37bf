"""The divider between tissue and variant, dragged on the canvas."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from napari.layers import Image

from napari_pixcell.ui.layers.base import LayerStack
from napari_pixcell.ui.viewers import camera_of

REACH = 8  # screen px on either side of the line


class SwipeDrag:
    """Moves the divider with the mouse, while the selected layer only pans."""

    def __init__(self, stack: LayerStack) -> None:
        self.stack = stack
        self.swipe = stack.session.gallery.swipe
        stack.connect_to(_Callbacks(stack.viewer.mouse_drag_callbacks), self._drag)

    def _drag(self, viewer: Any, event: Any) -> Iterator[None]:
        at = self._fraction(event)
        active = viewer.layers.selection.active
        pans = getattr(active, "mode", "pan_zoom") in ("pan_zoom", "select")
        if at is None or not pans or event.button != 1:
            return
        camera = camera_of(viewer)
        if abs(at - self.swipe.at) > REACH / camera.zoom / self._width():
            return
        panned, camera.mouse_pan = camera.mouse_pan, False
        event.handled = True
        try:
            yield
            while True:
                at = self._fraction(event, inside=False)
                if at is not None:
                    self.swipe.move(at)
                event.handled = True
                if event.type != "mouse_move":  # the release, perhaps after skipped moves
                    break
                yield
        finally:
            camera.mouse_pan = panned

    def _layer(self) -> Image | None:
        layer: Image | None = self.stack.find("preview")
        return layer if self.swipe.on and layer is not None and layer.visible else None

    def _width(self) -> float:
        layer = self._layer()
        return float(layer.data.shape[1] * layer.scale[-1]) if layer is not None else 1.0

    def _fraction(self, event: Any, inside: bool = True) -> float | None:
        """Return the mouse position from 0 (left) to 1 (right), or None outside the image."""
        layer = self._layer()
        if layer is None:
            return None
        y, x = layer.world_to_data(event.position)[-2:]
        height, width = layer.data.shape[:2]
        if inside and not -0.5 <= y <= height - 0.5:
            return None
        return float((x + 0.5) / width)


class _Callbacks:
    """A list of callbacks with the interface of a signal."""

    def __init__(self, callbacks: list[Any]) -> None:
        self._callbacks = callbacks

    def connect(self, callback: Callable[..., Any]) -> None:
        self._callbacks.append(callback)

    def disconnect(self, callback: Callable[..., Any]) -> None:
        self._callbacks.remove(callback)
