"""The divider, dragged on the canvas."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from napari.layers import Image

if TYPE_CHECKING:
    from napari_pixcell.ui.layers.link import LayerLink

REACH = 8  # screen px on either side of the line


class SwipeDrag:
    """Moves the divider with the mouse, while the selected layer only pans.

    Parameters
    ----------
    link : LayerLink
        Gives viewer and session.
    """

    def __init__(self, link: LayerLink) -> None:
        self.link = link
        self.swipe = link.session.gallery.swipe
        link.connect_to(_Callbacks(link.viewer.mouse_drag_callbacks), self._drag)

    def _drag(self, viewer: Any, event: Any) -> Iterator[None]:
        at = self._place(event)
        active = viewer.layers.selection.active
        rests = getattr(active, "mode", "pan_zoom") in ("pan_zoom", "select")
        if at is None or not rests or event.button != 1:
            return
        reach = REACH / viewer.scene.camera.zoom / self._width()
        if abs(at - self.swipe.at) > reach:
            return
        camera = viewer.scene.camera
        panned, camera.mouse_pan = camera.mouse_pan, False
        event.handled = True
        try:
            yield
            while True:
                at = self._place(event, inside=False)
                if at is not None:
                    self.swipe.move(at)
                event.handled = True
                if event.type != "mouse_move":  # let go, perhaps after moves that were left out
                    break
                yield
        finally:
            camera.mouse_pan = panned

    def _layer(self) -> Image | None:
        layer: Image | None = self.link.find("preview")
        on = self.swipe.on and layer is not None and layer.visible
        return layer if on else None

    def _width(self) -> float:
        layer = self._layer()
        return float(layer.data.shape[1] * layer.scale[-1]) if layer is not None else 1.0

    def _place(self, event: Any, inside: bool = True) -> float | None:
        """Give where the mouse is on the picture, 0 (left) to 1; None outside of it."""
        layer = self._layer()
        if layer is None:
            return None
        y, x = layer.world_to_data(event.position)[-2:]
        height, width = layer.data.shape[:2]
        if inside and not -0.5 <= y <= height - 0.5:
            return None
        return float((x + 0.5) / width)


class _Callbacks:
    """A list of callbacks that is connected to as signals are."""

    def __init__(self, callbacks: list[Any]) -> None:
        self._callbacks = callbacks

    def connect(self, callback: Callable[..., Any]) -> None:
        self._callbacks.append(callback)

    def disconnect(self, callback: Callable[..., Any]) -> None:
        self._callbacks.remove(callback)
