"""The tools that draw, stamp and edit cells."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtWidgets import QGridLayout, QLabel, QSizePolicy, QToolButton, QWidget

from napari_pixcell.studio.cells.inventing import BUNDLED
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.arrange import column, row, show_all
from napari_pixcell.ui.bind import on_edit, set_quietly
from napari_pixcell.ui.layers.layer_keys import SHOWN_KEYS
from napari_pixcell.ui.layers.layout_tools import GROWS_BY
from napari_pixcell.ui.layers.link import LayerLink
from napari_pixcell.ui.widgets import Text, allow, check_box, combo, number, offer, tool_button

COLUMNS = 6
DRAWING = ("paint", "outline", "stamp")  # these need no layout yet
TOOLS = {
    "paint": ("Paint", "Paint cells, one each stroke; Shift extends the cell you start in"),
    "outline": ("Outline", "Click around a cell and double-click to close its outline"),
    "stamp": ("Stamp", "Click to place a nucleus of a real shape, or drag to scatter many"),
    "erase": ("Erase", "Erase cells; [ and ] change the brush size"),
    "split": ("Split", "Draw a line through cells to split each in two"),
    "fill": ("Fill", "Click a cell, or a hole in one, to fill its holes"),
}
HINT = (
    "Ctrl-click deletes a cell, Alt-click merges it with the last one clicked. X toggles outlines, "
    "Z hides cells."
)
STYLE = (
    "QToolButton { padding: 4px 0px; border-radius: 3px; background: rgba(128, 128, 128, 60); }"
    "QToolButton:checked { background: #2f6fdf; color: white; }"
    "QToolButton:disabled { color: rgb(128, 128, 128); background: rgba(128, 128, 128, 25); }"
)


class ToolsPanel(QWidget):
    """Buttons of the drawing tools, and of the actions on the layout or a selected cell."""

    def __init__(self, session: Session, link: LayerLink) -> None:
        super().__init__()
        self.session, self.tools = session, link.tools
        tools = link.tools
        self.buttons: dict[str, QToolButton] = {}
        for name, (words, tip) in TOOLS.items():
            key, choose = SHOWN_KEYS[name], partial(tools.choose, name)
            self.buttons[name] = _button(words, f"{tip} ({key})", choose, checkable=True)
        tip = "Undo the last stroke, import or segmentation (Ctrl+Z)"
        self.undo = _button("Undo", tip, tools.undo)
        self.redo = _button("Redo", "Redo what was undone (Ctrl+Shift+Z)", tools.redo)
        tip = "Switch between filled cells and outlines (X)"
        self.outlines = _button("Filled", tip, tools.toggle_outlines, checkable=True)
        shrink, grow = partial(tools.grow, -GROWS_BY), partial(tools.grow, GROWS_BY)
        self.smaller = _button("Shrink", "Shrink the selected cell", shrink)
        self.larger = _button("Grow", "Grow the selected cell", grow)
        self.remove = _button("Delete", "Delete the selected cell (Del)", tools.delete_selected)
        self.hint = Text(HINT, small=True)
        grid = QGridLayout()
        grid.setSpacing(2)
        changes = self.larger, self.smaller, self.remove
        self.actions_ = self.undo, self.redo, self.outlines, *changes
        for index, made in enumerate([*self.buttons.values(), *self.actions_]):
            grid.addWidget(made, index // COLUMNS, index % COLUMNS)
            grid.setColumnStretch(index % COLUMNS, 1)
        column(self, grid, self.hint)
        tools.changed.connect(self.refresh)

    def refresh(self) -> None:
        session, item, tools = self.session, self.session.regions.active, self.tools
        there = item is not None and session.settings.takes_layout and not item.layout_busy
        drawn = there and item is not None and item.layout is not None
        no_cells, no_change = session.layouts.why_no_cells(), session.layouts.why_no_change()
        for name, made in self.buttons.items():
            allow(made, no_cells if name in DRAWING else no_change)
            set_quietly(made, drawn and tools.working and name == tools.tool)
        show_all(drawn or tools.can_undo or tools.can_redo, *self.actions_)
        self.hint.setVisible(drawn)
        allow(self.undo, no_cells or ("" if tools.can_undo else "Nothing to undo"))
        allow(self.redo, no_cells or ("" if tools.can_redo else "Nothing to redo"))
        allow(self.outlines, no_change)
        set_quietly(self.outlines, tools.layer is not None and not tools.layer.contour)
        for made in (self.smaller, self.larger, self.remove):
            allow(made, no_change or ("" if tools.selected else "Click a cell first"))


class StampsPanel(QWidget):
    """Chooses the shapes of stamped nuclei, their size and their spacing."""

    def __init__(self, session: Session, link: LayerLink) -> None:
        super().__init__()
        self.session, self.tools = session, link.tools
        self.stamping = stamping = link.tools.stamping
        self.source = combo("Shapes of the nuclei: bundled, or those of a layout")
        self.source.activated.connect(self._use)
        tip = "Spacing of nuclei along a stroke"
        self.spacing = number(2, 200, tip, decimals=0, unit=" µm", width=80)
        tip = "Factor on the area"
        self.size = number(0.2, 5, tip, decimals=2, before="× ", step=0.1, width=80)
        self.along = check_box("Align", "Align long nuclei with the stroke, as in stroma")
        on_edit(self.spacing, lambda value: setattr(stamping, "spacing_um", value))
        on_edit(self.size, lambda value: setattr(stamping, "size", value))
        on_edit(self.along, lambda on: setattr(stamping, "along", on))
        numbers = row(QLabel("every"), self.spacing, self.size, self.along)
        column(self, row(QLabel("Stamp"), self.source, stretch=1), numbers)

    def _use(self, index: int) -> None:
        self.session.invention.use_stamps(self.source.itemData(index))

    def refresh(self) -> None:
        shown = self.tools.working and self.tools.tool == "stamp"
        self.setVisible(shown)
        if not shown:
            return
        session = self.session
        filled = [r for r in session.regions.current if r.layout is not None and r.cells]
        layouts = [(f"nuclei of {item.name}", item.number) for item in filled]
        offer(self.source, [("bundled nuclei", BUNDLED), *layouts])
        set_quietly(self.source, session.invention.stamps_of)
        set_quietly(self.spacing, self.stamping.spacing_um)
        set_quietly(self.size, self.stamping.size)


def _button(words: str, tip: str, act: Callable[[], Any], checkable: bool = False) -> QToolButton:
    made = tool_button(words, tip, act, words)
    made.setCheckable(checkable)
    made.setStyleSheet(STYLE)
    made.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return made
