"""Binding the keys of the studio to a viewer."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from napari.layers import Image, Labels, Shapes
from napari.viewer import Viewer

from napari_pixcell.studio.session import Session
from napari_pixcell.ui.key_table import DIGITS, TABLE
from napari_pixcell.ui.layers.base import LayerStack
from napari_pixcell.ui.layers.layer_keys import described
from napari_pixcell.ui.layers.layout_tools import OURS, LayoutTools
from napari_pixcell.ui.layers.slide import is_slide, role

DRAWN = (Labels, Shapes)
LENT = (*DIGITS, "S", "Escape")  # also bound to a selected layer that uses them itself
# Modes of Regions and layouts that have no use for letters and digits.
RESTING = ("select", "pan_zoom", "pick")


class Keys:
    """Binds the keys to a viewer until it is closed.

    napari asks the selected layer for a key before the viewer, and layers have their own bindings
    for digits and S. So these keys are also bound to the slide and to variants, and to Regions and
    layouts while no tool is active there: napari's digits choose tools, and the next click would
    change cells that lie unseen below a variant. Layers of others keep napari's.
    R calls the bound method ``add_region`` as long as its object exists.
    """

    def __init__(
        self,
        viewer: Viewer,
        session: Session,
        stack: LayerStack,
        tools: LayoutTools,
        add_region: Callable[[], Any],
    ) -> None:
        self._viewer = weakref.ref(viewer)
        self._session, self._tools = session, tools
        self._add_region = weakref.WeakMethod(add_region)
        self._lent: Any = None
        acts: dict[str, Callable[[], Any]] = {
            "R": self._add,
            "G": session.generator.generate,
            "Escape": session.cancel,
            "S": session.gallery.star_looked,
        }
        acts |= {digit: partial(self._show_nth, int(digit)) for digit in DIGITS}
        words = {key: entry.words for entry in TABLE for key in entry.keys.split()}
        self._calls: dict[str, Callable[[Any], Any]] = {"H": _hold(self._peek, words["H"])}
        self._calls |= {key: described(act, words[key]) for key, act in acts.items()}
        for key, call in self._calls.items():
            viewer.bind_key(key, call, overwrite=True)
        stack.connect_to(viewer.layers.selection.events.active, self._lend)
        stack.connect_to(tools.changed, self._follow_mode)
        self._lend()

    def close(self) -> None:
        self._take_back()
        viewer = self._viewer()
        if viewer is not None:
            for key in self._calls:
                viewer.bind_key(key, None, overwrite=True)

    def _add(self) -> None:
        add_region = self._add_region()
        if add_region is not None:
            add_region()

    def _show_nth(self, number: int) -> None:
        active = self._session.regions.active
        if active is not None:
            self._session.gallery.show_nth(active.number, number)

    def _peek(self, on: bool) -> None:
        session, gallery = self._session, self._session.gallery
        active, visible = session.regions.active, gallery.looked
        number = active.number if active is not None else 0
        if visible is not None and not any(r.shown for r in gallery.of_region(number)):
            number = visible.target.number
        gallery.peek(number if on else None)

    def _lend(self, _event: Any = None) -> None:
        """Bind keys to the selected layer too, if its own bindings are dispensable."""
        self._take_back()
        viewer: Viewer | None = self._viewer()
        layer = viewer.layers.selection.active if viewer is not None else None
        images = isinstance(layer, Image) and (is_slide(layer) or bool(role(layer)))
        drawn = isinstance(layer, DRAWN) and role(layer) in ("regions", "layout")
        if layer is None or not (images or drawn):
            return
        self._lent = layer
        self._follow_mode()
        if drawn:
            layer.events.mode.connect(self._follow_mode)

    def _follow_mode(self, _event: Any = None) -> None:
        layer = self._lent
        if layer is None:
            return
        resting = isinstance(layer, Image) or str(layer.mode) in RESTING
        if layer is self._tools.layer and self._tools.tool in OURS:
            resting = False  # napari knows nothing of these tools
        for key in LENT[:-1] if isinstance(layer, Labels) else LENT:  # layouts have their Escape
            layer.bind_key(key, self._calls[key] if resting else None, overwrite=True)

    def _take_back(self) -> None:
        layer, self._lent = self._lent, None
        if layer is None:
            return
        if isinstance(layer, DRAWN):
            layer.events.mode.disconnect(self._follow_mode)
        for key in LENT[:-1] if isinstance(layer, Labels) else LENT:
            layer.bind_key(key, None, overwrite=True)


def _hold(act: Callable[[bool], None], words: str) -> Callable[[Any], Iterator[None]]:
    def held(_source: Any) -> Iterator[None]:
        act(True)
        yield
        act(False)

    held.__doc__ = f"{words} (PixCell)"
    return held
