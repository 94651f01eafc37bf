"""The Layout section: where the cells are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QWidget

from napari_pixcell.studio.controls.training import SECTION as CONTROL
from napari_pixcell.studio.regions.geometry import AREA_KINDS
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.arrange import Folds, More, column, labelled, row
from napari_pixcell.ui.bind import bind, on_edit, set_quietly
from napari_pixcell.ui.dialogs import ask_target
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.layers.link import LayerLink
from napari_pixcell.ui.sections.base import Section
from napari_pixcell.ui.sections.inventing import InventPanel
from napari_pixcell.ui.sections.segmentation import SegmentationPanel
from napari_pixcell.ui.sections.tools import ToolsPanel
from napari_pixcell.ui.sections.training_control import ControlTrainingDialog
from napari_pixcell.ui.widgets import AMBER, LINK, Text, allow, button, check_box, combo, slider

KINDS = "*.geojson *.json *.gz *.tif *.tiff *.png *.npy *.roi *.zip "
KINDS += "*.xml *.txt *.csv *.tsv *.parquet *.mat zarr.json .zattrs"
ON_REGION = "Coordinates relative to the region"
SPLIT = "Binary masks, touching cells split"
MASKS = "*.tif *.tiff *.png *.npy"
FILES = f"Cells ({KINDS});;{ON_REGION} ({KINDS});;{SPLIT} ({MASKS});;All files (*)"
SAVED = "QuPath (*.geojson *.geojson.gz);;Cellpose (*_seg.npy);;Label image (*.tif)"

FROM_CORNER, ADD = "Count from corner", "Add region there"

IMPORT = (
    "Import cells from QuPath, ImageScope, ASAP, CVAT, Labelme, Cellpose, HoVer-Net, CellViT, "
    "COCO, YOLO, ImageJ, Xenium, OME-Zarr or a label image. You can also drop the file here."
)
MARK = (
    "Paint over an area of the region. “Segment nuclei” and “Invent cells” then work there only, "
    "and “Invent cells” uses the density chosen here."
)
SEEN = "Show the conditioning image: cells {colour} on black, touching ones one pixel apart"


class LayoutSection(Section):
    """Creates, edits, imports and saves a layout; ``manage`` opens the model manager at a name."""

    def __init__(self, session: Session, link: LayerLink, manage: Callable[[str], None]) -> None:
        super().__init__(session, "layout", "3  Layout")
        self.link = link
        self.segmentation = SegmentationPanel(session, manage)
        self.area = AreaPanel(session, link)
        self.marking = More("Area", "Segment and invent cells in part of the region only")
        self.marking.stack(self.area)
        self.import_button = button("Import…", IMPORT, self.choose)
        tip = "Save the layout as QuPath GeoJSON, for Cellpose, or as TIFF"
        self.export_button = button("Save…", tip, self.save)
        self.export_button.setAccessibleName(tr("Save layout"))
        tip = "Let the model place the cells"
        self.none_button = button("Remove layout", tip, self.clear_layout)
        self.tools = ToolsPanel(session, link)
        self.stamps = self.tools.options.stamps
        self.inventing = InventPanel(session)
        self.advice = Text(colour=AMBER, small=True)
        self.condition = check_box("Show model input", SEEN.format(colour="white"))
        on_edit(self.condition, link.condition.show)
        tip = "How closely cells follow the layout: 0 ignores it, 1 is as trained"
        self.strength = slider(0, 2, tip)
        bind(self.strength, session.settings, "layout_strength")
        self.strength_row = labelled("Layout strength", self.strength)
        self.seen = More("Model input", "What the model sees of the layout, and how it follows it")
        self.training = ControlTrainingDialog(session, self)
        tip = "Train the model that places cells on your own images and masks, with their classes"
        self.train_button = button("Train a control…", tip, self.open_training)
        self.train_button.setStyleSheet(LINK)
        beside = row(self.train_button)
        beside.addStretch(1)
        self.seen.stack(self.condition, self.strength_row, beside)
        self.parts = (self.segmentation, self.area, self.tools, self.inventing)
        self.stack(self.segmentation, self.tools)
        self.add(self.import_button, self.export_button, self.none_button)
        self.messages.add(self.advice)
        folds = Folds(self.segmentation.adjust, self.inventing, self.marking, self.seen)
        self.stack(self.messages, folds)

    def refresh(self) -> None:
        session, item = self.session, self.session.regions.active
        for part in self.parts:
            part.refresh()
        self.training.refresh()
        job = session.control_training.job
        self.train_button.setText(tr("Train a control…" if job is None else f"{job.sentence()}…"))
        layout, layouts = item.layout if item is not None else None, session.layouts
        reading = "A file is being imported" if session.layout_files.reading else ""
        allow(self.import_button, layouts.why_no_cells() or reading)
        allow(self.export_button, "" if layout is not None else layouts.why_no_change())
        allow(self.none_button, layouts.why_no_change())
        shown = layout is not None and session.settings.takes_layout
        self.advice.say(item.layout_advice if item is not None and shown else "")
        colour = "in the colours of their classes" if session.classes.palette else "white"
        self.condition.setToolTip(tr(SEEN.format(colour=colour)))
        allow(self.condition, layouts.why_no_change())
        set_quietly(self.condition, self.link.condition.on)
        self._report()

    def _report(self) -> None:
        """Show the most important message, with its remedy."""
        session, item = self.session, self.session.regions.active
        self.summarise("" if item is None else self._state_now())
        segmentation, elsewhere = session.segmentation, session.layout_files.elsewhere
        if item is not None and session.settings.takes_layout and segmentation.problem:
            problem = self.problem_now() or segmentation.problem
            self.report(problem, "", *self.segmentation.remedy())
        elif elsewhere is not None and not self.problem_now():
            act = self._import_from_corner if elsewhere.relative else self._go_to_imported
            self.report(elsewhere.sentence, "", FROM_CORNER if elsewhere.relative else ADD, act)
        elif segmentation.replaced and not self.problem_now():
            self.report(segmentation.replaced, "", "Undo", segmentation.undo)
        elif not self.problem_now() and not self.note_now() and self._training_told():
            self.report("", self._training_told(), "Show…", self.open_training)
        else:
            self.report(state=self._state_now())

    def open_training(self) -> None:
        """Open the dialog that trains a control, which then tells how the last training ended."""
        self.training.show()
        self.session.changed.emit()

    def _training_told(self) -> str:
        """Return that a training has ended, unless its dialog says so."""
        notices, training = self.session.notices, self.session.control_training
        told = notices.problems.get(CONTROL) or notices.notes.get(CONTROL)
        there = not told or training.job is not None or self.training.isVisible()
        return "" if there else "The training of a control has ended."

    def _import_from_corner(self) -> None:
        elsewhere = self.session.layout_files.elsewhere
        if elsewhere is not None:
            self.session.layout_files.read(elsewhere.path, on_region=True)

    def _go_to_imported(self) -> None:
        """Add a region where the imported cells are, which then shows them."""
        session, elsewhere = self.session, self.session.layout_files.elsewhere
        if elsewhere is not None:
            session.regions.add(elsewhere.middle)
            if session.regions.active is not None:
                self.link.go_to(session.regions.active.region)

    def _state_now(self) -> str:
        session, item = self.session, self.session.regions.active
        if item is None:
            return "Add a region first"
        if not session.settings.takes_layout:
            return f"{session.settings.model.title} does not support layouts"
        if item.layout_job is not None:
            return item.layout_job.sentence()
        if session.layout_files.reading:
            return f"Importing {session.layout_files.reading}…"
        if session.invention.task is not None:
            return session.invention.task.sentence()
        if item.layout is None:
            return "No layout: the model places the cells"
        origin = f" ({item.layout_origin})" if item.layout_origin else ""
        return f"{item.layout_text}{origin}"

    def choose(self) -> None:
        path, kind = QFileDialog.getOpenFileName(self, "Import cells", "", FILES)
        on_region, split = kind.startswith(ON_REGION), kind.startswith(SPLIT)
        if path:
            self.session.layout_files.read(Path(path), on_region=on_region, split_touching=split)

    def save(self) -> None:
        item = self.session.regions.active
        if item is not None:
            name = f"{item.name.replace(' ', '_')}.geojson"
            ask_target(self, "Save layout", name, SAVED, self.session.layout_files.write)

    def clear_layout(self) -> None:
        active = self.session.regions.active
        if active is not None:
            self.session.layouts.set(active.number, None)


class AreaPanel(QWidget):
    """Marks and clears the area of the active region."""

    def __init__(self, session: Session, link: LayerLink) -> None:
        super().__init__()
        self.session, self.link = session, link
        kinds = {value: name for value, (name, _) in AREA_KINDS.items()}
        tip = "Density of invented cells in the area that you paint"
        self.kind = combo(tip, kinds, "Density in the area")
        self.kind.activated.connect(lambda _index: self.mark())
        self.mark_button = button("Mark area", MARK, self.mark)
        self.clear_button = button("Clear area", "Remove the marked area", link.area.clear)
        self.state = Text(small=True, lines=2)
        fields = row(self.mark_button, self.kind, self.clear_button, stretch=1)
        column(self, fields, self.state)

    def mark(self) -> None:
        self.link.area.paint(self.kind.currentData())

    def refresh(self) -> None:
        item = self.session.regions.active
        area = item.area if item is not None else None
        for made in (self.mark_button, self.kind):
            allow(made, self.session.layouts.why_no_cells())
        allow(self.clear_button, "No area is marked" if area is None else "")
        if area is None:
            self.state.say("")
        elif not area.any():
            self.state.say("Paint over the area.")
        else:
            percent = f"{max(1, round(100 * float((area > 0).mean())))} %"
            self.state.say(f"Cells are segmented and invented in the marked area only ({percent}).")
