"""Layers of variants: one for each starred variant, and one that all others share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray
from psygnal import Signal

from napari_pixcell.slides.resample import pyramid
from napari_pixcell.slides.stored_picture import StoredPicture
from napari_pixcell.slides.window import SlideView
from napari_pixcell.studio.generation.target import Target
from napari_pixcell.studio.results.results import Result
from napari_pixcell.studio.results.swipe import compose
from napari_pixcell.ui.layers.base import LayerStack, SessionLayer
from napari_pixcell.ui.layers.slide import ROLE, role
from napari_pixcell.ui.layers.swipe import SwipeDrag

PLAIN = 4096  # px; images with a longer side are shown as pyramids
SHARED = "Synthetic preview"

Data = NDArray[np.uint8] | list[Any]


class VariantLayers(SessionLayer):
    """Image layers with variants and the preview, exactly over their regions.

    Adding a layer blocks the window for 80 to 160 ms, and napari collects garbage whenever one is
    removed. So all variants without a star share one layer with the preview: its pixels and
    position change, and it is hidden instead of removed.
    """

    shown = Signal()  # a variant or a preview may have become visible

    roles = ("variant", "preview")

    def __init__(self, stack: LayerStack) -> None:
        super().__init__(stack)
        self.gallery = stack.session.gallery
        self._building: set[int] = set()
        self._levels: dict[int, list[Any]] = {}
        self._previewed: Target | None = None
        self._dismissed: Target | None = None
        self._looks = 0
        # Identifies the content of the shared layer, to replace its pixels only if needed.
        self._content: tuple[Any, ...] = ()
        self._watched: dict[int, Callable[..., None]] = {}
        stack.connect_to(self.gallery.added, self.finish)
        stack.connect_to(self.gallery.shown, self._selected)
        stack.connect_to(self.gallery.peeked, self.show)
        stack.connect_to(self.gallery.swipe.changed, self._show_shared)
        stack.connect_to(self.session.queue.preview, self.preview)
        self.drag = SwipeDrag(stack)

    @property
    def shared(self) -> Image | None:
        """The shared layer; None before its first use or after its deletion."""
        layer: Image | None = self.stack.find("preview")
        return layer

    def finish(self, result: Result) -> None:
        """Show a finished variant in place of its preview."""
        if self._previewed is result.target:
            self._previewed = None
            self.gallery.show(result)

    def end_preview(self) -> None:
        """Leave no half-made picture in the viewer, when the dock is closed."""
        if self._previewed is not None:
            self._previewed = None
            _see(self.shared, False)

    def _selected(self) -> None:
        """Show the selected variant; a selection during a preview ends the preview."""
        if self._previewed is not None and self.gallery.looks != self._looks:
            self._dismissed, self._previewed = self._previewed, None
        self._looks = self.gallery.looks
        self.show()

    def show(self) -> None:
        layers = [layer for layer in self.stack.viewer.layers if role(layer) == "variant"]
        existing = {layer.metadata["result"]: layer for layer in layers}
        with self.stack.own():
            for result in self.gallery.kept:
                layer = existing.pop(result.number, None)
                if layer is None:
                    self._add_starred(result)
                else:
                    _see(layer, self._visible(result))
            for layer in existing.values():
                self._remove(layer)
        self._show_shared()
        self.shown.emit()

    def preview(self, target: Target | None, image: NDArray[np.uint8] | None) -> None:
        """Show a preview of the running variant; None ends it."""
        if target is None or image is None:
            self._previewed = self._dismissed = None
            self._show_shared()
        elif self._here(target) and target is not self._dismissed:
            self._previewed = target
            with self.stack.own():
                self._show_preview(target, image)
            self.shown.emit()

    def removed(self, layer: Image) -> None:
        self._unwatch(layer)
        result = self._result_of(layer)
        if role(layer) == "preview":
            self._content = ()
        if result is not None:
            if role(layer) == "variant":
                result.starred = False
            self.gallery.note_visible(result, False)
            self.gallery.changed.emit()

    # -- layers of starred variants ----------------------------------------------------------

    def _add_starred(self, result: Result) -> None:
        large = is_large(result)
        if not self._here(result.target) or (large and not self._visible(result)):
            return  # its pyramid is built when it is shown
        data = self._data(result)
        if data is not None:
            visible, metadata = self._visible(result), {ROLE: "variant", **_about(result)}
            self._insert(data, result.target, name=result.name, visible=visible, metadata=metadata)

    # -- the shared layer ----------------------------------------------------------------------

    def _show_shared(self) -> None:
        with self.stack.own():
            if self._previewed is not None:
                _see(self.shared, self.gallery.peeking != self._previewed.number)
                return
            swiped = self._swiped_result()
            result = swiped or self.gallery.previewed
            if result is None or not self._here(result.target):
                _see(self.shared, False)
                return
            if swiped is not None:
                self._show_swipe(swiped)
            elif self._content != ("result", result.number) or self.shared is None:
                data = self._data(result)
                if data is None:
                    _see(self.shared, False)  # until its pyramid is built
                    return
                self._fill_shared(data, result.target, ("result", result.number), _about(result))
            _see(self.shared, self._visible(result))

    def _show_preview(self, target: Target, image: NDArray[np.uint8]) -> None:
        layer = self.shared
        content = ("live", target.slide, target.region, target.mpp)
        if layer is not None and self._content == content and layer.data.shape == image.shape:
            # Several times a second: redraw the pixels without the other work of new data.
            layer.data[...] = image
            layer.refresh(thumbnail=False, highlight=False, extent=False)
        else:
            about = {"region": target.number}
            self._fill_shared(image.copy(), target, content, about, "linear")
        _see(self.shared, self.gallery.peeking != target.number)

    def _swiped_result(self) -> Result | None:
        swipe, result = self.gallery.swipe, self.gallery.looked
        if not swipe.on or result is None or not result.shown or swipe.why_not(result):
            return None
        return result

    def _show_swipe(self, result: Result) -> None:
        swipe, layer = self.gallery.swipe, self.shared
        left = swipe.beside(result)
        assert left is not None
        assert isinstance(result.memory, np.ndarray)
        content = ("swipe", result.number, id(left))
        if layer is None or self._content != content:
            data = np.empty_like(result.memory)
            compose(left, result.memory, swipe.at, data)
            self._fill_shared(data, result.target, content, _about(result))
        else:
            compose(left, result.memory, swipe.at, layer.data)
            layer.refresh(thumbnail=False, highlight=False, extent=False)

    def _fill_shared(
        self,
        data: Data,
        target: Target,
        content: tuple[Any, ...],
        about: dict[str, Any],
        interpolation: str = "nearest",
    ) -> None:
        """Show pixels in the shared layer, over their region."""
        layer, multiscale = self.shared, isinstance(data, list)
        metadata = {ROLE: "preview", **about}
        if layer is not None and (multiscale or layer.multiscale):
            self._remove(layer)  # napari cannot make a layer multiscale or single-scale
            layer = None
        if layer is None:
            options = {"interpolation2d": interpolation, "metadata": metadata}
            self._insert(data, target, name=SHARED, **options)
        else:
            layer.data = data
            self.stack.place(layer, target.region, target.mpp)
            if layer.interpolation2d != interpolation:
                layer.interpolation2d = interpolation
            layer.metadata = metadata
        self._content = content

    # -- both ---------------------------------------------------------------------------------

    def _data(self, result: Result) -> Data | None:
        """Return the pixels or pyramid of a variant, or None while it is being built."""
        image = result.memory
        if isinstance(image, StoredPicture):
            return SlideView(image.levels).levels
        if image is None or not is_large(result):
            return image
        levels = self._levels.pop(result.number, None)
        if levels is None:
            self._build(result, image)
        return levels

    def _build(self, result: Result, image: NDArray[np.uint8]) -> None:
        """Build the pyramid of a large image in a thread, then show it."""
        if result.number in self._building:
            return
        self._building.add(result.number)

        def built(levels: list[NDArray[np.uint8]]) -> None:
            self._building.discard(result.number)
            if result in self.gallery.results and result.shown:
                self._levels = {result.number: levels}
                self.show()

        def failed(message: str) -> None:
            self._building.discard(result.number)
            self.session.notices.say("results", message)

        self.session.background.compute(partial(pyramid, image), built, failed)

    def _insert(self, data: Data, target: Target, **options: Any) -> None:
        """Add an image exactly over its region, without selecting it."""
        multiscale = isinstance(data, list)
        finest = data[0] if isinstance(data, list) else data
        where = self.stack.where(target.region, finest.shape, target.mpp)
        layer = Image(data, rgb=True, multiscale=multiscale, **options, **where)
        self.stack.insert(layer)

        def toggled(_event: Any = None) -> None:
            result = self._result_of(layer)
            if self.stack.changing:
                return
            if result is not None:
                self.gallery.note_visible(result, layer.visible)
                self.shown.emit()
            elif not layer.visible:  # a hidden preview stays hidden
                self._dismissed, self._previewed = self._previewed, None

        self._watched[id(layer)] = toggled
        self.stack.connect_to(layer.events.visible, toggled)

    def _remove(self, layer: Image) -> None:
        self._unwatch(layer)
        self.stack.remove(layer)

    def _unwatch(self, layer: Image) -> None:
        toggled = self._watched.pop(id(layer), None)
        if toggled is not None:
            self.stack.disconnect_from(layer.events.visible, toggled)

    def _result_of(self, layer: Image) -> Result | None:
        return self.gallery.get(layer.metadata.get("result", 0))

    def _visible(self, result: Result) -> bool:
        peeking = self.gallery.peeking == result.target.number
        return result.shown and not peeking and self._here(result.target)

    def _here(self, target: Target) -> bool:
        return target.slide == self.session.slides.key


def _see(layer: Image | None, on: bool) -> None:
    """Show or hide a layer, only if needed, since napari always redraws it."""
    if layer is not None and layer.visible != on:
        layer.visible = on


def is_large(result: Result) -> bool:
    """Return True if a variant is shown as a pyramid."""
    return max(result.shape[:2]) > PLAIN


def _about(result: Result) -> dict[str, Any]:
    record = result.record.to_dict()
    return {"result": result.number, "region": result.target.number, "record": record}
