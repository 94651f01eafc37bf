"""Layers of variants: one for each that is kept, and one that all others share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray

from napari_pixcell.slides.pyramid import pyramid
from napari_pixcell.slides.stored_picture import StoredPicture
from napari_pixcell.slides.window import SlideView
from napari_pixcell.studio.results.results import Result, Target
from napari_pixcell.studio.results.swipe import compose
from napari_pixcell.ui.layers.slide import ROLE, role
from napari_pixcell.ui.layers.swipe import SwipeDrag

if TYPE_CHECKING:
    from napari_pixcell.ui.layers.link import LayerLink

PLAIN = 4096  # px; a picture with a longer side is shown by levels
SHARED = "Synthetic preview"

Data = NDArray[np.uint8] | list[Any]


class VariantLayers:
    """Puts variants and the live picture exactly over their regions.

    Adding a layer is the window's longest turn (80 to 160 ms), and napari collects garbage after
    each one that is removed. So what the user does not keep shares one layer, the live picture
    too: its pixels and its place change, and it is hidden rather than removed.

    Parameters
    ----------
    link : LayerLink
        Gives viewer, session and slide layer.
    """

    def __init__(self, link: LayerLink) -> None:
        self.link = link
        self.session = link.session
        self.gallery = link.session.gallery
        self._building: set[int] = set()
        self._levels: dict[int, list[Any]] = {}
        self._live: Target | None = None
        self._looked_away: Target | None = None
        self._looks = 0
        # What the shared layer holds: compared before its pixels are replaced.
        self._content: tuple[Any, ...] = ()
        self._watched: dict[int, Callable[..., None]] = {}
        link.connect_to(self.gallery.added, self.finish)
        link.connect_to(self.gallery.shown, self._chosen)
        link.connect_to(self.gallery.peeked, self.show)
        link.connect_to(self.gallery.swipe.changed, self._swiped)
        link.connect_to(self.session.generation.preview, self.preview)
        self.drag = SwipeDrag(link)

    @property
    def shared(self) -> Image | None:
        """The layer of what is not kept; None before there was anything, or if it was deleted."""
        found: Image | None = self.link.find("preview")
        return found

    def finish(self, result: Result) -> None:
        """Let the live picture become the variant that it was sharpening to."""
        if self._live is result.target:
            self._live = None
            self.gallery.show(result)

    def _chosen(self) -> None:
        """Show what is to be seen; whoever chooses meanwhile has seen enough of the live one."""
        if self._live is not None and self.gallery.looks != self._looks:
            self._looked_away, self._live = self._live, None
        self._looks = self.gallery.looks
        self.show()

    def _swiped(self) -> None:
        with self.link.own():
            self._show_shared()

    def show(self) -> None:
        """Show those variants that are to be seen, and no others."""
        there = {x.metadata["result"]: x for x in self.link.viewer.layers if role(x) == "variant"}
        with self.link.own():
            for result in self.gallery.kept:
                layer = there.pop(result.number, None)
                if layer is None:
                    self._keep(result)
                else:
                    _see(layer, self._visible(result))
            for layer in there.values():
                self._remove(layer)
            self._show_shared()

    def preview(self, target: Target | None, image: NDArray[np.uint8] | None) -> None:
        """Show how the running variant looks by now; None when there is nothing to see."""
        if target is None or image is None:
            self._live = self._looked_away = None
            with self.link.own():
                self._show_shared()
        elif self._here(target) and target is not self._looked_away:
            self._live = target
            with self.link.own():
                self._show_live(target, image)

    def removed(self, layer: Image) -> None:
        """Understand that the user deleted one of the layers: it is not kept, and not seen."""
        self._unwatch(layer)
        result = self._result_of(layer)
        if role(layer) == "preview":
            self._content = ()
        if result is not None:
            if role(layer) == "variant":
                result.starred = False
            self.gallery.note_visible(result, False)
            self.gallery.changed.emit()

    # -- the layers of what is kept --------------------------------------------------------

    def _keep(self, result: Result) -> None:
        large = is_large(result)
        if not self._here(result.target) or (large and not self._visible(result)):
            return  # its levels are made when it is looked at
        data = self._data(result)
        if data is not None:
            self._insert(
                data,
                result.target,
                name=result.name,
                visible=self._visible(result),
                metadata={ROLE: "variant", **_about(result)},
            )

    # -- the layer that all others share ------------------------------------------------------

    def _show_shared(self) -> None:
        if self._live is not None:
            _see(self.shared, self.gallery.peeking != self._live.number)
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
                _see(self.shared, False)  # until its levels are there
                return
            self._put(data, result.target, ("result", result.number), _about(result))
        _see(self.shared, self._visible(result))

    def _show_live(self, target: Target, image: NDArray[np.uint8]) -> None:
        layer = self.shared
        content = ("live", target.slide, target.region, target.mpp)
        if layer is not None and self._content == content and layer.data.shape == image.shape:
            # Several times a second: draw the new pixels, and nothing else that a new
            # ``layer.data`` would have the window do.
            layer.data[...] = image
            layer.refresh(thumbnail=False, highlight=False, extent=False)
        else:
            self._put(image.copy(), target, content, {}, "linear")
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
            self._put(data, result.target, content, _about(result))
        else:
            compose(left, result.memory, swipe.at, layer.data)
            layer.refresh(thumbnail=False, highlight=False, extent=False)

    def _put(
        self,
        data: Data,
        target: Target,
        content: tuple[Any, ...],
        about: dict[str, Any],
        interpolation: str = "nearest",
    ) -> None:
        """Put pixels into the shared layer, over their region."""
        layer, several = self.shared, isinstance(data, list)
        metadata = {ROLE: "preview", **about}
        if layer is not None and (several or layer.multiscale):
            self._remove(layer)  # napari cannot change the one into the other
            layer = None
        if layer is None:
            self._insert(
                data, target, name=SHARED, interpolation2d=interpolation, metadata=metadata
            )
        else:
            layer.data = data
            self.link.place(layer, target.region, target.mpp)
            if layer.interpolation2d != interpolation:
                layer.interpolation2d = interpolation
            layer.metadata = metadata
        self._content = content

    # -- both ---------------------------------------------------------------------------------

    def _data(self, result: Result) -> Data | None:
        """Give what a layer shows; None while that is being read or made."""
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
        """Make the levels of a large picture in a thread, then show it."""
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
            self.session.say("results", message)

        self.session.background.compute(lambda: pyramid(image), built, failed)

    def _insert(self, data: Data, target: Target, **options: Any) -> None:
        """Add a picture exactly over its region, leaving the user's layer selected."""
        several = isinstance(data, list)
        finest = data[0] if isinstance(data, list) else data
        where = self.link.where(target.region, finest.shape, target.mpp)
        layer = Image(data, rgb=True, multiscale=several, **options, **where)
        self.link.insert(layer)

        def toggled(_event: Any = None) -> None:
            result = self._result_of(layer)
            if self.link.changing:
                return
            if result is not None:
                self.gallery.note_visible(result, layer.visible)
            elif not layer.visible:  # the live picture, which must not come back by itself
                self._looked_away, self._live = self._live, None

        self._watched[id(layer)] = toggled
        self.link.connect_to(layer.events.visible, toggled)

    def _remove(self, layer: Image) -> None:
        self._unwatch(layer)
        self.link.viewer.layers.remove(layer)

    def _unwatch(self, layer: Image) -> None:
        toggled = self._watched.pop(id(layer), None)
        if toggled is not None:
            self.link.disconnect_from(layer.events.visible, toggled)

    def _result_of(self, layer: Image) -> Result | None:
        return self.gallery.get(layer.metadata.get("result", 0))

    def _visible(self, result: Result) -> bool:
        return result.shown and self.gallery.peeking != result.target.number

    def _here(self, target: Target) -> bool:
        return target.slide == self.session.slide_key


def _see(layer: Image | None, on: bool) -> None:
    """Show or hide a layer; napari draws it again even where nothing changes."""
    if layer is not None and layer.visible != on:
        layer.visible = on


def is_large(result: Result) -> bool:
    """Whether a picture is shown by levels."""
    return max(result.shape[:2]) > PLAIN


def _about(result: Result) -> dict[str, Any]:
    return {"result": result.number, "record": result.record.to_dict()}
