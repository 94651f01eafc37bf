"""Sliders that find more or fewer cells without looking again."""

from __future__ import annotations

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QDoubleSpinBox, QGridLayout, QLabel, QVBoxLayout, QWidget
from superqt import QLabeledDoubleSlider

from napari_pixcell.cells.methods import METHODS
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.widgets import Text, put

PAUSE_MS = 250  # after the last move
PAINTED = "You have changed these cells: the sliders act on the next search."


class Thresholds(QWidget):
    """Changes what a search has found; shown once there was one in the active region.

    Parameters
    ----------
    session : Session
        Its state.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.sensitivity = self._slider("sensitivity", -1, 1, "Fewer nuclei … more nuclei")
        self.more = self._slider(
            "cellprob_threshold", -6, 6, "Fewer cells … more (Cellpose: cell probability)", sign=-1
        )
        self.shape = self._slider(
            "flow_threshold", 0.1, 3, "Only regular cells … any shape (Cellpose: flow threshold)"
        )
        self.smallest = QDoubleSpinBox()
        self.smallest.setRange(0, 500)
        self.smallest.setDecimals(0)
        self.smallest.setSingleStep(5)
        self.smallest.setSuffix(" µm²")
        self.smallest.setToolTip("Smaller cells are left out")
        self.smallest.valueChanged.connect(lambda value: self._set("smallest_um2", float(value)))
        self.hint = Text(small=True)
        self.rows: dict[str, tuple[QLabel, QWidget]] = {}
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(2)
        for index, (words, widget) in enumerate(
            (
                ("More nuclei", self.sensitivity),
                ("More cells", self.more),
                ("Any shape", self.shape),
                ("Smallest", self.smallest),
            )
        ):
            label = QLabel(words)
            label.setToolTip(widget.toolTip())
            self.rows[words] = label, widget
            grid.addWidget(label, index, 0)
            grid.addWidget(widget, index, 1)
        grid.setColumnStretch(1, 1)
        stack = QVBoxLayout(self)
        stack.setContentsMargins(0, 0, 0, 0)
        stack.setSpacing(2)
        stack.addLayout(grid)
        stack.addWidget(self.hint)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MS)
        self._pause.timeout.connect(session.outline_again)

    def _slider(
        self, name: str, low: float, high: float, tip: str, sign: int = 1
    ) -> QLabeledDoubleSlider:
        made = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        made.setRange(low, high)
        made.setDecimals(2)
        made.setToolTip(tip)
        made.valueChanged.connect(lambda value: self._set(name, sign * round(float(value), 2)))
        return made

    def _set(self, name: str, value: float) -> None:
        setattr(self.session.settings, name, value)
        self._pause.start()

    def refresh(self) -> None:
        """Show the session's state."""
        session, item = self.session, self.session.active
        shown = item is not None and item.search is not None and session.takes_layout
        self.setVisible(shown)
        if not shown:
            return
        settings = session.settings
        builtin = settings.segment_method == METHODS[0]
        for words in ("More nuclei", "More cells", "Any shape"):
            for widget in self.rows[words]:
                widget.setVisible(builtin == (words == "More nuclei"))
        for slider, value in (
            (self.sensitivity, settings.sensitivity),
            (self.more, -settings.cellprob_threshold),
            (self.shape, settings.flow_threshold),
        ):
            if abs(slider.value() - value) > 0.006:
                put(slider, value)
        put(self.smallest, settings.smallest_um2)
        busy = item is not None and item.layout_busy
        self.hint.say("" if busy or session.last_search is not None else PAINTED)
