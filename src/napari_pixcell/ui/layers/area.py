"""The coarse layer on which the user paints an area of a region."""

from __future__ import annotations

from functools import partial

import numpy as np
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray

from napari_pixcell.slides import Region
from napari_pixcell.studio.regions.geometry import AREA_KINDS, AREA_PX, area_shape
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.ui.layers.base import LayerStack, SessionLayer
from napari_pixcell.ui.layers.layer_keys import bind_escape
from napari_pixcell.ui.layers.slide import ROLE, role

BRUSH = 6  # coarse pixels, about 24 µm
COLOURS: dict[int | None, tuple[float, ...]] = {
    None: (0, 0, 0, 0),
    1: (0.2, 0.5, 0.95, 1),
    2: (0.75, 0.2, 0.75, 1),
    3: (0.95, 0.7, 0.2, 1),
}


class AreaLayer(SessionLayer):
    """Label layer on which the user paints the area of a region."""

    roles = ("area",)

    def __init__(self, stack: LayerStack) -> None:
        super().__init__(stack)
        stack.connect_to(self.session.regions.changed, self._fit)

    def paint(self, kind: int) -> None:
        """Start to paint one of ``AREA_KINDS`` in the active region; add the layer if needed."""
        item, stack = self.session.regions.active, self.stack
        if item is None:
            return
        layer = self.find(item.number)
        if layer is None:
            item.area = np.zeros(area_shape(item.size), np.uint8)
            layer = self._add(item, item.area)
        layer.visible = True
        stack.viewer.layers.selection.active = layer
        layer.selected_label = kind
        layer.mode = "paint"
        stack.bring_into_view(item.region)
        self.session.changed.emit()

    def clear(self) -> None:
        item = self.session.regions.active
        if item is not None:
            item.area = None
            self.remove(item.number)
            self.session.changed.emit()

    def removed(self, layer: Labels) -> None:
        item = self.session.regions.get(layer.metadata["region"])
        if item is not None:
            item.area = None
            self.session.changed.emit()

    def _add(self, item: RegionItem, area: NDArray[np.uint8]) -> Labels:
        names = ", ".join(name for name, _ in AREA_KINDS.values())
        layer = Labels(
            area,
            name=f"Area · {item.name}",
            opacity=0.35,
            colormap=DirectLabelColormap(color_dict=COLOURS),
            metadata={ROLE: "area", "region": item.number, "kinds": names},
            **self.stack.where(self._covered(item), area.shape),
        )
        layer.brush_size = BRUSH
        with self.stack.own():
            self.stack.insert(layer, select=True)
        self.stack.connect_to(layer.events.paint, lambda _event: self.session.changed.emit())
        bind_escape(layer, partial(self._escape, layer))
        return layer

    def _escape(self, layer: Labels) -> None:
        if not self.session.cancel():
            layer.mode = "pan_zoom"

    def _fit(self) -> None:
        """Move areas with their regions; discard those of regions that changed their size."""
        for layer in [layer for layer in self.stack.viewer.layers if role(layer) == "area"]:
            item = self.session.regions.get(layer.metadata["region"])
            if item is None or item.area is None or item.area.shape != area_shape(item.size):
                if item is not None:
                    item.area = None
                self.stack.remove(layer)
            elif item.slide == self.session.slides.key:
                self.stack.place(layer, self._covered(item))
        for item in self.session.regions.current if self.session.slides.ready else ():
            fits = item.area is not None and item.area.shape == area_shape(item.size)
            if fits and self.find(item.number) is None:  # read from a saved session
                assert item.area is not None
                self._add(item, item.area)

    def _covered(self, item: RegionItem) -> Region:
        """Return the extent of the whole coarse pixels, which may exceed the region."""
        rows, columns = area_shape(item.size)
        pixel = AREA_PX * self.session.settings.model.mpp / self.session.slides.current.mpp
        return Region(item.region.x, item.region.y, columns * pixel, rows * pixel)
