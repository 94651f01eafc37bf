"""How the cells of a layout are found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QLabel,
    QProgressBar,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_pixcell.cells.methods import CELLPOSE_MODEL
from napari_pixcell.models.catalogue import CELLPOSE
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.sections.thresholds import Thresholds
from napari_pixcell.ui.widgets import BLUE, More, allow, button, put, row

MODELS = "Cellpose models (*)"
OWN = "Own model file…"


class Finding(QWidget):
    """Finds cells by the method that the user chooses.

    Parameters
    ----------
    session : Session
        Its state.
    manage : callable
        Opens the model manager at the weights of this name.
    """

    def __init__(self, session: Session, manage: Callable[[str], None]) -> None:
        super().__init__()
        self.session = session
        self.manage = manage
        self.method = QComboBox()
        self.method.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.method.addItem("Built-in", ("builtin", ""))
        self.method.addItem("Cellpose", ("cellpose", CELLPOSE_MODEL))
        self.method.addItem(OWN, ("cellpose", ""))
        for index, tip in enumerate(
            (
                "By the colour of haematoxylin: at once, and without any weights",
                "By Cellpose's network, tile by tile: slow without a graphics card",
                "By your own model of Cellpose 4; choose this again for another file",
            )
        ):
            self.method.setItemData(index, tip, Qt.ItemDataRole.ToolTipRole)
        self.method.setToolTip("How “Segment nuclei” finds them")
        self.method.activated.connect(self._choose_method)
        self.diameter = QSpinBox()
        self.diameter.setRange(2, 200)
        self.diameter.setSpecialValueText("any size")
        self.diameter.setSuffix(" µm")
        self.diameter.setToolTip("Diameter of a typical cell; it rarely has to be given")
        self.diameter.valueChanged.connect(
            lambda value: setattr(session.settings, "cell_diameter", value if value > 2 else 0)
        )
        self.segment_button = button(
            "Segment nuclei",
            "Find the nuclei in the region or in its marked part, as a layer to edit",
            self.segment,
        )
        self.keep = QCheckBox("Keep the cells that are there")
        self.keep.setToolTip("New nuclei are added where there is none yet")
        self.keep.toggled.connect(lambda on: setattr(session.settings, "keep_cells", bool(on)))
        self.thresholds = Thresholds(session)
        self.diameter_label = QLabel("Diameter of a cell")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.bar.setStyleSheet(f"QProgressBar::chunk {{ background: {BLUE}; }}")
        self.cancel_button = button(
            "Cancel", "Stop before the next tile (Esc)", session.cancel_segmenting, "cancel segment"
        )
        self.progress = QWidget()
        line = row(self.bar, self.cancel_button)
        line.setStretch(0, 1)
        self.progress.setLayout(line)
        stack = QVBoxLayout(self)
        stack.setContentsMargins(0, 0, 0, 0)
        stack.setSpacing(4)
        line = row(self.segment_button, QLabel("by"), self.method)
        line.setStretch(2, 1)
        stack.addLayout(line)
        line = row(self.diameter_label, self.diameter)
        line.setStretch(1, 1)
        stack.addLayout(line)
        self.adjust = More("More or fewer cells")
        self.adjust.button.setToolTip("Change what was found without looking again")
        self.adjust.content.addWidget(self.keep)
        self.adjust.content.addWidget(self.thresholds)
        stack.addWidget(self.adjust)
        stack.addWidget(self.progress)

    def segment(self) -> None:
        """Look for cells in the active region, or in its marked part."""
        item = self.session.active
        self.session.segment(item.part if item is not None else None)

    def refresh(self) -> None:
        """Show the session's state."""
        session, item = self.session, self.session.active
        there = item is not None and session.takes_layout
        job = item.layout_job if item is not None else None
        allow(self.segment_button, session.why_no_cells() or session.no_segmenting)
        self._show_method()
        self.adjust.setVisible(there and item is not None and item.layout is not None)
        with QSignalBlocker(self.keep):
            self.keep.setChecked(session.settings.keep_cells)
        self.thresholds.refresh()
        self.progress.setVisible(job is not None and job.how.method != "builtin")
        if job is not None:
            self.bar.setRange(0, job.total if job.done else 0)
            self.bar.setValue(job.done)
            allow(self.cancel_button, "" if job.can_cancel else "It is stopping")

    def _show_method(self) -> None:
        settings = self.session.settings
        cellpose, own = settings.segment_method == "cellpose", self.method.count() - 1
        theirs = settings.segment_model == CELLPOSE_MODEL
        with QSignalBlocker(self.method):
            self.method.setCurrentIndex((1 if theirs else own) if cellpose else 0)
            self.method.setItemText(own, OWN if theirs else Path(settings.segment_model).name)
        for widget in (self.diameter_label, self.diameter):
            widget.setVisible(cellpose)
        put(self.diameter, max(2, round(settings.cell_diameter)))

    def remedy(self) -> tuple[str, Callable[[], None]]:
        """Give the one thing to do where the chosen method cannot be used."""
        if self.session.settings.segment_model == CELLPOSE_MODEL:
            return "Get it…", lambda: self.manage(CELLPOSE.name)
        return OWN, self.choose_model

    def _choose_method(self, index: int) -> None:
        method, model = self.method.itemData(index)
        if method == "cellpose" and not model:
            self.choose_model()
            return
        settings = self.session.settings
        settings.segment_model = model or settings.segment_model
        settings.segment_method = method

    def choose_model(self) -> None:
        """Ask for a model file of Cellpose."""
        path, _ = QFileDialog.getOpenFileName(self, "A model that Cellpose has trained", "", MODELS)
        if path:
            self.session.settings.segment_model = path
            self.session.settings.segment_method = "cellpose"
        self.refresh()
