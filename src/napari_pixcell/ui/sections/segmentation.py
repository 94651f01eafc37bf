"""Segmentation of nuclei by the method that the user chooses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QLabel, QWidget

from napari_pixcell.cells.methods import CELLPOSE_MODEL, METHODS
from napari_pixcell.models.catalogue import CELLPOSE
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.arrange import (
    More,
    boxed,
    column,
    field_grid,
    labelled,
    row,
    show_all,
    single_shot,
)
from napari_pixcell.ui.bind import bind, on_edit
from napari_pixcell.ui.dialogs import ask_file
from napari_pixcell.ui.widgets import Bar, Text, allow, button, check_box, combo, number, slider

MODELS = "Cellpose models (*)"
OWN = "Own model file…"
CHOICES = (
    ("Built-in", ("builtin", ""), "Fast and without weights, by the haematoxylin colour"),
    ("Cellpose", ("cellpose", CELLPOSE_MODEL), "Cellpose-SAM, tile by tile; slow without a GPU"),
    (OWN, ("cellpose", ""), "Your own Cellpose 4 model; choose this entry again for another file"),
)
PAUSE_MS = 250  # after the last edit of a threshold
PAINTED = "These cells were edited. The thresholds apply to the next segmentation."
ANY_SIZE = 2  # µm: the least value of the field stands for no diameter


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
        tip = "Diameter of a typical cell. It is rarely needed."
        self.diameter = number(ANY_SIZE, 200, tip, unit=" µm")
        self.diameter.setSpecialValueText("any size")
        bind(
            self.diameter,
            session.settings,
            "cell_diameter",
            show=lambda um: max(ANY_SIZE, round(um)),
            read=lambda um: float(um) if um > ANY_SIZE else 0.0,
        )
        tip = "Segment the nuclei of the region or its marked area, as an editable layer"
        self.segment_button = button("Segment nuclei", tip, self.segment)
        self.keep = check_box("Keep existing cells", "Add new nuclei only where there are none")
        bind(self.keep, session.settings, "keep_cells")
        self.thresholds = ThresholdsPanel(session)
        self.bar = Bar()
        tip, segmentation = "Cancel before the next tile (Esc)", session.segmentation
        self.cancel_button = button("Cancel", tip, segmentation.cancel, "cancel segment")
        self.progress = boxed(row(self.bar, self.cancel_button, stretch=0))
        self.sizes = labelled("Cell diameter", self.diameter)
        self.adjust = More("Thresholds", "Adjust the result without segmenting again")
        self.adjust.stack(self.keep, self.thresholds)
        segment = row(self.segment_button, QLabel("with"), self.method, stretch=2)
        column(self, segment, self.sizes, self.adjust, self.progress, spacing=4)

    def segment(self) -> None:
        item = self.session.regions.active
        self.session.segmentation.segment(item.part if item is not None else None)

    def refresh(self) -> None:
        session, item = self.session, self.session.regions.active
        there = item is not None and session.settings.takes_layout
        job = item.layout_job if item is not None else None
        allow(self.segment_button, session.layouts.why_no_cells() or session.segmentation.problem)
        self._show_method()
        self.adjust.setVisible(there and item is not None and item.layout is not None)
        self.thresholds.refresh()
        self.progress.setVisible(job is not None and job.how.method != "builtin")
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
        show_all(cellpose, self.sizes)

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
    """Thresholds of the active region's segmentation, hidden until there is one."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session, settings = session, session.settings
        tip = "Move right to include paler nuclei, left to keep the dark ones"
        self.sensitivity = slider(-1, 1, tip)
        self.more = slider(-6, 6, "Move right for more cells (minus Cellpose's cell probability)")
        self.shape = slider(0.1, 3, "Move right to accept irregular shapes (Cellpose)")
        self.smallest = number(0, 500, "Smaller cells are removed", decimals=0, unit=" µm²", step=5)
        bind(self.sensitivity, settings, "sensitivity")
        bind(self.more, settings, "cellprob_threshold", show=_negated, read=_negated)
        bind(self.shape, settings, "flow_threshold")
        bind(self.smallest, settings, "smallest_um2")
        self.hint = Text(small=True)
        fields = {
            "Sensitivity": self.sensitivity,
            "Cell probability": self.more,
            "Flow threshold": self.shape,
            "Minimum area": self.smallest,
        }
        lines = [(QLabel(words), field) for words, field in fields.items()]
        self._builtin, self._cellpose = lines[0], (*lines[1], *lines[2])
        column(self, field_grid(*lines), self.hint)
        self._pause = single_shot(self, PAUSE_MS, session.segmentation.outline_again)
        for label, field in lines:
            label.setToolTip(field.toolTip())
            on_edit(field, lambda _value: self._pause.start())

    def refresh(self) -> None:
        session, item = self.session, self.session.regions.active
        shown = item is not None and item.search is not None and session.settings.takes_layout
        self.setVisible(shown)
        if not shown or item is None:
            return
        builtin = session.settings.segment_method == METHODS[0]
        show_all(builtin, *self._builtin)
        show_all(not builtin, *self._cellpose)
        free = item.layout_busy or session.segmentation.last_search is not None
        self.hint.say("" if free else PAINTED)


def _negated(value: float) -> float:
    return -value
