"""Tools that draw the cells of a layout on napari's own label layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from napari.layers import Labels
from psygnal import Signal

from napari_pixcell.cells import editing
from napari_pixcell.cells.editing import Patch, Point
from napari_pixcell.ui.layers.base import LayerStack
from napari_pixcell.ui.layers.cell_selection import CellSelection
from napari_pixcell.ui.layers.drawn_over import DrawnOver
from napari_pixcell.ui.layers.layer_keys import TOOL_KEYS, TOOL_NAMES, bind_escape, bind_keys
from napari_pixcell.ui.layers.outlining import Outlining
from napari_pixcell.ui.layers.stamping import Stamping
from napari_pixcell.ui.layers.stroke_history import StrokeHistory

# Tools with the modes of napari's label layer that they use.
MODES = {
    "select": "pan_zoom",
    "paint": "paint",
    "outline": "polygon",
    "erase": "erase",
    "split": "pan_zoom",
    "fill": "pan_zoom",
    "stamp": "pan_zoom",
}
DRAWING = ("paint", "outline", "stamp")  # tools that make new cells, and need none yet
OURS = ("split", "fill", "stamp")  # tools whose mouse events are handled here alone
CONTOUR = 2  # px of an outline
FROZEN = "circle_frozen"  # napari's own brush does not paint with this cursor
BRUSH_UM = 6.0  # about a nucleus
GROWS_BY = 1  # px
CLICK_PX = 4  # of the screen; the mouse may move so far during a click


class LayoutTools:
    """Draw, split, merge and delete the cells of the active region's layout.

    All edits go through napari's own history, so that its undo works.
    """

    changed = Signal()  # of the tool, the selection or the history

    def __init__(self, stack: LayerStack, edited: Callable[[Labels], None]) -> None:
        self.stack = stack
        self.session, self.regions = stack.session, stack.session.regions
        drawn = DrawnOver(stack.viewer)
        self.selection = CellSelection(
            self.session, drawn, lambda: self.layer, stack.covered, self.change, self.changed.emit
        )
        self.stamping = Stamping(self.session, self.next_label, self.change)
        notices = self.session.notices
        self.outlining = Outlining(drawn, notices, self.next_label, self.change)
        self.history = StrokeHistory(self.session, lambda: self.layer, edited, self.changed.emit)
        stack.connect_to(self.session.classes.recorded, self.history.record)
        # By region:
        self._tools: dict[int, str] = {}
        self._highest: dict[int, int] = {}  # label ever used
        self._choosing = False
        selected = stack.viewer.layers.selection.events.active
        stack.connect_to(selected, lambda _event: self.changed.emit())
        stack.connect_to(self.changed, self.selection.show)
        stack.connect_to(self.regions.changed, self.selection.show)

    # -- choosing ----------------------------------------------------------------------------

    @property
    def tool(self) -> str:
        """The tool of the active region's layout, one of ``MODES``."""
        item = self.regions.active
        return self._tools.get(item.number, "select") if item is not None else "select"

    def choose(self, tool: str) -> None:
        """Activate a tool on the active region's layout, which drawing creates if needed."""
        self.selection.merging = False
        item = self.regions.active
        if item is None or not self.session.settings.takes_layout:
            return
        if tool != "select":
            self.session.layouts.new()
        self.session.gallery.show_none(item.number)
        layer = self.layer
        if layer is not None:
            self._activate(layer, tool)
            self.stack.bring_into_view(item.region)
        self.changed.emit()

    def _activate(self, layer: Labels, tool: str) -> None:
        layer.visible = True
        self.stack.viewer.layers.selection.active = layer
        self._set(layer, tool)

    def _set(self, layer: Labels, tool: str) -> None:
        self._choosing = True
        try:
            self._tools[layer.metadata["region"]] = tool
            layer.mode = MODES[tool]
            layer.preserve_labels = tool in ("paint", "outline")
            if MODES[tool] == "pan_zoom":  # napari changes nothing if it was in this mode already
                layer.mouse_pan = tool == "select"
                layer.cursor = "standard" if tool == "select" else "cross"
            elif tool in ("paint", "outline"):
                layer.selected_label = self.next_label(layer)
            if tool == "stamp":
                self.stamping.prepare()
        finally:
            self._choosing = False

    def rest_covered(self) -> None:
        """Return to Select in regions over which a picture is shown: no stroke may go unseen.

        Live pictures cover a layout on purpose.
        """
        if self.session.generator.live.on:
            return
        rested = False
        for number, tool in self._tools.items():
            layer = self.stack.find("layout", number) if tool != "select" else None
            if layer is not None and self.stack.covered(number):
                self.outlining.cancel()
                self._set(layer, "select")
                rested = True
        if rested:
            self.changed.emit()

    def toggle(self, tool: str) -> None:
        """Activate a tool, or Select if it is active already."""
        self.choose("select" if self.working and tool == self.tool else tool)

    def toggle_by_key(self, tool: str) -> None:
        """Do so, unless the layout is being segmented."""
        item = self.regions.active
        if item is not None and not item.layout_busy:
            self.toggle(tool)

    def escape(self) -> None:
        """Discard what is being drawn, else cancel what runs, else return to Select."""
        if self.outlining.drawing:
            self.outlining.cancel()
        elif self.selection.merging:
            self.selection.set_merging(False)
        elif not self.session.cancel() and self.working:
            if self.tool != "select":
                self.choose("select")
            elif self.layer is not None:
                self.selection.select(self.layer, None)

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
        layer.brush_size = max(3, round(BRUSH_UM / self._mpp))
        layer.contour = CONTOUR
        # Before napari's own callbacks, so that they can be prevented from painting.
        layer.mouse_drag_callbacks.insert(0, self._pressed)
        connect = self.stack.connect_to
        connect(layer.events.paint, lambda _event: self._painted(layer))
        connect(layer.events.mode, lambda _event: self._mode_changed(layer))
        connect(layer.events.brush_size, lambda _event: self.changed.emit())
        bind_keys(
            layer,
            {
                "X": (self.toggle_outlines, "Show cells as outlines or filled"),
                "Z": (lambda: setattr(layer, "visible", not layer.visible), "Hide or show cells"),
                "Control-Z": (self.history.undo, "Undo"),
                "Control-Shift-Z": (self.history.redo, "Redo"),
                "Delete": (self.selection.delete, "Delete the selected cell"),
                "Q": (lambda: self.pick_next(1), "Next class"),
                "Shift-Q": (lambda: self.pick_next(-1), "Class before"),
            }
            | {
                key: (partial(self.toggle_by_key, tool), TOOL_NAMES[tool])
                for tool, key in TOOL_KEYS.items()
            },
        )
        bind_escape(layer, self.escape)

    def toggle_outlines(self) -> None:
        layer = self.layer
        if layer is not None:
            layer.contour = 0 if layer.contour else CONTOUR
            self.changed.emit()

    def _mode_changed(self, layer: Labels) -> None:
        """Follow a mode that was set in napari's own controls."""
        if self._choosing:
            return
        by_mode = {mode: tool for tool, mode in reversed(MODES.items()) if tool not in OURS}
        number, tool = layer.metadata["region"], by_mode.get(str(layer.mode), "select")
        self._tools[number] = tool
        if tool != "select" and not self.session.generator.live.on and self.stack.covered(number):
            self.session.gallery.show_none(number)
        if tool in ("paint", "outline"):
            layer.preserve_labels = True
            layer.selected_label = self.next_label(layer)
        self.changed.emit()

    def replaced(self, layer: Labels) -> None:
        """Reset the history after a layer received new data, as napari does."""
        number = layer.metadata["region"]
        self.history.reset(number)
        self.selection.forget(number)
        self.outlining.cancel()
        self._highest[number] = int(layer.data.max(initial=0))

    def _painted(self, layer: Labels) -> None:
        """Count a finished stroke; the next one draws a new cell."""
        self.history.count(layer.metadata["region"])
        if str(layer.mode) in ("paint", "polygon", "fill"):
            self._name(layer, {int(layer.selected_label): 0})
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
        new = values > self._highest_of(layer)
        first = dict(zip(*np.unique(values[new], return_index=True), strict=True))
        before = layer.data[indices][new]
        self._name(layer, {int(label): int(before[at]) for label, at in first.items()})
        self._used(layer, values.max())
        layer.data_setitem(indices, values.astype(layer.data.dtype))
        self.changed.emit()  # napari reports the stroke before it is written
        return True

    def _name(self, layer: Labels, parents: dict[int, int]) -> None:
        """Give new cells the picked class, or that of the cell they were cut from, by label."""
        item, highest = self.regions.get(layer.metadata["region"]), self._highest_of(layer)
        for label, parent in parents.items():
            if item is not None and label > highest:
                self.session.classes.add(item, label, parent)

    def pick_class(self, name: str) -> None:
        """Pick the class of new cells; while none are drawn, the selected cell is given it too."""
        item, label = self.regions.active, self.classed_label
        self.session.classes.pick(name)
        if item is not None and label and not self.selection.uncover():
            self.session.classes.set(item.number, [label], name)
        self.changed.emit()

    def pick_next(self, step: int = 1) -> None:
        """Pick the next class of the model, or the one before."""
        names = [name for name, _ in self.session.classes.palette]
        shown = self.shown_class
        if names:
            place = names.index(shown) + step if shown in names else 0
            self.pick_class(names[place % len(names)])

    @property
    def classed_label(self) -> int:
        """Label of the cell whose class is shown and changed; 0 if it is that of new cells."""
        return 0 if self.tool in DRAWING else self.selection.label

    @property
    def shown_class(self) -> str:
        """The class of the selected cell, or else of new cells."""
        item, label = self.regions.active, self.classed_label
        classes = self.session.classes
        return classes.of(item, label) if item is not None and label else classes.picked

    def toggle_merging(self) -> None:
        """Merge the selected cell with the one that is clicked next; again to end that."""
        merging = not self.selection.merging
        if not self.working or self.tool != "select":
            self.choose("select")
        self.selection.set_merging(merging)

    def next_label(self, layer: Labels) -> int:
        """Return a label that no cell has or had."""
        number = layer.metadata["region"]
        item = self.session.regions.get(number)
        known = max(item.classes, default=0) if item is not None else 0
        return max(self._highest_of(layer), known) + 1

    def _highest_of(self, layer: Labels) -> int:
        return self._highest.get(layer.metadata["region"], 0)

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
        click = self.tool == "select" and not {"Control", "Alt"}.intersection(modifiers)
        if not click and self.selection.uncover():
            before, layer.cursor = layer.cursor, FROZEN
            yield
            layer.cursor = before
        elif "Control" in modifiers or "Alt" in modifiers:
            before, layer.cursor = layer.cursor, FROZEN
            if "Control" in modifiers:
                yield from self._delete(layer, point, event)
            else:
                self.selection.merge(layer, point)
                yield
            layer.cursor = before
        elif self.tool == "select":
            yield from self._click(layer, point, event)
        elif self.tool == "outline":
            yield from self._outline(layer, point, event)
        elif self.tool == "split":
            yield from self._split(layer, point, event)
        elif self.tool == "fill":
            self.change(layer, editing.fill_holes(layer.data, point))
        elif self.tool == "stamp":
            yield from self._stamp(layer, point, event)
        elif self.tool == "paint" and "Shift" in modifiers:
            layer.selected_label = editing.label_at(layer.data, point) or layer.selected_label

    def _click(self, layer: Labels, point: Point, event: Any) -> Iterator[None]:
        """Select a cell, or merge it with the selected one; a drag moves the view."""
        start, merges = np.array(event.pos), self.selection.merging or "Shift" in event.modifiers
        yield
        while event.type == "mouse_move":
            if _far(start, event.pos):
                return
            yield
        if self.selection.uncover():
            return
        if merges and editing.label_at(layer.data, point):
            self.selection.merge(layer, point)
        else:
            self.selection.merging = False
            self.selection.select(layer, point)

    @property
    def brush_um(self) -> float:
        """Diameter of the brush and the eraser in µm."""
        layer = self.layer
        return float(layer.brush_size) * self._mpp if layer is not None else BRUSH_UM

    @brush_um.setter
    def brush_um(self, um: float) -> None:
        if self.layer is not None:
            self.layer.brush_size = max(1, round(um / self._mpp))

    @property
    def _mpp(self) -> float:
        return float(self.session.settings.model.mpp)

    def _delete(self, layer: Labels, point: Point, event: Any) -> Iterator[None]:
        self.selection.reject(layer, point)
        layer.cursor = FROZEN  # reset if the layer received new data
        yield
        while event.type == "mouse_move":
            self.selection.reject(layer, self._point(layer, event))
            yield

    def _outline(self, layer: Labels, point: Point, event: Any) -> Iterator[None]:
        """Follow a drag around a cell; napari's overlay sets corners by clicks."""
        corners, start = layer._overlays["polygon"], np.array(event.pos)
        begun = len(corners.points) > 0
        yield
        while event.type == "mouse_move" and not begun:
            if self.outlining.drawing:
                self.outlining.move(layer, self._point(layer, event))
            elif _far(start, event.pos):
                corners.points = []
                self.outlining.start(point)
                self.outlining.move(layer, self._point(layer, event))
            yield
        if self.outlining.drawing:
            self.outlining.move(layer, self._point(layer, event))  # a quick hand is ahead of moves
            self.outlining.release(layer)

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
            line.append(self._point(layer, event))
            cut = self.change(layer, editing.split(layer.data, line, self.next_label(layer)))
        if not cut and any(before.values()):
            self.history.undo()  # a line without a cut is no stroke

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


def _far(start: np.ndarray, now: Any) -> bool:
    """Whether the mouse moved farther over the screen than in a click."""
    return bool(np.hypot(*np.subtract(now, start)) > CLICK_PX)
