"""The classes of cells, as coloured swatches: of new cells, or of the selected one."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap, QResizeEvent
from qtpy.QtWidgets import QButtonGroup, QSizePolicy, QToolButton, QWidget

from napari_pixcell.cells.class_map import Palette
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.arrange import clear, column, row, tight_grid
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.layers.layout_tools import LayoutTools
from napari_pixcell.ui.widgets import Text, allow, button
from napari_pixcell.words import counted

COLUMNS = 3
SIDE = 14  # px of a swatch
BESIDE_TEXT = 16  # px of a button around its swatch and its text
NO_CLASS = "No class"
TIP = (
    "{name} ({there}): the class of new cells. While a cell is selected, it becomes the class of "
    "that cell. (Q picks the next)"
)
FILL = "Give the picked class to all cells without one, and to those of unknown classes"
STYLE = (
    "QToolButton { padding: 2px 3px; border-radius: 3px; border: 1px solid transparent;"
    " font-size: 11px; text-align: left; background: rgba(128, 128, 128, 40); }"
    "QToolButton:hover { background: rgba(128, 128, 128, 90); }"
    "QToolButton:checked { background: rgba(47, 111, 223, 130); border: 1px solid #2f6fdf; }"
    "QToolButton:focus { border: 1px solid palette(highlight); }"
    "QToolButton:disabled { color: rgb(128, 128, 128); background: rgba(128, 128, 128, 20); }"
)


def swatch(colour: str, side: int = SIDE) -> QIcon:
    """Return a square of a colour with a thin rim, so that white is visible on white."""
    made = QPixmap(side, side)
    made.fill(Qt.GlobalColor.transparent)
    painter = QPainter(made)
    painter.setPen(QColor(128, 128, 128))
    painter.setBrush(QColor(colour))
    painter.drawRoundedRect(0, 0, side - 1, side - 1, 3, 3)
    painter.end()
    icon = QIcon(made)
    icon.addPixmap(made, QIcon.Mode.Disabled)  # Qt would make it grey
    return icon


class ClassButton(QToolButton):
    """A class with its colour. A long name is shortened, and whole in the tooltip."""

    def __init__(self, name: str, colour: str) -> None:
        super().__init__()
        self.whole = name or tr(NO_CLASS)
        self.setIcon(swatch(colour))
        self.setIconSize(QSize(SIDE, SIDE))
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setCheckable(True)
        self.setStyleSheet(STYLE)
        self.setAccessibleName(self.whole)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        room = self.width() - SIDE - BESIDE_TEXT
        shown = self.fontMetrics().elidedText(self.whole, Qt.TextElideMode.ElideRight, room)
        self.setText(shown.replace("&", "&&"))


class ClassPicker(QWidget):
    """One button for each class of the model; hidden if the model knows none."""

    def __init__(self, session: Session, tools: LayoutTools) -> None:
        super().__init__()
        self.session, self.tools = session, tools
        self.buttons: dict[str, ClassButton] = {}
        self._palette: Palette = ()
        self._group = QButtonGroup(self)  # arrow keys move within it
        self._grid = tight_grid(None, 2)
        for place in range(COLUMNS):
            self._grid.setColumnStretch(place, 1)
        self.state = Text(small=True, lines=2)
        self.fill_button = button("Set all", FILL, self._fill, "set all classes")
        line = row(self.state, self.fill_button, stretch=0)
        line.setAlignment(self.fill_button, Qt.AlignmentFlag.AlignTop)
        column(self, self._grid, line)
        self.hide()

    def refresh(self) -> None:
        session, classes, item = self.session, self.session.classes, self.session.regions.active
        palette = classes.palette
        self.setVisible(bool(palette))
        if not palette:
            return
        if palette != self._palette:
            self._fill_with(palette)
        no_cells, shown = session.layouts.why_no_cells(), self.tools.shown_class
        self._group.setExclusive(False)  # or the last one could not be unchecked
        for name, made in self.buttons.items():
            there = counted(classes.count(item, name), "cell")
            made.setToolTip(tr(TIP.format(name=made.whole, there=there)))
            allow(made, no_cells)
            made.setChecked(name == shown)
        self._group.setExclusive(True)
        self.state.say(classes.sentence(item))
        allow(self.fill_button, session.layouts.why_no_change() or classes.why_not_fill(item))

    def _fill_with(self, palette: Palette) -> None:
        clear(self._grid)
        self._palette, self.buttons = palette, {}
        for place, (name, colour) in enumerate(palette):
            made = self.buttons[name] = ClassButton(name, colour)
            made.clicked.connect(partial(self._pick, name))
            self._group.addButton(made)
            self._grid.addWidget(made, place // COLUMNS, place % COLUMNS)
        # Otherwise they would come last in the window, where Qt puts what is made later.
        for before, after in pairwise((self.state, *self.buttons.values(), self.fill_button)):
            QWidget.setTabOrder(before, after)

    def _pick(self, name: str, _checked: bool = False) -> None:
        self.tools.pick_class(name)

    def _fill(self) -> None:
        item = self.session.regions.active
        if item is not None:
            self.session.classes.fill(item.number)
