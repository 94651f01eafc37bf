"""Slide layers that are drawn at once and sharpen as their tiles are decoded."""

from __future__ import annotations

import contextlib
import weakref

from napari.layers import Image, Layer
from napari.viewer import Viewer
from qtpy.QtCore import QObject, Signal

from napari_pixcell.slides.window import SlideView, ViewLevel
from napari_pixcell.ui.arrange import single_shot

PAUSE_MS = 120  # between two redraws, each of which takes some 10 ms

_watched: weakref.WeakSet[Viewer] = weakref.WeakSet()
_sharpening: dict[int, Sharpening] = {}


def watch(viewer: Viewer) -> None:
    """Sharpen all slide layers of a viewer, present and future; further calls do nothing."""
    if viewer in _watched:
        return
    _watched.add(viewer)
    viewer.layers.events.inserted.connect(lambda event: _attach(event.value))
    viewer.layers.events.removed.connect(lambda event: _detach(id(event.value)))
    for layer in viewer.layers:
        _attach(layer)


def view_of(layer: Layer) -> SlideView | None:
    """Return the view that a layer shows, or None if it is no multiscale slide."""
    if isinstance(layer, Image) and layer.multiscale:
        first = layer.data[0]
        if isinstance(first, ViewLevel):
            return first.view
    return None


class Sharpening(QObject):
    """Redraws a layer when missing tiles of its view have been decoded."""

    arrived = Signal()  # from the decoding threads to the main thread

    def __init__(self, layer: Image, view: SlideView) -> None:
        super().__init__()
        self.view = view
        self._layer = weakref.ref(layer)
        self._pause = single_shot(self, PAUSE_MS, self._draw)
        self.arrived.connect(self._draw_later)
        view.ready.connect(self._announce)

    def close(self) -> None:
        """Stop; from now on the layer waits for the tiles that it reads."""
        with contextlib.suppress(ValueError):
            self.view.ready.disconnect(self._announce)
        self._pause.stop()

    def _announce(self) -> None:
        with contextlib.suppress(RuntimeError):  # Qt is already gone
            self.arrived.emit()

    def _draw_later(self) -> None:
        if not self._pause.isActive():
            self._pause.start()

    def _draw(self) -> None:
        layer = self._layer()
        if layer is not None and layer.visible:
            layer.refresh(thumbnail=False, highlight=False, extent=False)


def _attach(layer: Layer) -> None:
    view = view_of(layer)
    if view is not None and id(layer) not in _sharpening:
        _sharpening[id(layer)] = Sharpening(layer, view)
        weakref.finalize(layer, _detach, id(layer))


def _detach(key: int) -> None:
    sharpening = _sharpening.pop(key, None)
    if sharpening is not None:
        sharpening.close()
