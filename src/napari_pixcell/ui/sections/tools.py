"""The tools that draw cells, as buttons."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QGridLayout, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from napari_pixcell.studio.session import Session
from napari_pixcell.ui.layers.layer_keys import SHOWN_KEYS
from napari_pixcell.ui.layers.layout_tools import GROWS_BY
from napari_pixcell.ui.layers.link import LayerLink
from napari_pixcell.ui.widgets import Text, allow

COLUMNS = 6
TOOLS = {
    "paint": (
        "Paint",
        "Every stroke is a new cell; with Shift it goes on with the one it starts in",
    ),
    "outline": ("Outline", "Click around a cell, and double-click to close"),
    "stamp": ("Stamp", "Click to place a nucleus of a real shape, drag to scatter many"),
    "erase": ("Erase", "Rub cells out; [ and ] change the brush"),
    "split": ("Split", "Draw a line through cells: each is cut in two"),
    "fill": ("Fill", "Click a cell, or a hole in one, to fill its holes"),
}
HINT = (
    "Ctrl-click deletes a cell, Alt-click joins it to the one clicked before. X outlines, Z hides."
)
STYLE = (
    "QToolButton { padding: 4px 0px; border-radius: 3px; background: rgba(128, 128, 128, 60); }"
    "QToolButton:checked { background: #2f6fdf; color: white; }"
    "QToolButton:disabled { color: rgb(128, 128, 128); background: rgba(128, 128, 128, 25); }"
)


class Tools(QWidget):
    """Buttons for the tools, and for what is done to the layout or to one cell.

    Parameters
    ----------
    session : Session
        Its state.
    link : LayerLink
        To the tools themselves.
    """

    def __init__(self, session: Session, link: LayerLink) -> None:
        super().__init__()
        self.session, self.tools = session, link.tools
        self.buttons = {
            name: self._button(words, f"{tip} ({SHOWN_KEYS[name]})", checkable=True)
            for name, (words, tip) in TOOLS.items()
        }
        for name, made in self.buttons.items():
            made.clicked.connect(lambda _checked, name=name: self.tools.choose(name))
        self.undo = self._button("Undo", "Take back the last stroke, import or search (Ctrl+Z)")
        self.redo = self._button("Redo", "Do it again (Ctrl+Shift+Z)")
        self.outlines = self._button("Filled", "Draw cells filled, or as outlines (X)", True)
        self.smaller = self._button("Shrink", "Make the cell that you clicked smaller")
        self.larger = self._button("Grow", "Make the cell that you clicked larger")
        self.remove = self._button("Delete", "Remove the cell that you clicked (Del)")
        self.undo.clicked.connect(self.tools.undo)
        self.redo.clicked.connect(self.tools.redo)
        self.outlines.clicked.connect(self.tools.toggle_outlines)
        self.smaller.clicked.connect(lambda: self.tools.grow(-GROWS_BY))
        self.larger.clicked.connect(lambda: self.tools.grow(GROWS_BY))
        self.remove.clicked.connect(self.tools.delete_selected)
        self.hint = Text(HINT, small=True)
        grid = QGridLayout()
        grid.setSpacing(2)
        second = (self.undo, self.redo, self.outlines, self.larger, self.smaller, self.remove)
        for index, made in enumerate([*self.buttons.values(), *second]):
            grid.addWidget(made, index // COLUMNS, index % COLUMNS)
            grid.setColumnStretch(index % COLUMNS, 1)
        self.second = second
        stack = QVBoxLayout(self)
        stack.setContentsMargins(0, 0, 0, 0)
        stack.setSpacing(2)
        stack.addLayout(grid)
        stack.addWidget(self.hint)
        self.tools.changed.connect(self.refresh)

    def _button(self, words: str, tip: str, checkable: bool = False) -> QToolButton:
        made = QToolButton()
        made.setText(words)
        made.setToolTip(tip)
        made.setCheckable(checkable)
        made.setStyleSheet(STYLE)
        made.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        return made

    def refresh(self) -> None:
        """Show the session's state."""
        session, item = self.session, self.session.active
        there = item is not None and session.takes_layout and not item.layout_busy
        drawn = there and item is not None and item.layout is not None
        layer = self.tools.layer
        nowhere, nothing = session.why_no_cells(), session.why_no_change()
        for name, made in self.buttons.items():
            allow(made, nowhere if name in ("paint", "outline", "stamp") else nothing)
            with QSignalBlocker(made):
                made.setChecked(bool(drawn) and self.tools.working and name == self.tools.tool)
        for made in self.second:
            made.setVisible(bool(drawn) or self.tools.can_undo or self.tools.can_redo)
        self.hint.setVisible(bool(drawn))
        allow(
            self.undo, nowhere or ("" if self.tools.can_undo else "There is nothing to take back")
        )
        allow(self.redo, nowhere or ("" if self.tools.can_redo else "Nothing was taken back"))
        allow(self.outlines, nothing)
        with QSignalBlocker(self.outlines):
            self.outlines.setChecked(layer is not None and not layer.contour)
        for made in (self.smaller, self.larger, self.remove):
            allow(made, nothing or ("" if self.tools.selected else "Click a cell first"))
