"""Where the cells are."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QGridLayout, QLabel
from superqt import QLabeledDoubleSlider

from napari_pixcell.studio.session import Session
from napari_pixcell.ui.layers import LayerLink
from napari_pixcell.ui.parts import Section, Text, button, put

FILES = "Label images (*.tif *.tiff *.png *.npy);;All files (*)"


class LayoutSection(Section):
    """Makes, paints or imports a layout, and says how strongly it acts."""

    def __init__(self, session: Session, link: LayerLink) -> None:
        super().__init__("layout", "3  Layout")
        self.session = session
        self.link = link
        self.segment_button = button(
            "Segment nuclei", "Find the nuclei in the region, as a layer to edit", session.segment
        )
        self.paint_button = button(
            "Paint", "Paint cells by hand: every label is one cell", link.paint
        )
        self.import_button = button(
            "Import mask…", "A label image of the tile's size: TIFF, PNG or NPY", self.choose
        )
        self.none_button = button("No layout", "Let cells fall where they may", self.clear_layout)
        grid = QGridLayout()
        grid.setSpacing(5)
        for index, made in enumerate(
            (self.segment_button, self.paint_button, self.import_button, self.none_button)
        ):
            grid.addWidget(made, index // 2, index % 2)
        self.content.addLayout(grid)
        self.state = Text()
        self.content.addWidget(self.state)
        self.strength = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        self.strength.setRange(0, 2)
        self.strength.setDecimals(2)
        self.strength.setToolTip("How closely cells follow the layout: 0 not at all, 1 as trained")
        self.strength.valueChanged.connect(
            lambda value: setattr(session.settings, "layout_strength", round(float(value), 2))
        )
        self.strength_label = QLabel("Strength")
        line = self.add(self.strength_label, self.strength)
        line.setStretch(1, 1)
        self.finish()

    def refresh(self) -> None:
        """Show the session's state."""
        session, item = self.session, self.session.active
        there = item is not None and session.takes_layout
        layout = item.layout if item is not None else None
        busy = item is not None and item.layout_busy
        for made in (self.segment_button, self.paint_button, self.import_button):
            made.setEnabled(there and not busy)
        self.none_button.setEnabled(layout is not None and not busy)
        if item is None:
            self.state.say("Add a region first")
        elif not session.takes_layout:
            self.state.say(f"{session.settings.model.title} takes no layout: cells fall anywhere")
        elif busy:
            self.state.say("Finding nuclei…")
        elif layout is None:
            self.state.say("No layout: cells fall where they may")
        else:
            origin = f" ({item.layout_origin})" if item.layout_origin else ""
            self.state.say(f"{item.layout_text}{origin}")
        for widget in (self.strength, self.strength_label):
            widget.setVisible(layout is not None and session.takes_layout)
        put(self.strength, session.settings.layout_strength)
        self.tell(session.problems.get("layout", ""), session.notes.get("layout", ""))

    def choose(self) -> None:
        """Ask for a label image."""
        path, _ = QFileDialog.getOpenFileName(self, "Import a mask", "", FILES)
        if path:
            self.session.import_layout(Path(path))

    def clear_layout(self) -> None:
        """Do without a layout."""
        if self.session.active is not None:
            self.session.set_layout(self.session.active.number, None)
