"""Slide layers that are drawn at once and sharpen as their tiles are decoded."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Sequence
from typing import Any

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


def awaited(data: Any) -> Any:
    """Return data of a layer that a watched viewer will show: creating the layer need not wait."""
    view = _view(data)
    if view is not None:
        view.awaited = True
    return data


def view_of(layer: Layer) -> SlideView | None:
    """Return the view that a layer shows, or None if it is no slide that is decoded on demand."""
    return _view(layer.data) if isinstance(layer, Image) else None


def _view(data: Any) -> SlideView | None:
    first = data[0] if isinstance(data, Sequence) else data  # arrays may read when indexed
    return first.view if isinstance(first, ViewLevel) else None


class Sharpening(QObject):
    """Redraws a layer when missing tiles of its view have been decoded."""

    arrived = Signal()  # from the decoding threads to the main thread

    def __init__(self, layer: Image, view: SlideView) -> None:
        super().__init__()
        self.view = view
        self._layer = weakref.ref(layer)
        self._complete = False  # the whole picture has been drawn
        self._pause = single_shot(self, PAUSE_MS, self._draw)
        self.arrived.connect(self._draw_later)
        view.ready.connect(self._announce)
        if view.overview.early:  # pixels may have arrived before this listened
            self._draw_later()

    def close(self) -> None:
        """Stop; from now on the layer waits for the tiles that it reads."""
        with contextlib.suppress(ValueError):
            self.view.ready.disconnect(self._announce)
        self._pause.stop()
        self.view.stop()

    def _announce(self) -> None:
        with contextlib.suppress(RuntimeError):  # Qt is already gone
            self.arrived.emit()

    def _draw_later(self) -> None:
        if not self._pause.isActive():
            self._pause.start()

    def _draw(self) -> None:
        layer = self._layer()
        if layer is not None and layer.visible:
            complete = self.view.overview.complete
            layer.refresh(thumbnail=not self._complete, highlight=False, extent=False)
            self._complete = complete


def _attach(layer: Layer) -> None:
    view = view_of(layer)
    if view is not None and id(layer) not in _sharpening:
        _sharpening[id(layer)] = Sharpening(layer, view)
        weakref.finalize(layer, _detach, id(layer))


def _detach(key: int) -> None:
    sharpening = _sharpening.pop(key, None)
    if sharpening is not None:
        sharpening.close()
