"""The layers of a viewer, and the base of those that show a session."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np
from napari.layers import Layer
from napari.viewer import Viewer
from qtpy.QtCore import QObject, QTimer

from napari_pixcell.slides import Region, placement
from napari_pixcell.slides.region import AXES, UNITS
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.arrange import single_shot
from napari_pixcell.ui.layers.slide import origin, role
from napari_pixcell.ui.viewers import camera_of, canvas_size

# Roles from the bottom of the layer list to its top. The empty one is any layer of the user's.
ORDER = (
    *("", "features", "similar", "regions", "area", "layout", "condition"),
    *("variant", "preview", "measured"),
)
FILLS = 0.5  # of the view, by a region that the view goes to
TOO_SMALL = 0.4  # of the view
NUMBERS = {"layout": "region", "area": "region", "variant": "result"}  # keys in a layer's metadata


class LayerStack(QObject):
    """The layers of a viewer, among which a session's own are found, added and placed."""

    def __init__(self, viewer: Viewer, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.session = session
        self.slide_layer: Layer | None = None
        self.changing = 0  # > 0 while the plugin itself changes layers
        self._timers: list[QTimer] = []
        self._connections: list[tuple[Any, Callable[..., Any]]] = []
        self._closing: list[Callable[[], None]] = []

    def close(self) -> None:
        for signal, callback in self._connections:
            with contextlib.suppress(ValueError, RuntimeError, TypeError):  # already gone
                signal.disconnect(callback)
        self._connections.clear()
        for act in self._closing:
            act()
        self._closing.clear()
        with contextlib.suppress(RuntimeError):  # Qt may have deleted them already
            for timer in self._timers:
                timer.stop()

    @contextlib.contextmanager
    def own(self) -> Iterator[None]:
        """Mark the layer changes of a block as the plugin's, not the user's."""
        self.changing += 1
        try:
            yield
        finally:
            self.changing -= 1

    # -- layers --------------------------------------------------------------------------

    def find(self, kind: str, number: int | None = None) -> Any:
        """Return the session layer of a role and number, or None."""
        name = NUMBERS.get(kind)
        for layer in self.viewer.layers:
            if role(layer) == kind and (name is None or layer.metadata.get(name) == number):
                return layer
        return None

    def insert(self, layer: Layer, select: bool = False) -> None:
        """Insert a layer at its rank; the selected layer stays selected unless ``select``."""
        layers = self.viewer.layers
        selected = layers.selection.active
        above = (i for i, other in enumerate(layers) if _rank(other) > _rank(layer))
        layers.insert(next(above, len(layers)), layer)
        if selected is not None and not select:
            layers.selection.active = selected

    def remove(self, layer: Layer | None) -> None:
        """Remove a layer without reporting it as the user's deletion."""
        if layer is not None:
            with self.own():
                self.viewer.layers.remove(layer)

    def covered(self, number: int) -> bool:
        """Return True if a variant or a preview lies over a region, and so over its layout."""
        return any(
            layer.visible and layer.metadata.get("region") == number
            for layer in self.viewer.layers
            if role(layer) in ("variant", "preview")
        )

    # -- positions -----------------------------------------------------------------------

    def where(
        self, region: Region, shape: tuple[int, ...], mpp: float | None = None
    ) -> dict[str, Any]:
        """Return the layer options that fit an image of this shape exactly over a region."""
        assert self.slide_layer is not None
        scale, translate = placement(region, mpp or self.session.slides.current.mpp, shape)
        first = origin(self.slide_layer)
        moved = translate[0] + first[0], translate[1] + first[1]
        return {"scale": scale, "translate": moved, "units": UNITS, "axis_labels": AXES}

    def place(self, layer: Layer | None, region: Region, mpp: float | None = None) -> None:
        """Move and scale a layer to fit exactly over a region."""
        if layer is not None:
            where = self.where(region, layer.data.shape, mpp)
            # Each setter slices and redraws the layer, even if the value is unchanged.
            for name in ("scale", "translate"):
                if not np.allclose(getattr(layer, name), where[name], rtol=0, atol=1e-9):
                    setattr(layer, name, where[name])

    def go_to(self, region: Region) -> None:
        """Centre the view on a region, which then fills half of it."""
        layer = self.slide_layer
        if layer is not None and self.session.slides.current.mpp is not None:
            camera = camera_of(self.viewer)
            camera.center = layer.data_to_world(region_centre(region))
            camera.zoom = FILLS / self._share(region) * camera.zoom

    def bring_into_view(self, region: Region) -> None:
        """Go to a region that is out of view, or too small in it to be worked on."""
        layer = self.slide_layer
        if layer is None or self.session.slides.current.mpp is None:
            return
        height, width = canvas_size(self.viewer)
        camera = camera_of(self.viewer)
        away = np.subtract(layer.data_to_world(region_centre(region)), camera.center[-2:])
        outside = (np.abs(away) * camera.zoom > np.array([height, width]) / 2).any()
        if outside or self._share(region) < TOO_SMALL:
            self.go_to(region)

    def keep_in_view(self, region: Region) -> None:
        """Move the view by the least that shows all of a region, if it fits at this zoom."""
        layer = self.slide_layer
        if layer is None or self.session.slides.current.mpp is None:
            return
        camera = camera_of(self.viewer)
        seen = np.array(canvas_size(self.viewer)) / camera.zoom
        size = np.array([region.height, region.width]) * self.session.slides.current.mpp
        room = (seen - size) / 2
        now = np.array(camera.center[-2:])
        away = np.array(layer.data_to_world(region_centre(region))) - now
        beyond = away - np.clip(away, -room, room)
        if (room >= 0).all() and beyond.any():
            camera.center = tuple(now + beyond)

    def _share(self, region: Region) -> float:
        """Return how much of the view's height or width a region fills, 1 for all of it."""
        size = np.array([region.height, region.width]) * self.session.slides.current.mpp
        return float((size * camera_of(self.viewer).zoom / canvas_size(self.viewer)).max())

    # -- until close ---------------------------------------------------------------------

    def timer(self, milliseconds: int, act: Callable[[], None]) -> QTimer:
        """Create a single-shot timer that stops on :meth:`close`."""
        timer = single_shot(self, milliseconds, act)
        self._timers.append(timer)
        return timer

    def at_close(self, act: Callable[[], None]) -> None:
        self._closing.append(act)

    def connect_to(self, signal: Any, callback: Callable[..., Any]) -> None:
        """Connect a callback until :meth:`close`."""
        signal.connect(callback)
        self._connections.append((signal, callback))

    def disconnect_from(self, signal: Any, callback: Callable[..., Any]) -> None:
        """Disconnect before :meth:`close`, and keep no reference."""
        signal.disconnect(callback)
        self._connections.remove((signal, callback))


class SessionLayer:
    """One kind of layer, kept in step with the session, among the layers of a stack."""

    roles: ClassVar[tuple[str, ...]] = ()  # of its layers, the usual one first

    def __init__(self, stack: LayerStack) -> None:
        self.stack = stack
        self.session = stack.session

    def find(self, number: int | None = None) -> Any:
        return self.stack.find(self.roles[0], number)

    def remove(self, number: int | None = None) -> None:
        self.stack.remove(self.find(number))

    def removed(self, layer: Any) -> None:
        """Update the session after the user deleted the layer."""
        raise NotImplementedError


def region_centre(region: Region) -> tuple[float, float]:
    """Return the centre of a region, (y, x) in level-0 pixels."""
    return region.y + region.height / 2, region.x + region.width / 2


def _rank(layer: Layer) -> int:
    return ORDER.index(role(layer)) if role(layer) in ORDER else 0
