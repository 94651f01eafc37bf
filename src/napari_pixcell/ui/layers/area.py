"""A coarse layer in which the user paints where cells are looked for or invented."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray

from napari_pixcell.slides import Region
from napari_pixcell.studio.regions.item import AREA_KINDS, AREA_PX, RegionItem, area_shape
from napari_pixcell.ui.layers.layer_keys import bind_escape
from napari_pixcell.ui.layers.slide import ROLE

if TYPE_CHECKING:
    from napari_pixcell.ui.layers.link import LayerLink

BRUSH = 6  # of its own coarse pixels: about 24 µm
COLOURS: dict[int | None, tuple[float, ...]] = {
    None: (0, 0, 0, 0),
    1: (0.2, 0.5, 0.95, 1),
    2: (0.75, 0.2, 0.75, 1),
    3: (0.95, 0.7, 0.2, 1),
}


class AreaLayer:
    """Lets the user paint the area of the active region.

    Parameters
    ----------
    link : LayerLink
        To viewer, session and layers.
    """

    def __init__(self, link: LayerLink) -> None:
        self.link = link
        self.session = link.session
        link.connect_to(self.session.regions_changed, self._fit)

    def paint(self, kind: int) -> None:
        """Paint with one of ``AREA_KINDS``; the layer is made where there is none."""
        item, link = self.session.active, self.link
        if item is None:
            return
        layer = link.find("area", item.number)
        if layer is None:
            item.area = np.zeros(area_shape(item.size), np.uint8)
            layer = self._add(item, item.area)
        layer.visible = True
        link.viewer.layers.selection.active = layer
        layer.selected_label = kind
        layer.mode = "paint"
        link.go_to(item.region)
        self.session.changed.emit()

    def _add(self, item: RegionItem, area: NDArray[np.uint8]) -> Labels:
        """Add the layer of a region's area."""
        link = self.link
        names = ", ".join(name for name, _ in AREA_KINDS.values())
        layer = Labels(
            area,
            name=f"Area · {item.name}",
            opacity=0.35,
            colormap=DirectLabelColormap(color_dict=COLOURS),
            metadata={ROLE: "area", "region": item.number, "kinds": names},
            **link.where(self._covered(item), area.shape),
        )
        layer.brush_size = BRUSH
        with link.own():
            link.insert(layer, select=True)
        link.connect_to(layer.events.paint, lambda _event: self.session.changed.emit())
        bind_escape(layer, self.session.cancel)
        return layer

    def clear(self) -> None:
        """Forget the area of the active region."""
        item = self.session.active
        if item is not None:
            item.area = None
            self._take_away(item.number)
            self.session.changed.emit()

    def removed(self, number: int) -> None:
        """Understand that the user deleted the layer."""
        item = self.session.item(number)
        if item is not None:
            item.area = None
            self.session.changed.emit()

    def _fit(self) -> None:
        """Follow the regions: an area goes with its region, and not with another size."""
        for layer in list(self.link.viewer.layers):
            if layer.metadata.get(ROLE) != "area":
                continue
            item = self.session.item(layer.metadata["region"])
            if item is None or item.area is None or item.area.shape != area_shape(item.size):
                if item is not None:
                    item.area = None
                self._take_away(layer.metadata["region"])
            elif item.slide == self.session.slide_key:
                self.link.place(layer, self._covered(item))
        for item in self.session.regions if self.session.ready else ():
            fits = item.area is not None and item.area.shape == area_shape(item.size)
            if fits and self.link.find("area", item.number) is None:
                assert item.area is not None
                self._add(item, item.area)  # of a session that was opened

    def _covered(self, item: RegionItem) -> Region:
        """Give what the area covers: whole coarse pixels, which may end beyond the region."""
        rows, columns = area_shape(item.size)
        pixel = AREA_PX * self.session.settings.model.mpp / self.session.slide.mpp
        return Region(item.region.x, item.region.y, columns * pixel, rows * pixel)

    def _take_away(self, number: int) -> Any:
        layer = self.link.find("area", number)
        if layer is not None:
            with self.link.own():
                self.link.viewer.layers.remove(layer)
