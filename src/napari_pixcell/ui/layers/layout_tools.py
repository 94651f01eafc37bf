"""Tools that draw the cells of a layout on napari's own label layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from napari.layers import Labels
from psygnal import Signal

from napari_pixcell.cells import editing
from napari_pixcell.cells.editing import Patch, Point
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.ui.layers.base import LayerStack
from napari_pixcell.ui.layers.layer_keys import TOOL_KEYS, bind_escape, bind_keys
from napari_pixcell.ui.layers.stamping import Stamping

# Tools with the modes of napari's label layer that they use.
MODES = {
    "select": "pick",
    "paint": "paint",
    "outline": "polygon",
    "erase": "erase",
    "split": "pan_zoom",
    "fill": "pan_zoom",
    "stamp": "pan_zoom",
}
OURS = ("split", "fill", "stamp")  # tools whose mouse events are handled here
CONTOUR = 2  # px of an outline
FROZEN = "circle_frozen"  # napari's own brush does not paint with this cursor
BRUSH_UM = 6.0  # about a nucleus
GROWS_BY = 1  # px
MOST_STROKES = 100  # in napari's history


@dataclass
class Strokes:
    """Numbers of strokes in a layer's history that can be undone and redone."""

    done: int = 0
    undone: int = 0


class LayoutTools:
    """Draw, split, merge and delete the cells of the active region's layout.

    All edits go through napari's own history, so that its undo works.
    """

    changed = Signal()  # of the tool, the selection or the history

    def __init__(self, stack: LayerStack, edited: Callable[[Labels], None]) -> None:
        self.stack = stack
        self.session, self.regions = stack.session, stack.session.regions
        self.tool = ""  # one of MODES, or empty if the mouse moves the view
        self.stamping = Stamping(self.session, self.next_label, self.change)
        self._note_edited = edited  # called with the layer after undo and redo
        # By region:
        self._clicked: dict[int, Point] = {}  # a point in the selected cell
        self._strokes: dict[int, Strokes] = {}
        self._highest: dict[int, int] = {}  # label ever used
        self._choosing = False
        selected = stack.viewer.layers.selection.events.active
        stack.connect_to(selected, lambda _event: self.changed.emit())

    # -- choosing ----------------------------------------------------------------------------

    def choose(self, tool: str) -> None:
        """Activate a tool on the active region's layout, which is created if needed."""
        item = self.regions.active
        if item is None or not self.session.settings.takes_layout:
            return
        self.session.layouts.new()
        self.session.gallery.show_none(item.number)
        layer = self.layer
        if layer is None:
            return
        layer.visible = True
        self.stack.viewer.layers.selection.active = layer
        self._choosing = True
        try:
            self.tool = tool
            layer.mode = MODES[tool]
            layer.preserve_labels = tool in ("paint", "outline")
            if tool in OURS:
                layer.mouse_pan = False
                layer.cursor = "cross"
            elif tool in ("paint", "outline"):
                layer.selected_label = self.next_label(layer)
            if tool == "stamp":
                self.stamping.prepare()
        finally:
            self._choosing = False
        self.stack.bring_into_view(item.region)
        self.changed.emit()

    def choose_by_key(self, tool: str) -> None:
        """Activate a tool, unless the layout is being segmented."""
        item = self.regions.active
        if item is not None and not item.layout_busy:
            self.choose(tool)

    @property
    def layer(self) -> Labels | None:
        """The label layer of the active region."""
        item = self.regions.active
        return self.stack.find("layout", item.number) if item is not None else None

    @property
    def working(self) -> bool:
        """Whether the layout's layer is selected, so that the mouse drives the tool."""
        layer = self.layer
        return layer is not None and self.stack.viewer.layers.selection.active is layer

    def _is_active(self, layer: Labels) -> bool:
        return layer is self.layer

    def attach(self, layer: Labels) -> None:
        self.replaced(layer)
        layer.brush_size = max(3, round(BRUSH_UM / self.session.settings.model.mpp))
        layer.contour = CONTOUR
        # Before napari's own callbacks, so that they can be prevented from painting.
        layer.mouse_drag_callbacks.insert(0, self._pressed)
        connect = self.stack.connect_to
        connect(layer.events.paint, lambda _event: self._painted(layer))
        connect(layer.events.mode, lambda _event: self._mode_changed(layer))
        bind_keys(
            layer,
            {
                "X": (self.toggle_outlines, "Show cells as outlines or filled"),
                "Z": (lambda: setattr(layer, "visible", not layer.visible), "Hide or show cells"),
                "Control-Z": (self.undo, "Undo"),
                "Control-Shift-Z": (self.redo, "Redo"),
                "Delete": (self.delete_selected, "Delete the selected cell"),
            }
            | {
                key: (partial(self.choose_by_key, tool), f"{tool.capitalize()} cells")
                for tool, key in TOOL_KEYS.items()
            },
        )
        bind_escape(layer, self.session.cancel)

    def toggle_outlines(self) -> None:
        layer = self.layer
        if layer is not None:
            layer.contour = 0 if layer.contour else CONTOUR
            self.changed.emit()

    def _mode_changed(self, layer: Labels) -> None:
        """Follow a mode that was set in napari's own controls."""
        if self._choosing or not self._is_active(layer):
            return
        by_mode = {mode: tool for tool, mode in MODES.items() if tool not in OURS}
        self.tool = by_mode.get(str(layer.mode), "")
        if self.tool in ("paint", "outline"):
            layer.preserve_labels = True
            layer.selected_label = self.next_label(layer)
        self.changed.emit()

    # -- history -----------------------------------------------------------------------------

    def replaced(self, layer: Labels) -> None:
        """Reset the history after a layer received new data, as napari does."""
        number = layer.metadata["region"]
        self._strokes[number] = Strokes()
        self._clicked.pop(number, None)
        self._highest[number] = int(layer.data.max(initial=0))

    @property
    def can_undo(self) -> bool:
        item = self.regions.active
        return item is not None and bool(self._history(item).done or item.earlier)

    @property
    def can_redo(self) -> bool:
        item = self.regions.active
        return item is not None and bool(self._history(item).undone or item.later)

    def _history(self, item: RegionItem) -> Strokes:
        return self._strokes.get(item.number, Strokes()) if item.layout is not None else Strokes()

    def undo(self) -> None:
        """Undo the last stroke, or else the last change of the whole layout."""
        item = self.regions.active
        if item is not None and not self._step(item, -1):
            self.session.layouts.undo(item.number)

    def redo(self) -> None:
        """Redo the stroke or layout that was undone last."""
        item = self.regions.active
        if item is not None and not self._step(item, 1):
            self.session.layouts.redo(item.number)

    def _step(self, item: RegionItem, strokes: int) -> bool:
        """Undo (-1) or redo (1) a stroke. Return False if there is none."""
        layer, history = self.layer, self._history(item)
        if layer is None or not (history.done if strokes < 0 else history.undone):
            return False
        history.done, history.undone = history.done + strokes, history.undone - strokes
        (layer.undo if strokes < 0 else layer.redo)()
        self._note_edited(layer)
        self.changed.emit()
        return True

    def _painted(self, layer: Labels) -> None:
        """Count a finished stroke; the next one draws a new cell."""
        history = self._strokes[layer.metadata["region"]]
        history.done, history.undone = min(history.done + 1, MOST_STROKES), 0
        if str(layer.mode) in ("paint", "polygon", "fill"):
            self._used(layer, layer.selected_label)
        if self._is_active(layer) and self.tool in ("paint", "outline"):
            layer.selected_label = self.next_label(layer)
        self.changed.emit()

    # -- changing cells ----------------------------------------------------------------------

    def change(self, layer: Labels, patch: Patch | None) -> bool:
        """Write a patch so that it can be undone. Return True if it changed anything."""
        if patch is None:
            return False
        indices, values = patch.changes()
        if not len(values):
            return False
        self._used(layer, values.max())
        layer.data_setitem(indices, values.astype(layer.data.dtype))
        self.changed.emit()  # napari reports the stroke before it is written
        return True

    def delete_selected(self) -> None:
        layer = self.layer
        if layer is not None and self._selected is not None:
            self._reject(layer, self._selected)

    def grow(self, pixels: int) -> None:
        """Grow the selected cell by ``pixels``, or shrink it if negative."""
        layer = self.layer
        if layer is not None and self._selected is not None:
            self.change(layer, editing.grow(layer.data, self._selected, pixels))

    def next_label(self, layer: Labels) -> int:
        """Return a label that no cell has or had."""
        number = layer.metadata["region"]
        item = self.session.regions.get(number)
        known = max(item.classes, default=0) if item is not None else 0
        return max(self._highest.get(number, 0), known) + 1

    def _used(self, layer: Labels, label: int) -> None:
        """Note a used label, since the maximum of a large layout is slow to compute."""
        number = layer.metadata["region"]
        self._highest[number] = max(self._highest.get(number, 0), int(label))

    def _pressed(self, layer: Labels, event: Any) -> Iterator[None]:
        """Handle the mouse from press to release."""
        if event.button != 1 or not self._is_active(layer):
            return
        point = self._point(layer, event)
        modifiers = event.modifiers  # vispy's keys, which equal their names but print otherwise
        if "Control" in modifiers or "Alt" in modifiers:
            before, layer.cursor = layer.cursor, FROZEN
            if "Control" in modifiers:
                yield from self._delete(layer, point, event)
            else:
                self._merge(layer, point)
                yield
            layer.cursor = before
        elif self.tool == "split":
            yield from self._split(layer, point, event)
        elif self.tool == "fill":
            self.change(layer, editing.fill_holes(layer.data, point))
        elif self.tool == "stamp":
            yield from self._stamp(layer, point, event)
        else:
            if self.tool == "paint" and "Shift" in modifiers:
                layer.selected_label = editing.label_at(layer.data, point) or layer.selected_label
            if editing.label_at(layer.data, point) and self.tool in ("select", ""):
                self._select(point)

    def _select(self, point: Point) -> None:
        item = self.regions.active
        if item is not None:
            self._clicked[item.number] = point
        self.changed.emit()

    @property
    def _selected(self) -> Point | None:
        item = self.regions.active
        return self._clicked.get(item.number) if item is not None else None

    @property
    def selected(self) -> int:
        """Label of the selected cell, or 0."""
        layer = self.layer
        if layer is None or self._selected is None:
            return 0
        return editing.label_at(layer.data, self._selected)

    def _delete(self, layer: Labels, point: Point, event: Any) -> Iterator[None]:
        self._reject(layer, point)
        layer.cursor = FROZEN  # reset if the layer received new data
        yield
        while event.type == "mouse_move":
            self._reject(layer, self._point(layer, event))
            yield

    def _reject(self, layer: Labels, point: Point) -> None:
        """Delete a cell; a segmented one also stays out when its thresholds change."""
        label = editing.label_at(layer.data, point)
        if label and self.session.segmentation.last_search is not None:
            self.session.segmentation.reject_cells({label})
        elif label:
            self.change(layer, editing.delete(layer.data, point))

    def _merge(self, layer: Labels, point: Point) -> None:
        if not editing.label_at(layer.data, point):
            return
        if self._selected is not None:
            self.change(layer, editing.merge(layer.data, self._selected, point))
        self._select(point)

    def _split(self, layer: Labels, point: Point, event: Any) -> Iterator[None]:
        """Show the line as a gap while it is drawn, and cut along it on release."""
        line, before = [point], dict[tuple[int, int], int]()
        cut = False
        with layer.block_history():  # line and cut are one stroke
            yield
            while event.type == "mouse_move":
                line.append(self._point(layer, event))
                new = editing.line_pixels(line[-2:], layer.data.shape)
                for pixel in map(tuple, new.tolist()):
                    before.setdefault(pixel, int(layer.data[pixel]))
                layer.data_setitem(tuple(new.T), 0)
                yield
            if before:
                pixels = tuple(np.array(list(before)).T)
                layer.data_setitem(pixels, np.array(list(before.values()), layer.data.dtype))
            cut = self.change(layer, editing.split(layer.data, line, self.next_label(layer)))
        if not cut and any(before.values()):
            self.undo()  # a line without a cut is no stroke

    def _stamp(self, layer: Labels, point: Point, event: Any) -> Iterator[None]:
        with layer.block_history():  # all nuclei of a drag are one stroke
            self.stamping.press(layer, point)
            yield
            while event.type == "mouse_move":
                self.stamping.move(layer, self._point(layer, event))
                yield
            self.stamping.release(layer)

    def _point(self, layer: Labels, event: Any) -> Point:
        y, x = layer.world_to_data(event.position)[-2:]
        return float(y), float(x)
