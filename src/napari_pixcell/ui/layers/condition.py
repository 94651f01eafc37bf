"""The picture of the cells that the network gets, shown over its region."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray

from napari_pixcell.cells import condition_image
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.ui.layers.slide import ROLE

if TYPE_CHECKING:
    from napari_pixcell.ui.layers.link import LayerLink

PAUSE_MS = 150
OPACITY = 0.85


class ConditionView:
    """Shows, while it is on, what the network will get of the active region's layout.

    Parameters
    ----------
    link : LayerLink
        To viewer, session and layers.
    """

    def __init__(self, link: LayerLink) -> None:
        self.link = link
        self.session = link.session
        self.on = False
        self._wanted: tuple[int, Any] | None = None
        self._pause = link.timer(PAUSE_MS, self._draw)
        link.connect_to(self.session.layout_changed, self._later)
        link.connect_to(self.session.layout_counted, self._later)
        link.connect_to(self.session.regions_changed, self._later)

    def show(self, on: bool) -> None:
        """Show it, or take it away."""
        self.on = on
        self._draw()
        self.session.changed.emit()

    def _later(self, *_: Any) -> None:
        if self.on:
            self._pause.start()

    def _draw(self) -> None:
        item = self.session.active
        if not self.on or item is None or item.layout is None:
            self._take_away()
            return
        labels = item.layout
        self._wanted = item.number, labels

        def drawn(picture: NDArray[np.uint8]) -> None:
            active = self.session.active
            if self.on and active is item and item.layout is labels:
                self._put(item, picture)

        self.session.background.compute(
            lambda: condition_image(labels), drawn, lambda words: self.session.say("layout", words)
        )

    def _put(self, item: RegionItem, picture: NDArray[np.uint8]) -> None:
        link, layer = self.link, self.link.find("condition")
        with link.own():
            if layer is not None and layer.data.shape != picture.shape:
                link.viewer.layers.remove(layer)
                layer = None
            if layer is None:
                layer = Image(
                    picture,
                    rgb=True,
                    name="What the model sees",
                    opacity=OPACITY,
                    interpolation2d="nearest",
                    metadata={ROLE: "condition"},
                    **link.where(item.region, picture.shape),
                )
                link.insert(layer)
            else:
                layer.data = picture
                link.place(layer, item.region)

    def _take_away(self) -> None:
        layer = self.link.find("condition")
        if layer is not None:
            with self.link.own():
                self.link.viewer.layers.remove(layer)

    def removed(self) -> None:
        """Understand that the user deleted the layer."""
        self.on = False
        self.session.changed.emit()
