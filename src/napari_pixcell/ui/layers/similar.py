"""The layer that shows where the slide looks like a region."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.layers import Image

from napari_pixcell.slides import Region
from napari_pixcell.studio.similar_job import Similar
from napari_pixcell.ui.layers.slide import ROLE

if TYPE_CHECKING:
    from napari_pixcell.ui.layers.link import LayerLink

OPACITY = 0.5
COLOURS = "inferno"  # unlike tissue is darkened; yellow and orange are no colours of H&E


class SimilarLayer:
    """Keeps the map of similar tissue over the slide.

    Parameters
    ----------
    link : LayerLink
        To viewer, session and layers.
    """

    def __init__(self, link: LayerLink) -> None:
        self.link = link
        self.session = link.session
        self._seen: Similar | None = None
        link.connect_to(self.session.similar.changed, self.show)

    def show(self) -> None:
        """Show what was found by now, or nothing."""
        similar, link = self.session.similar, self.link
        found, layer = similar.found, link.find("similar")
        with link.own():
            if found is None or link.slide_layer is None:
                if layer is not None:
                    link.viewer.layers.remove(layer)
            elif layer is None:
                if similar.shown:
                    self._add(found)
            else:
                if found is not self._seen:
                    self._update(layer, found)
                layer.visible = similar.shown
        self._seen = found

    def removed(self) -> None:
        """Understand that the user deleted the layer."""
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
            **self.link.where(self._covered(found), found.heat.shape),
        )
        self.link.insert(layer)

        def toggled(_event: Any = None) -> None:
            if not self.link.changing:
                self.session.similar.show(layer.visible)

        self.link.connect_to(layer.events.visible, toggled)

    def _update(self, layer: Image, found: Similar) -> None:
        layer.name = self._name(found)
        layer.metadata["region"] = found.number
        if layer.data.shape == found.heat.shape:
            # While it is looked for: only the pixels are other ones, and that is quicker.
            layer.data[...] = found.heat
            layer.refresh(thumbnail=found.complete, highlight=False, extent=False)
        else:
            layer.data = found.heat
        self.link.place(layer, self._covered(found))

    def _name(self, found: Similar) -> str:
        item = self.session.item(found.number)
        return f"Similar tissue · {item.name}" if item is not None else "Similar tissue"

    def _covered(self, found: Similar) -> Region:
        height, width = found.grid.shape
        return Region(0, 0, width, height)
