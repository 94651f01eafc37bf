"""The map of tissue that is similar to a region, shown over the slide."""

from __future__ import annotations

from typing import Any

from napari.layers import Image

from napari_pixcell.slides import Region
from napari_pixcell.studio.similar import Similar
from napari_pixcell.ui.layers.base import LayerStack, SessionLayer
from napari_pixcell.ui.layers.slide import ROLE

OPACITY = 0.5
COLOURS = "inferno"  # darkens dissimilar tissue; yellow and orange do not occur in H&E


class SimilarLayer(SessionLayer):
    """Image layer with the similarity map."""

    roles = ("similar",)

    def __init__(self, stack: LayerStack) -> None:
        super().__init__(stack)
        self._seen: Similar | None = None
        stack.connect_to(self.session.similar.changed, self.show)

    def show(self) -> None:
        similar = self.session.similar
        found, layer = similar.found, self.find()
        with self.stack.own():
            if found is None or self.stack.slide_layer is None:
                self.stack.remove(layer)
            elif layer is None:
                if similar.shown:
                    self._add(found)
            else:
                if found is not self._seen:
                    self._update(layer, found)
                layer.visible = similar.shown
        self._seen = found

    def removed(self, layer: Image) -> None:
        self.session.similar.show(False)

    def _add(self, found: Similar) -> None:
        layer = Image(
            found.heat.copy(),
            name=self._name(found),
            colormap=COLOURS,
            contrast_limits=(0, 1),
            opacity=OPACITY,
            interpolation2d="nearest",
            metadata={ROLE: "similar", "region": found.number},
            **self.stack.where(_covered(found), found.heat.shape),
        )
        self.stack.insert(layer)

        def toggled(_event: Any = None) -> None:
            if not self.stack.changing:
                self.session.similar.show(layer.visible)

        self.stack.connect_to(layer.events.visible, toggled)

    def _update(self, layer: Image, found: Similar) -> None:
        layer.name = self._name(found)
        layer.metadata["region"] = found.number
        if layer.data.shape == found.heat.shape:
            # During a search only the pixels change, and this is faster than new data.
            layer.data[...] = found.heat
            layer.refresh(thumbnail=found.complete, highlight=False, extent=False)
        else:
            layer.data = found.heat
        self.stack.place(layer, _covered(found))

    def _name(self, found: Similar) -> str:
        item = self.session.regions.get(found.number)
        name = item.name if item is not None else found.name
        return f"Similar tissue · {name}" if name else "Similar tissue"


def _covered(found: Similar) -> Region:
    height, width = found.grid.shape
    return Region(0, 0, width, height)
