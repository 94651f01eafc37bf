"""Segmentation of nuclei by the method that the user chooses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QLabel, QSizePolicy, QStackedWidget, QWidget

from napari_pixcell.cells.methods import CELLPOSE_MODEL, METHODS
from napari_pixcell.models.catalogue import CELLPOSE
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.arrange import More, boxed, column, field_grid, row, single_shot
from napari_pixcell.ui.bind import bind, on_edit
from napari_pixcell.ui.dialogs import ask_file
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.widgets import Bar, Text, allow, button, check_box, combo, number, slider

MODELS = "Cellpose models (*)"
OWN = "Own model file…"
CHOICES = (
    ("Built-in", ("builtin", ""), "Fast and without weights, by the haematoxylin colour"),
    ("Cellpose", ("cellpose", CELLPOSE_MODEL), "Cellpose-SAM, tile by tile; slow without a GPU"),
    (OWN, ("cellpose", ""), "Your own Cellpose 4 model; choose this entry again for another file"),
)
SIZES = "Sensitivity and sizes: they adjust the result without another segmentation"
PAUSE_MS = 250  # after the last edit of a threshold
EDITED = "The cells were edited since. These settings apply to the next segmentation."
ANY_SIZE = 2  # µm: the least value of the field stands for no diameter
LARGEST_UM2 = 5000  # the highest limit of the field
FOR_BUILTIN, FOR_CELLPOSE = "For the built-in method only", "For Cellpose only"


class SegmentationPanel(QWidget):
    """Segments the nuclei of the active region; ``manage`` opens the model manager at a name."""

    def __init__(self, session: Session, manage: Callable[[str], None]) -> None:
        super().__init__()
        self.session, self.manage = session, manage
        methods = [(name, how) for name, how, _ in CHOICES]
        self.method = combo("Segmentation method of “Segment nuclei”", methods)
        for index, (_, _, tip) in enumerate(CHOICES):
            self.method.setItemData(index, tip, Qt.ItemDataRole.ToolTipRole)
        self.method.activated.connect(self._choose_method)
        tip = "Segment the nuclei of the region or its marked area, as an editable layer"
        self.segment_button = button("Segment nuclei", tip, self.segment)
        self.keep = check_box("Keep existing cells", "Add new nuclei only where there are none")
        bind(self.keep, session.settings, "keep_cells")
        self.thresholds = ThresholdsPanel(session)
        self.bar = Bar()
        tip, segmentation = "Cancel before the next tile (Esc)", session.segmentation
        self.cancel_button = button("Cancel", tip, segmentation.cancel, "cancel segment")
        self.adjust = More("Sizes", SIZES)
        self.adjust.stack(self.keep, self.thresholds)
        self._ask = boxed(row(self.segment_button, QLabel(tr("with")), self.method, stretch=2))
        self.progress = boxed(row(self.bar, self.cancel_button, stretch=0))
        self.switch = QStackedWidget()  # the bar stands where the button was, so nothing moves
        self.switch.addWidget(self._ask)
        self.switch.addWidget(self.progress)
        self.switch.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        column(self, self.switch)

    def segment(self) -> None:
        item = self.session.regions.active
        self.session.segmentation.segment(item.part if item is not None else None)

    def refresh(self) -> None:
        session, item = self.session, self.session.regions.active
        job = item.layout_job if item is not None else None
        allow(self.segment_button, session.layouts.why_no_cells() or session.segmentation.problem)
        self._show_method()
        self.thresholds.refresh()
        slow = job is not None and job.how.method != "builtin"
        self.switch.setCurrentWidget(self.progress if slow else self._ask)
        if job is not None:
            self.bar.advance(job.done, job.total)
            allow(self.cancel_button, "" if job.can_cancel else "Already cancelling")

    def _show_method(self) -> None:
        settings = self.session.settings
        cellpose, own = settings.segment_method == "cellpose", self.method.count() - 1
        theirs = settings.segment_model == CELLPOSE_MODEL
        with QSignalBlocker(self.method):
            self.method.setCurrentIndex((1 if theirs else own) if cellpose else 0)
            self.method.setItemText(own, OWN if theirs else Path(settings.segment_model).name)

    def remedy(self) -> tuple[str, Callable[[], None]]:
        """Return the button text and action that make the chosen method usable."""
        if self.session.settings.segment_model == CELLPOSE_MODEL:
            return "Get weights…", lambda: self.manage(CELLPOSE.name)
        return OWN, self.choose_model

    def _choose_method(self, index: int) -> None:
        method, model = self.method.itemData(index)
        if method == "cellpose" and not model:
            self.choose_model()
        else:
            self._use(method, model)

    def choose_model(self) -> None:
        ask_file(self, "Open a Cellpose model", MODELS, lambda path: self._use("cellpose", path))
        self.refresh()

    def _use(self, method: str, model: str | Path) -> None:
        settings = self.session.settings
        settings.segment_model = str(model) or settings.segment_model
        settings.segment_method = method


class ThresholdsPanel(QWidget):
    """Sensitivity and sizes of the next segmentation, and of the last one until it is edited."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session, settings = session, session.settings
        self.sensitivity = slider(-1, 1, "Move right to include paler nuclei, left for dark ones")
        self.more = slider(-6, 6, "Move right for more cells (minus Cellpose's cell probability)")
        self.shape = slider(0.1, 3, "Move right to accept irregular shapes (Cellpose)")
        tip = "Diameter of a typical cell, for Cellpose. It is rarely needed."
        self.diameter = number(ANY_SIZE, 200, tip, unit=" µm")
        self.diameter.setSpecialValueText(tr("any"))
        self.smallest = number(0, 500, "Smaller cells are removed", decimals=0, unit=" µm²", step=5)
        tip = "Larger cells are removed, such as clumps and pigment"
        self.largest = number(0, LARGEST_UM2, tip, decimals=0, unit=" µm²", step=25)
        self.largest.setSpecialValueText(tr("no limit"))
        bind(self.sensitivity, settings, "sensitivity")
        bind(self.more, settings, "cellprob_threshold", show=_negated, read=_negated)
        bind(self.shape, settings, "flow_threshold")
        bind(
            self.diameter,
            settings,
            "cell_diameter",
            show=lambda um: max(ANY_SIZE, round(um)),
            read=lambda um: float(um) if um > ANY_SIZE else 0.0,
        )
        bind(self.smallest, settings, "smallest_um2")
        bind(self.largest, settings, "largest_um2")
        self.hint = Text(small=True, lines=2)
        fields = {
            "Sensitivity": self.sensitivity,
            "Smallest area": self.smallest,
            "Largest area": self.largest,
            "Cell probability": self.more,
            "Flow threshold": self.shape,
            "Cell diameter": self.diameter,
        }
        lines = [(QLabel(tr(words)), field) for words, field in fields.items()]
        self._builtin = lines[0]
        self._cellpose = *lines[3], *lines[4], *lines[5]
        column(self, field_grid(*lines), self.hint)
        self._pause = single_shot(self, PAUSE_MS, session.segmentation.outline_again)
        for label, field in lines:
            label.setToolTip(field.toolTip())
            if field is not self.diameter:  # with another one the network has to run again
                on_edit(field, lambda _value: self._pause.start())

    def refresh(self) -> None:
        session, item = self.session, self.session.regions.active
        builtin = session.settings.segment_method == METHODS[0]
        for widget in self._builtin:
            allow(widget, "" if builtin else FOR_BUILTIN)
        for widget in self._cellpose:
            allow(widget, FOR_CELLPOSE if builtin else "")
        found = item is not None and item.search is not None and not item.layout_busy
        edited = found and session.segmentation.last_search is None
        self.hint.say(EDITED if edited else "")


def _negated(value: float) -> float:
    return -value
