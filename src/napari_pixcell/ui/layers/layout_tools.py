"""The tools that draw the cells of a layout, on napari's own label layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from psygnal import Signal

from napari_pixcell.cells import editing
from napari_pixcell.cells.editing import Point
from napari_pixcell.cells.patch import Patch
from napari_pixcell.ui.layers.layer_keys import bind_cell_keys
from napari_pixcell.ui.layers.stamping import Stamping

if TYPE_CHECKING:
    from napari_pixcell.studio.regions.item import RegionItem
    from napari_pixcell.ui.layers.link import LayerLink

# Tools, and the mode of napari's layer that each works in.
MODES = {
    "select": "pick",
    "paint": "paint",
    "outline": "polygon",
    "erase": "erase",
    "split": "pan_zoom",
    "fill": "pan_zoom",
    "stamp": "pan_zoom",
}
OURS = ("split", "fill", "stamp")  # those whose mouse we follow ourselves
CONTOUR = 2  # px of an outline; the tissue shows within
FROZEN = "circle_frozen"  # a cursor with which napari's own brush does not paint
BRUSH_UM = 6.0  # about a nucleus
GROWS_BY = 1  # px

MOST_STROKES = 100  # that napari keeps


@dataclass
class Strokes:
    """How many strokes on a layer can be taken back, and how many were."""

    done: int = 0
    undone: int = 0


class CellTools:
    """Draws, cuts, joins and removes the cells of the active region's layout.

    Everything is written through napari's own history, so that its undo takes it back.

    Parameters
    ----------
    link : LayerLink
        To viewer, session and layers.

    Attributes
    ----------
    changed : Signal
        Another tool was chosen.
    tool : str
        One of ``MODES``, or none where the mouse moves the view.
    stamping : Stamping
        What the stamp places.
    """

    changed = Signal()

    def __init__(self, link: LayerLink) -> None:
        self.link = link
        self.session = link.session
        self.tool = ""
        link.connect_to(link.viewer.layers.selection.events.active, self._activated)
        self.stamping = Stamping(self)
        self._clicked: dict[int, Point] = {}  # in the cell clicked last, by region
        self._strokes: dict[int, Strokes] = {}  # in each layer's own history
        self._choosing = False
        self._highest: dict[int, int] = {}  # label that was ever used, by region

    def _activated(self, _event: Any = None) -> None:
        self.changed.emit()

    # -- choosing ----------------------------------------------------------------------------

    def choose(self, tool: str) -> None:
        """Work with a tool on the active region's layout, which is made where there is none."""
        item = self.session.active
        if item is None or not self.session.takes_layout:
            return
        self.session.new_layout()
        self.session.gallery.show_none(item.number)
        layer = self.layer
        if layer is None:
            return
        layer.visible = True
        self.link.viewer.layers.selection.active = layer
        self._choosing = True
        try:
            self.tool = tool
            layer.mode = MODES[tool]
            layer.preserve_labels = tool in ("paint", "outline")
            if tool in OURS:
                layer.mouse_pan = False
                layer.cursor = "cross"
            elif tool in ("paint", "outline"):
                self._next_label(layer)
            if tool == "stamp":
                self.stamping.prepare()
        finally:
            self._choosing = False
        self.link.go_to(item.region)
        self.changed.emit()

    def choose_by_key(self, tool: str) -> None:
        """Work with a tool, unless cells are being found just now."""
        item = self.session.active
        if item is not None and not item.layout_busy:
            self.choose(tool)

    @property
    def layer(self) -> Labels | None:
        """The label layer of the active region."""
        item = self.session.active
        found: Labels | None = self.link.find("layout", item.number) if item is not None else None
        return found

    @property
    def working(self) -> bool:
        """Whether the mouse is the tool's: the layer that it works on is the chosen one."""
        layer = self.layer
        return layer is not None and self.link.viewer.layers.selection.active is layer

    def _is_active(self, layer: Labels) -> bool:
        return layer is self.layer

    def attach(self, layer: Labels) -> None:
        """Make a new layer one that the tools work on."""
        self.replaced(layer)
        layer.brush_size = max(3, round(BRUSH_UM / self.session.settings.model.mpp))
        layer.contour = CONTOUR
        # First of all: what napari itself does with a click can then still be kept from it.
        layer.mouse_drag_callbacks.insert(0, self._pressed)
        connect = self.link.connect_to
        connect(layer.events.paint, lambda _event: self._painted(layer))
        connect(layer.events.mode, lambda _event: self._mode_changed(layer))
        bind_cell_keys(layer, self)

    def toggle_outlines(self) -> None:
        """Draw the cells as outlines, or filled."""
        layer = self.layer
        if layer is not None:
            layer.contour = 0 if layer.contour else CONTOUR
            self.changed.emit()

    def _mode_changed(self, layer: Labels) -> None:
        """Understand that the user chose a mode in napari's own controls."""
        if self._choosing or not self._is_active(layer):
            return
        by_mode = {mode: tool for tool, mode in MODES.items() if tool not in OURS}
        self.tool = by_mode.get(str(layer.mode), "")
        if self.tool in ("paint", "outline"):
            layer.preserve_labels = True
            self._next_label(layer)
        self.changed.emit()

    # -- history -----------------------------------------------------------------------------

    def replaced(self, layer: Labels) -> None:
        """Note that the layer got other data, with which napari forgets its history."""
        number = layer.metadata["region"]
        self._strokes[number] = Strokes()
        self._clicked.pop(number, None)
        self._highest[number] = int(layer.data.max(initial=0))

    @property
    def can_undo(self) -> bool:
        """Whether there is anything to take back."""
        item = self.session.active
        return item is not None and bool(self._history(item).done or item.earlier)

    @property
    def can_redo(self) -> bool:
        """Whether anything was taken back."""
        item = self.session.active
        return item is not None and bool(self._history(item).undone or item.later)

    def _history(self, item: RegionItem) -> Strokes:
        return self._strokes.get(item.number, Strokes()) if item.layout is not None else Strokes()

    def undo(self) -> None:
        """Take back the last stroke, or else the last import, search or invention."""
        item, layer = self.session.active, self.layer
        if item is None:
            return
        history = self._history(item)
        if layer is not None and history.done:
            history.done, history.undone = history.done - 1, history.undone + 1
            layer.undo()
            self._edited(layer)
        else:
            self.session.undo_layout(item.number)

    def redo(self) -> None:
        """Do again what was taken back."""
        item, layer = self.session.active, self.layer
        if item is None:
            return
        history = self._history(item)
        if layer is not None and history.undone:
            history.done, history.undone = history.done + 1, history.undone - 1
            layer.redo()
            self._edited(layer)
        else:
            self.session.redo_layout(item.number)

    def _painted(self, layer: Labels) -> None:
        """Count a stroke that is finished; the next one is another cell."""
        history = self._strokes[layer.metadata["region"]]
        history.done, history.undone = min(history.done + 1, MOST_STROKES), 0
        if str(layer.mode) in ("paint", "polygon", "fill"):
            self._used(layer, layer.selected_label)
        if self._is_active(layer) and self.tool in ("paint", "outline"):
            self._next_label(layer)
        self.changed.emit()

    def _edited(self, layer: Labels) -> None:
        self.link.note_edited(layer)
        self.changed.emit()

    # -- changing cells ----------------------------------------------------------------------

    def change(self, layer: Labels, patch: Patch | None) -> bool:
        """Write a patch so that it can be undone; whether there was anything to write."""
        if patch is None:
            return False
        indices, values = patch.changes()
        if not len(values):
            return False
        self._used(layer, values.max())
        layer.data_setitem(indices, values.astype(layer.data.dtype))
        self.changed.emit()  # napari told of the stroke before it was written
        return True

    def delete_selected(self) -> None:
        """Remove the cell that was clicked last."""
        layer = self.layer
        if layer is not None and self._selected is not None:
            self._reject(layer, self._selected)

    def grow(self, pixels: int) -> None:
        """Make the cell that was clicked last larger, or smaller."""
        layer = self.layer
        if layer is not None and self._selected is not None:
            self.change(layer, editing.grow(layer.data, self._selected, pixels))

    def next_label(self, layer: Labels) -> int:
        """Give a label that no cell has or had."""
        number = layer.metadata["region"]
        item = self.session.item(number)
        known = max(item.classes, default=0) if item is not None else 0
        return max(self._highest.get(number, 0), known) + 1

    def _used(self, layer: Labels, label: int) -> None:
        """Note a label that is in use: to look for the largest takes long in a large layout."""
        number = layer.metadata["region"]
        self._highest[number] = max(self._highest.get(number, 0), int(label))

    def _next_label(self, layer: Labels) -> None:
        layer.selected_label = self.next_label(layer)

    def _pressed(self, layer: Labels, event: Any) -> Iterator[None]:
        """Follow the mouse from press to release."""
        if event.button != 1 or not self._is_active(layer):
            return
        point = self._point(layer, event)
        modifiers = {str(m) for m in event.modifiers}
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
        item = self.session.active
        if item is not None:
            self._clicked[item.number] = point
        self.changed.emit()

    @property
    def _selected(self) -> Point | None:
        item = self.session.active
        return self._clicked.get(item.number) if item is not None else None

    @property
    def selected(self) -> int:
        """Label of the cell that was clicked last; 0 if there is none any more."""
        layer = self.layer
        if layer is None or self._selected is None:
            return 0
        return editing.label_at(layer.data, self._selected)

    def _delete(self, layer: Labels, point: Point, event: Any) -> Iterator[None]:
        self._reject(layer, point)
        layer.cursor = FROZEN  # a layer that got other data has another
        yield
        while event.type == "mouse_move":
            self._reject(layer, self._point(layer, event))
            yield

    def _reject(self, layer: Labels, point: Point) -> None:
        """Remove a cell; one that a search has found then stays away from its sliders too."""
        label = editing.label_at(layer.data, point)
        if label and self.session.last_search is not None:
            self.session.reject_cells({label})
        elif label:
            self.change(layer, editing.delete(layer.data, point))

    def _merge(self, layer: Labels, point: Point) -> None:
        if not editing.label_at(layer.data, point):
            return
        if self._selected is not None:
            self.change(layer, editing.merge(layer.data, self._selected, point))
        self._select(point)

    def _split(self, layer: Labels, point: Point, event: Any) -> Iterator[None]:
        """Show the line as a cut while it is drawn; on release it is one."""
        line, before = [point], dict[tuple[int, int], int]()
        cut = False
        with layer.block_history():  # the line and the cut are one stroke
            yield
            while event.type == "mouse_move":
                line.append(self._point(layer, event))
                new = editing.line_pixels(line[-2:], layer.data.shape)
                for place in map(tuple, new.tolist()):
                    before.setdefault(place, int(layer.data[place]))
                layer.data_setitem(tuple(new.T), 0)
                yield
            if before:
                places = tuple(np.array(list(before)).T)
                layer.data_setitem(places, np.array(list(before.values()), layer.data.dtype))
            cut = self.change(layer, editing.split(layer.data, line, self.next_label(layer)))
        if not cut and any(before.values()):
            self.undo()  # a line that cut nothing is no stroke

    def _stamp(self, layer: Labels, point: Point, event: Any) -> Iterator[None]:
        with layer.block_history():  # all that one drag scatters is one stroke
            self.stamping.press(layer, point)
            yield
            while event.type == "mouse_move":
                self.stamping.move(layer, self._point(layer, event))
                yield
            self.stamping.release(layer)

    def _point(self, layer: Labels, event: Any) -> Point:
        y, x = layer.world_to_data(event.position)[-2:]
        return float(y), float(x)
