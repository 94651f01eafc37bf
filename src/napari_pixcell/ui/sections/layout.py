"""Where the cells are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QCheckBox, QFileDialog, QLabel
from superqt import QLabeledDoubleSlider

from napari_pixcell.studio.session import Session
from napari_pixcell.ui.layers.link import LayerLink
from napari_pixcell.ui.sections.area import Area
from napari_pixcell.ui.sections.finding import Finding
from napari_pixcell.ui.sections.inventing import Inventing
from napari_pixcell.ui.sections.stamps import Stamps
from napari_pixcell.ui.sections.tools import Tools
from napari_pixcell.ui.widgets import AMBER, Section, Text, allow, button, put

KINDS = "*.geojson *.json *.gz *.tif *.tiff *.png *.npy *.roi *.zip"
ON_REGION = "Outlines counted from the region's corner"
SPLIT = "Black and white masks, touching cells split"
MASKS = "*.tif *.tiff *.png *.npy"
FILES = f"Cells ({KINDS});;{ON_REGION} ({KINDS});;{SPLIT} ({MASKS});;All files (*)"
SAVED = "QuPath (*.geojson *.geojson.gz);;Cellpose (*_seg.npy);;Label image (*.tif)"


class LayoutSection(Section):
    """Makes, paints or imports a layout, and says how strongly it acts.

    Parameters
    ----------
    session : Session
        Its state.
    link : LayerLink
        To the label layer.
    manage : callable
        Opens the model manager at the weights of this name.
    """

    def __init__(self, session: Session, link: LayerLink, manage: Callable[[str], None]) -> None:
        super().__init__("layout", "3  Layout")
        self.session = session
        self.link = link
        self.finding = Finding(session, manage)
        self.content.addWidget(self.finding)
        self.area = Area(session, link)
        self.content.addWidget(self.area)
        self.import_button = button(
            "Import…",
            "Cells of QuPath, Cellpose, HoVer-Net, CellViT, COCO or ImageJ, or a label image; "
            "or drop the file here",
            self.choose,
        )
        self.export_button = button(
            "Save…", "The layout as GeoJSON for QuPath, for Cellpose, or as a TIFF", self.save
        )
        self.none_button = button("No layout", "Let cells fall where they may", self.clear_layout)
        self.add(self.import_button, self.export_button, self.none_button)
        self.tools = Tools(session, link)
        self.content.addWidget(self.tools)
        self.stamps = Stamps(session, link)
        self.content.addWidget(self.stamps)
        link.tools.changed.connect(self.stamps.refresh)
        self.inventing = Inventing(session)
        self.content.addWidget(self.inventing)
        self.state = Text()
        self.content.addWidget(self.state)
        self.advice = Text(colour=AMBER, small=True)
        self.content.addWidget(self.advice)
        self.condition = QCheckBox("Show what the model sees")
        self.condition.setToolTip(
            "White on black, touching cells a pixel apart: exactly what the network gets"
        )
        self.condition.toggled.connect(link.condition.show)
        self.content.addWidget(self.condition)
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
        job = item.layout_job if item is not None else None
        self.finding.refresh()
        self.tools.refresh()
        self.stamps.refresh()
        self.inventing.refresh()
        self.area.refresh()
        reading = "A file is being read" if session.importing else ""
        allow(self.import_button, session.why_no_cells() or reading)
        allow(self.export_button, "" if layout is not None else session.why_no_change())
        allow(self.none_button, session.why_no_change())
        if item is None:
            self.state.say("Add a region first")
        elif not session.takes_layout:
            self.state.say(f"{session.settings.model.title} takes no layout: cells fall anywhere")
        elif job is not None:
            self.state.say(job.sentence())
        elif session.importing:
            self.state.say(f"Reading {session.importing}…")
        elif session.making is not None:
            self.state.say(session.making.sentence())
        elif layout is None:
            self.state.say("No layout: cells fall where they may")
        else:
            origin = f" ({item.layout_origin})" if item.layout_origin else ""
            self.state.say(f"{item.layout_text}{origin}")
        shown = layout is not None and session.takes_layout
        self.advice.say(item.layout_advice if item is not None and shown else "")
        for widget in (self.strength, self.strength_label, self.condition):
            widget.setVisible(shown)
        with QSignalBlocker(self.condition):
            self.condition.setChecked(self.link.condition.on)
        put(self.strength, session.settings.layout_strength)
        problem = session.problems.get("layout", "")
        if there and session.no_segmenting:
            self.tell(problem or session.no_segmenting, "", *self.finding.remedy())
        else:
            self.tell(problem, session.notes.get("layout", ""))

    def choose(self) -> None:
        """Ask for a file of cells."""
        path, kind = QFileDialog.getOpenFileName(self, "Import cells", "", FILES)
        if path:
            self.session.import_cells(
                Path(path),
                on_region=kind.startswith(ON_REGION),
                split_touching=kind.startswith(SPLIT),
            )

    def save(self) -> None:
        """Ask where the layout should be written to."""
        item = self.session.active
        if item is None:
            return
        name = f"{item.name.replace(' ', '_')}.geojson"
        path, _ = QFileDialog.getSaveFileName(self, "Save the layout", name, SAVED)
        if path:
            self.session.export_layout(Path(path))

    def clear_layout(self) -> None:
        """Do without a layout."""
        if self.session.active is not None:
            self.session.set_layout(self.session.active.number, None)
