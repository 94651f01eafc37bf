"""What the stamp places, and how."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_pixcell.studio.cells.inventing import BUNDLED
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.layers.link import LayerLink
from napari_pixcell.ui.widgets import put, row, slim


class Stamps(QWidget):
    """Chooses the stamps, their size and their spacing.

    Parameters
    ----------
    session : Session
        Its state.
    link : LayerLink
        To the tool.
    """

    def __init__(self, session: Session, link: LayerLink) -> None:
        super().__init__()
        self.session, self.stamping = session, link.tools.stamping
        self.tools = link.tools
        self.source = QComboBox()
        self.source.setToolTip("Whose nuclei are placed: bundled shapes, or those of a layout")
        self.source.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.source.activated.connect(lambda index: session.use_stamps(self.source.itemData(index)))
        self.spacing = QDoubleSpinBox()
        self.spacing.setRange(2, 200)
        self.spacing.setDecimals(0)
        self.spacing.setSuffix(" µm")
        self.spacing.setToolTip("Between nuclei while you drag")
        self.spacing.valueChanged.connect(
            lambda value: setattr(self.stamping, "spacing_um", float(value))
        )
        self.size = QDoubleSpinBox()
        self.size.setRange(0.2, 5)
        self.size.setSingleStep(0.1)
        self.size.setPrefix("× ")
        self.size.setToolTip("Their area, against that of the shapes")
        self.size.valueChanged.connect(lambda value: setattr(self.stamping, "size", float(value)))
        self.along = QCheckBox("along")
        self.along.setToolTip("Long nuclei lie along the stroke, as in stroma")
        self.along.toggled.connect(lambda on: setattr(self.stamping, "along", on))
        for field in (self.spacing, self.size):
            slim(field, 80)
        stack = QVBoxLayout(self)
        stack.setContentsMargins(0, 0, 0, 0)
        stack.setSpacing(2)
        line = row(QLabel("Stamp"), self.source)
        line.setStretch(1, 1)
        stack.addLayout(line)
        stack.addLayout(row(QLabel("every"), self.spacing, self.size, self.along))

    def refresh(self) -> None:
        """Show the session's state."""
        shown = self.tools.working and self.tools.tool == "stamp"
        self.setVisible(shown)
        if not shown:
            return
        choices = [("bundled nuclei", BUNDLED)]
        choices += [
            (f"nuclei of {item.name}", item.number)
            for item in self.session.regions
            if item.layout is not None and item.cells
        ]
        there = [
            (self.source.itemText(i), self.source.itemData(i)) for i in range(self.source.count())
        ]
        with QSignalBlocker(self.source):
            if there != choices:
                self.source.clear()
                for text, number in choices:
                    self.source.addItem(text, number)
            self.source.setCurrentIndex(max(0, self.source.findData(self.session.stamps_of)))
        put(self.spacing, self.stamping.spacing_um)
        put(self.size, self.stamping.size)
