"""Slide layers that are drawn at once and become sharp as their tiles are decoded."""

from __future__ import annotations

import contextlib
import weakref
from typing import Any

from napari.layers import Image, Layer
from napari.viewer import Viewer
from qtpy.QtCore import QObject, QTimer, Signal

from napari_pixcell.slides.window import SlideView, ViewLevel

PAUSE_MS = 120  # between two drawings while tiles arrive; each takes the window some 10 ms

_watched: weakref.WeakSet[Viewer] = weakref.WeakSet()
_drawings: dict[int, Drawing] = {}


def watch(viewer: Viewer) -> None:
    """Sharpen all slide layers of a viewer, those of now and of later; twice is once."""
    if viewer in _watched:
        return
    _watched.add(viewer)
    viewer.layers.events.inserted.connect(_inserted)
    viewer.layers.events.removed.connect(_removed)
    for layer in viewer.layers:
        _attach(layer)


def view_of(layer: Layer) -> SlideView | None:
    """Give the view that a layer shows; None where it is no slide with levels."""
    if isinstance(layer, Image) and layer.multiscale:
        first = layer.data[0]
        if isinstance(first, ViewLevel):
            return first.view
    return None


class Drawing(QObject):
    """Draws a layer again when tiles that it lacked are there.

    Parameters
    ----------
    layer : Image
    view : SlideView
        What the layer shows.
    """

    arrived = Signal()  # takes the news from the threads that decode to the window's

    def __init__(self, layer: Image, view: SlideView) -> None:
        super().__init__()
        self.view = view
        self._layer = weakref.ref(layer)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MS)
        self._pause.timeout.connect(self._draw)
        self.arrived.connect(self._later)
        view.ready.connect(self._tell)

    def close(self) -> None:
        """Stop; what the layer reads from now on is waited for."""
        with contextlib.suppress(ValueError):
            self.view.ready.disconnect(self._tell)
        self._pause.stop()

    def _tell(self) -> None:
        with contextlib.suppress(RuntimeError):  # Qt is gone already
            self.arrived.emit()

    def _later(self) -> None:
        if not self._pause.isActive():
            self._pause.start()

    def _draw(self) -> None:
        layer = self._layer()
        if layer is not None and layer.visible:
            layer.refresh(thumbnail=False, highlight=False, extent=False)


def _attach(layer: Layer) -> None:
    view = view_of(layer)
    if view is not None and id(layer) not in _drawings:
        _drawings[id(layer)] = Drawing(layer, view)
        weakref.finalize(layer, _forget, id(layer))


def _forget(key: int) -> None:
    drawing = _drawings.pop(key, None)
    if drawing is not None:
        drawing.close()


def _inserted(event: Any) -> None:
    _attach(event.value)


def _removed(event: Any) -> None:
    _forget(id(event.value))
