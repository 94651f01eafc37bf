"""One slide in view at a time, with its own regions, layouts and variants."""

from __future__ import annotations

from dataclasses import dataclass, field

from napari.layers import Layer

from napari_pixcell.ui.layers.base import LayerStack
from napari_pixcell.ui.layers.slide import is_slide, role
from napari_pixcell.ui.viewers import camera_of, fit_to_view


@dataclass
class View:
    """How a slide was last looked at."""

    centre: tuple[float, ...]
    zoom: float
    layouts: list[Layer] = field(default_factory=list)  # those that were visible


class OneSlide:
    """Brings a slide to the top, and hides the others until they come back.

    The other layers of the session follow it by themselves; those of layouts are hidden here.
    """

    def __init__(self, stack: LayerStack) -> None:
        self.stack = stack
        self._views: dict[str, View] = {}  # by the layers' unique ids

    def change(self, before: Layer | None, after: Layer | None) -> None:
        """Leave a slide for another one; either may be None."""
        viewer = self.stack.viewer
        if before is not None and before in viewer.layers and after is not None:
            self._leave(before)
        if after is not None:
            self._enter(after, other=before is not None)

    def _leave(self, slide: Layer) -> None:
        viewer = self.stack.viewer
        camera = camera_of(viewer)
        layouts = [one for one in viewer.layers if role(one) == "layout" and one.visible]
        self._views[str(slide.unique_id)] = View(tuple(camera.center), camera.zoom, layouts)
        with self.stack.own():
            for layer in (slide, *layouts):
                layer.visible = False

    def _enter(self, slide: Layer, other: bool) -> None:
        viewer = self.stack.viewer
        view = self._views.pop(str(slide.unique_id), None)
        with self.stack.own():
            self._raise(slide)
            slide.visible = True
            for layer in view.layouts if view is not None else ():
                if layer in viewer.layers:
                    layer.visible = True
        if view is not None:
            camera_of(viewer).center, camera_of(viewer).zoom = view.centre, view.zoom
        elif other:
            fit_to_view(viewer, [slide])

    def _raise(self, slide: Layer) -> None:
        """Move a slide above the user's own layers, and below those of the session."""
        layers = self.stack.viewer.layers
        above = [i for i, layer in enumerate(layers) if role(layer)]
        at, target = layers.index(slide), min(above, default=len(layers))
        if at > target or any(is_slide(layer) for layer in layers[at + 1 : target]):
            layers.move(at, target)
