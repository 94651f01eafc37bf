"""The condition image, the network's view of a layout, shown over its region."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray

from napari_pixcell.cells import condition_image
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.ui.layers.base import LayerStack, SessionLayer
from napari_pixcell.ui.layers.slide import ROLE

PAUSE_MS = 150
OPACITY = 0.85


class ConditionLayer(SessionLayer):
    """Image layer with the condition image of the active region, while it is switched on."""

    roles = ("condition",)

    def __init__(self, stack: LayerStack) -> None:
        super().__init__(stack)
        self.on = False
        self._pause = stack.timer(PAUSE_MS, self._draw)
        layouts, regions = self.session.layouts, self.session.regions
        models = self.session.models
        for signal in (layouts.changed, layouts.counted, regions.changed, models.checked):
            stack.connect_to(signal, self._draw_later)

    def show(self, on: bool) -> None:
        self.on = on
        self._draw()
        self.session.changed.emit()

    def removed(self, layer: Image) -> None:
        self.on = False
        self.session.changed.emit()

    def _draw_later(self, *_: Any) -> None:
        if self.on:
            self._pause.start()

    def _draw(self) -> None:
        item = self.session.regions.active
        if not self.on or item is None or item.layout is None:
            self.remove()
            return
        labels = item.layout

        def drawn(image: NDArray[np.uint8]) -> None:
            if self.on and self.session.regions.active is item and item.layout is labels:
                self._update(item, image)

        say = partial(self.session.notices.say, "layout")
        gap, classes = self.session.settings.model.cell_gap, self.session.classes.map_of(item)
        draw = partial(condition_image, labels, gap, classes)
        self.session.background.compute(draw, drawn, say)

    def _update(self, item: RegionItem, image: NDArray[np.uint8]) -> None:
        stack, layer = self.stack, self.find()
        with stack.own():
            if layer is not None and layer.data.shape != image.shape:
                stack.remove(layer)
                layer = None
            if layer is None:
                layer = Image(
                    image,
                    rgb=True,
                    name="Model input",
                    opacity=OPACITY,
                    interpolation2d="nearest",
                    metadata={ROLE: "condition"},
                    **stack.where(item.region, image.shape),
                )
                stack.insert(layer)
            else:
                layer.data = image
                stack.place(layer, item.region)
