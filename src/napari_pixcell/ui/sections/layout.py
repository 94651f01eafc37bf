"""Where the cells are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QLabel,
    QProgressBar,
    QSizePolicy,
    QSpinBox,
    QWidget,
)
from superqt import QLabeledDoubleSlider

from napari_pixcell.cells.methods import CELLPOSE_MODEL
from napari_pixcell.models.catalogue import CELLPOSE
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.layers import LayerLink
from napari_pixcell.ui.parts import BLUE, Section, Text, button, put, row

MODELS = "Cellpose models (*)"
OWN = "Own model file…"
FILES = "Label images (*.tif *.tiff *.png *.npy);;All files (*)"


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
            "Segment nuclei", "Find the nuclei in the region, as a layer to edit", session.segment
        )
        self.paint_button = button(
            "Paint", "Paint cells by hand: every label is one cell", link.paint
        )
        self.import_button = button(
            "Import mask…",
            "A label image of the region's size: TIFF, PNG or NPY",
            self.choose,
        )
        self.none_button = button("No layout", "Let cells fall where they may", self.clear_layout)
        line = self.add(self.segment_button, QLabel("by"), self.method)
        line.setStretch(2, 1)
        self.diameter_label = QLabel("Diameter of a cell")
        self.add(self.diameter_label, self.diameter).setStretch(1, 1)
        self.add(self.paint_button, self.import_button, self.none_button)
        self.state = Text()
        self.content.addWidget(self.state)
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
        self.content.addWidget(self.progress)
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
        busy = job is not None
        for made in (self.paint_button, self.import_button):
            made.setEnabled(there and not busy)
        self.segment_button.setEnabled(there and not busy and not session.no_segmenting)
        self._show_method()
        self.none_button.setEnabled(layout is not None and not busy)
        if item is None:
            self.state.say("Add a region first")
        elif not session.takes_layout:
            self.state.say(f"{session.settings.model.title} takes no layout: cells fall anywhere")
        elif job is not None:
            self.state.say(job.sentence())
        elif layout is None:
            self.state.say("No layout: cells fall where they may")
        else:
            origin = f" ({item.layout_origin})" if item.layout_origin else ""
            self.state.say(f"{item.layout_text}{origin}")
        for widget in (self.strength, self.strength_label):
            widget.setVisible(layout is not None and session.takes_layout)
        put(self.strength, session.settings.layout_strength)
        self.progress.setVisible(job is not None and job.how.method != "builtin")
        if job is not None:
            self.bar.setRange(0, job.total if job.done else 0)
            self.bar.setValue(job.done)
            self.cancel_button.setEnabled(job.can_cancel)
        problem = session.problems.get("layout", "")
        if there and session.no_segmenting:
            self.tell(problem or session.no_segmenting, "", *self._remedy())
        else:
            self.tell(problem, session.notes.get("layout", ""))

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

    def _remedy(self) -> tuple[str, Callable[[], None]]:
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

    def choose(self) -> None:
        """Ask for a label image."""
        path, _ = QFileDialog.getOpenFileName(self, "Import a mask", "", FILES)
        if path:
            self.session.import_layout(Path(path))

    def clear_layout(self) -> None:
        """Do without a layout."""
        if self.session.active is not None:
            self.session.set_layout(self.session.active.number, None)
