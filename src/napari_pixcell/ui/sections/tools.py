"""The toolbar that draws, stamps and edits cells."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QLabel,
    QSizePolicy,
    QStackedWidget,
    QToolButton,
    QWidget,
)

from napari_pixcell.studio.cells.inventing import BUNDLED
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.arrange import boxed, column, row, tight_grid
from napari_pixcell.ui.bind import on_edit, set_quietly
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.layers.layer_keys import SHOWN_KEYS
from napari_pixcell.ui.layers.layout_tools import DRAWING, GROWS_BY
from napari_pixcell.ui.layers.link import LayerLink
from napari_pixcell.ui.sections.classes import ClassPicker
from napari_pixcell.ui.tool_icons import SIDE, icon_button
from napari_pixcell.ui.widgets import Text, allow, check_box, combo, number, offer, slider

COLUMNS, ROW_PX = 7, 30
# By tool: its name, its tooltip, and the help line while it is active.
TOOLS = {
    "select": (
        "Select",
        "Click a cell to select it",
        "Click a cell to select it. Shift-click another to merge them. Del deletes it.",
    ),
    "paint": (
        "Brush",
        "Paint a new cell with each stroke",
        "Each stroke is a new cell. Hold Shift to extend the cell you start in.",
    ),
    "outline": (
        "Outline",
        "Draw around a cell",
        "Drag around a cell and release. Or click corners, and double-click to close.",
    ),
    "stamp": (
        "Stamp",
        "Place nuclei of real shapes",
        "Click to place one nucleus of a real shape. Drag to scatter many.",
    ),
    "erase": ("Eraser", "Erase parts of cells", "Drag over cells to erase them."),
    "split": ("Split", "Cut cells in two", "Drag a line across a cell to cut it in two."),
    "fill": ("Fill", "Fill the holes of a cell", "Click a cell to fill its holes."),
}
NO_REGION = "Add a region first."
NO_CELLS = "Find the nuclei, or draw cells with the brush, the outline or the stamp."
ASIDE = "Click a tool to edit the cells. Select picks one."
MERGING = "Click the cell to merge with the glowing one. Esc ends this."
SELECTED = "Cell {label}: {area:.0f} µm². Shift-click another to merge them. Del deletes it."
SELECTED_CLASSED = "Cell {label}: {area:.0f} µm². Pick its class below. Del deletes the cell."
BUSY = "The nuclei are being segmented."
NO_SELECTION = "Select a cell first"
BRUSH_UM = (1.0, 40.0)  # range of the brush's diameter


class ToolsPanel(QWidget):
    """Tools in one row, actions on the layout and the selected cell below, and one line of help.

    It has the same height whatever happens: what cannot be used is greyed. Only a model that knows
    classes of cells adds them below.
    """

    def __init__(self, session: Session, link: LayerLink) -> None:
        super().__init__()
        self.session, self.tools = session, link.tools
        tools = link.tools
        self.buttons: dict[str, QToolButton] = {}
        for name, (words, tip, _help) in TOOLS.items():
            act = partial(tools.choose if name == "select" else tools.toggle, name)
            self.buttons[name] = _button(name, words, f"{tip} ({SHOWN_KEYS[name]})", act, True)
        tip = "Undo the last stroke, import or segmentation (Ctrl+Z)"
        self.undo = _button("undo", "Undo", tip, tools.history.undo)
        self.redo = _button(
            "redo", "Redo", "Redo what was undone (Ctrl+Shift+Z)", tools.history.redo
        )
        tip = "Merge the selected cell with the one you click next (also Shift-click)"
        self.merge = _button("merge", "Merge", tip, tools.toggle_merging, True)
        tip = "Delete the selected cell (Del). Ctrl-click deletes any."
        self.remove = _button("delete", "Delete", tip, tools.selection.delete)
        shrink, grow = (partial(tools.selection.grow, pixels) for pixels in (-GROWS_BY, GROWS_BY))
        self.smaller = _button("shrink", "Shrink", "Shrink the selected cell by a pixel", shrink)
        self.larger = _button("grow", "Grow", "Grow the selected cell by a pixel", grow)
        tip = "Fill the cells with colour, or show their outlines only (X). Z hides them."
        self.outlines = _button("filled", "Filled", tip, tools.toggle_outlines, True)
        self.changes = self.merge, self.remove, self.smaller, self.larger
        self.help = Text(small=True, lines=2)
        self.options = ToolOptions(session, link)
        self.classes = ClassPicker(session, tools)
        grid = tight_grid(None, 2)
        actions = self.undo, self.redo, *self.changes, self.outlines
        for index, made in enumerate([*self.buttons.values(), *actions]):
            grid.addWidget(made, index // COLUMNS, index % COLUMNS)
            grid.setColumnStretch(index % COLUMNS, 1)
        column(self, grid, self.help, self.options, self.classes, spacing=3)
        tools.changed.connect(self.refresh)

    def refresh(self) -> None:
        session, tools = self.session, self.tools
        no_cells, no_change = session.layouts.why_no_cells(), session.layouts.why_no_change()
        for name, made in self.buttons.items():
            allow(made, no_cells if name in DRAWING else no_change)
            active = not no_change and tools.working and not tools.selection.merging
            set_quietly(made, active and name == tools.tool)
        allow(self.undo, no_cells or ("" if tools.history.can_undo else "Nothing to undo"))
        allow(self.redo, no_cells or ("" if tools.history.can_redo else "Nothing to redo"))
        allow(self.outlines, no_change)
        set_quietly(self.outlines, tools.layer is not None and not tools.layer.contour)
        for made in self.changes:
            allow(made, no_change or ("" if tools.selection.label else NO_SELECTION))
        set_quietly(self.merge, tools.selection.merging)
        self.help.say(self._help())
        self.options.refresh()
        self.classes.refresh()

    def _help(self) -> str:
        session, item, tools = self.session, self.session.regions.active, self.tools
        if item is None:
            return NO_REGION
        if not session.settings.takes_layout:
            return f"{session.settings.model.title} does not support layouts."
        if item.layout_busy:
            return BUSY
        if item.layout is None or tools.layer is None:
            return NO_CELLS
        if tools.selection.merging:
            return MERGING
        if not tools.working:
            return ASIDE
        if tools.tool == "select" and tools.selection.label:
            area = tools.selection.area_px * session.settings.model.mpp**2
            words = SELECTED_CLASSED if session.classes.palette else SELECTED
            return words.format(label=tools.selection.label, area=area)
        return TOOLS[tools.tool][2]


class ToolOptions(QStackedWidget):
    """One row with the options of the active tool, as high without any."""

    def __init__(self, session: Session, link: LayerLink) -> None:
        super().__init__()
        self.tools = link.tools
        self.brush = slider(*BRUSH_UM, "Diameter of brush and eraser in µm ([ and ] change it)")
        self.brush.setDecimals(1)
        on_edit(self.brush, self._set_brush)
        self.stamps = StampsPanel(session, link)
        self._nothing = QWidget()
        self._brush = boxed(row(QLabel(tr("Size")), self.brush, QLabel("µm"), stretch=1))
        for page in (self._nothing, self._brush, self.stamps):
            self.addWidget(page)
        self.setFixedHeight(ROW_PX)

    def refresh(self) -> None:
        tools = self.tools
        tool = tools.tool if tools.working else ""
        by_tool = {"paint": self._brush, "erase": self._brush, "stamp": self.stamps}
        self.setCurrentWidget(by_tool.get(tool, self._nothing))
        if tools.layer is not None:
            set_quietly(self.brush, float(tools.brush_um))
        self.stamps.refresh()

    def _set_brush(self, um: float) -> None:
        self.tools.brush_um = um


class StampsPanel(QWidget):
    """Chooses the shapes of stamped nuclei, their size and their spacing."""

    def __init__(self, session: Session, link: LayerLink) -> None:
        super().__init__()
        self.session, self.tools = session, link.tools
        self.stamping = stamping = link.tools.stamping
        self.source = combo("Shapes of the nuclei: bundled ones, or those of a region")
        self.source.activated.connect(self._use)
        tip = "Spacing of nuclei along a stroke"
        self.spacing = number(2, 200, tip, decimals=0, unit=" µm", width=48)
        tip = "Factor on the area of the nuclei"
        self.size = number(0.2, 5, tip, decimals=1, before="× ", step=0.1, width=48)
        for field in (self.spacing, self.size):  # there is no room for them
            field.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.NoButtons)
            field.setMaximumWidth(56)
        self.along = check_box("Align", "Align long nuclei with the stroke, as in stroma")
        on_edit(self.spacing, lambda value: setattr(stamping, "spacing_um", value))
        on_edit(self.size, lambda value: setattr(stamping, "size", value))
        on_edit(self.along, lambda on: setattr(stamping, "along", on))
        column(self, row(self.source, self.spacing, self.size, self.along, stretch=0))

    def _use(self, index: int) -> None:
        self.session.invention.use_stamps(self.source.itemData(index))

    def refresh(self) -> None:
        session = self.session
        filled = [r for r in session.regions.current if r.layout is not None and r.cells]
        layouts = [(item.name, item.number) for item in filled]
        offer(self.source, [(tr("bundled"), BUNDLED), *layouts])
        set_quietly(self.source, session.invention.stamps_of)
        set_quietly(self.spacing, self.stamping.spacing_um)
        set_quietly(self.size, self.stamping.size)


def _button(
    drawing: str, words: str, tip: str, act: Callable[[], Any], checkable: bool = False
) -> QToolButton:
    made = icon_button(drawing, words, tip, act, checkable)
    made.setText(tr(words))
    made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
    made.setIconSize(QSize(SIDE, SIDE))
    made.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return made
