"""Layers of variants, and the one that shows how the running one looks by now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray

from napari_pixcell.slides.pyramid import pyramid
from napari_pixcell.slides.stored_picture import Picture, StoredPicture
from napari_pixcell.slides.window import SlideView
from napari_pixcell.studio.results import Result, Target
from napari_pixcell.ui.slide_layer import ROLE

if TYPE_CHECKING:
    from napari_pixcell.ui.layers import LayerLink

PLAIN = 4096  # px; a picture with a longer side is shown by levels


class VariantLayers:
    """Puts variants and previews exactly over their regions.

    Parameters
    ----------
    link : LayerLink
        Gives viewer, session and slide layer.
    """

    def __init__(self, link: LayerLink) -> None:
        self.link = link
        self.session = link.session
        self._building: set[int] = set()
        gallery = self.session.gallery
        link.connect_to(gallery.added, self.finish)
        link.connect_to(gallery.removed, self.remove)
        link.connect_to(gallery.shown, self.show)
        link.connect_to(self.session.generation.preview, self.preview)

    def finish(self, result: Result) -> None:
        """Turn the preview into the variant that it was sharpening to.

        Adding a layer is the window's longest turn, and napari collects garbage after each one
        that is removed; so neither happens where a preview stands already.
        """
        layer = self.link.find("preview")
        image = result.image
        if isinstance(image, StoredPicture) or is_large(result):
            return  # once it is shown
        if layer is None:
            self._add(result, image)
            return
        with self.link.own():
            layer.data = image
            self.link.place(layer, result.target.region, result.target.mpp)
            layer.interpolation2d = "nearest"
            layer.name = result.name
            layer.visible = result.shown
            layer.metadata = _about(result)
        self._watch(layer, result)

    def remove(self, result: Result) -> None:
        """Take the layer of a variant away."""
        layer = self.link.find("variant", result.number)
        if layer is not None:
            with self.link.own():
                self.link.viewer.layers.remove(layer)

    def show(self) -> None:
        """Show those variants that are to be seen, and no others."""
        with self.link.own():
            for result in self.session.gallery.results:
                layer = self.link.find("variant", result.number)
                if layer is not None:
                    layer.visible = result.shown
                elif result.shown and self._here(result.target):
                    self._first_shown(result, result.image)

    def preview(self, target: Target | None, image: NDArray[np.uint8] | None) -> None:
        """Show how the running variant looks by now; None takes the preview away."""
        link = self.link
        layer = link.find("preview")
        with link.own():
            if target is None or image is None:
                if layer is not None:
                    link.viewer.layers.remove(layer)
            elif not self._here(target):
                return
            elif layer is None or layer.data.shape != image.shape:
                if layer is not None:
                    link.viewer.layers.remove(layer)
                about = {ROLE: "preview"}
                self._insert(
                    image, target, name="Preview", interpolation2d="linear", metadata=about
                )
            else:
                # Several times a second: draw the new pixels, and nothing else that a new
                # ``layer.data`` would have the window do.
                layer.data[...] = image
                link.place(layer, target.region, target.mpp)
                layer.refresh(thumbnail=False, highlight=False, extent=False)

    def _first_shown(self, result: Result, image: Picture) -> None:
        if isinstance(image, StoredPicture):
            self._add(result, SlideView(image.levels).levels)
        elif is_large(result):
            self._build(result, image)
        else:
            self._add(result, image)

    def _build(self, result: Result, image: NDArray[np.uint8]) -> None:
        """Make the levels of a large picture in a thread, then show it."""
        if result.number in self._building:
            return
        self._building.add(result.number)

        def built(levels: list[NDArray[np.uint8]]) -> None:
            self._building.discard(result.number)
            known = result in self.session.gallery.results
            there = self.link.find("variant", result.number) is not None
            if known and not there and self._here(result.target):
                self._add(result, levels)

        def failed(message: str) -> None:
            self._building.discard(result.number)
            self.session.say("results", message)

        self.session.background.compute(lambda: pyramid(image), built, failed)

    def _add(self, result: Result, data: NDArray[np.uint8] | list[Any]) -> None:
        with self.link.own():
            layer = self._insert(
                data,
                result.target,
                name=result.name,
                visible=result.shown,
                metadata=_about(result),
            )
        self._watch(layer, result)

    def _insert(
        self,
        data: NDArray[np.uint8] | list[Any],
        target: Target,
        **options: Any,
    ) -> Image:
        """Add a picture exactly over its region, leaving the user's layer selected."""
        several = isinstance(data, list)
        finest = data[0] if isinstance(data, list) else data
        where = self.link.where(target.region, finest.shape, target.mpp)
        layer = Image(data, rgb=True, multiscale=several, **options, **where)
        self.link.insert(layer)
        return layer

    def _watch(self, layer: Image, result: Result) -> None:
        """Hear when the user shows or hides a variant's layer."""

        def toggled(_event: Any = None) -> None:
            if not self.link.changing and result.shown != layer.visible:
                result.shown = layer.visible
                self.session.changed.emit()

        self.link.connect_to(layer.events.visible, toggled)

    def _here(self, target: Target) -> bool:
        return target.slide == self.session.slide_key


def is_large(result: Result) -> bool:
    """Whether a picture is shown by levels."""
    return max(result.image.shape[:2]) > PLAIN


def _about(result: Result) -> dict[str, Any]:
    return {ROLE: "variant", "result": result.number, "record": result.record.to_dict()}
