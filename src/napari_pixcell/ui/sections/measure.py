"""How much of the tissue is brown."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QSettings, QSignalBlocker, Qt
from qtpy.QtWidgets import QCheckBox, QFileDialog, QGridLayout, QLabel, QWidget
from superqt import QLabeledDoubleSlider

from napari_pixcell.studio.measures import SECTION
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.layers.measured import COLOURS
from napari_pixcell.ui.results.measured_table import MeasuredTable
from napari_pixcell.ui.widgets import Section, Text, allow, button, put, row

TISSUE = "Measure haematoxylin and DAB of the region's own tissue, for a slide of real IHC"
VARIANT = "Measure haematoxylin and DAB of the variant that is seen, such as a virtual stain"
GRADES = ("1+ from", "2+ from", "3+ from")
MOST = 1.5
CSV = "Table (*.csv)"
KEY = f"open/{SECTION}"


class MeasureSection(Section):
    """Measures IHC, real or virtual, and shows the numbers and the nuclei.

    Parameters
    ----------
    session : Session
        Its state.
    """

    def __init__(self, session: Session) -> None:
        settings = QSettings("napari-pixcell", "studio")
        if not settings.contains(KEY):  # not what everybody does
            settings.setValue(KEY, False)
        super().__init__(SECTION, "Measure IHC")
        self.session = session
        self.tissue_button = button("Measure the tissue", TISSUE, session.measure)
        self.variant_button = button("Measure the variant", VARIANT, self.measure_variant)
        self.add(self.tissue_button, self.variant_button)
        self.state = Text(small=True)
        self.content.addWidget(self.state)
        self.table = MeasuredTable(session.measures)
        self.colours = QCheckBox("Colour nuclei by class")
        self.colours.setToolTip("As a layer over the picture; hover over a nucleus for its DAB")
        self.colours.toggled.connect(session.measures.colour)
        self.sliders: list[QLabeledDoubleSlider] = []
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(2)
        for index, words in enumerate(GRADES):
            self.sliders.append(self._slider(index))
            label = QLabel(f'<span style="color: {COLOURS[index + 1]}">■</span> {words}')
            label.setToolTip(self.sliders[-1].toolTip())
            grid.addWidget(label, index, 0)
            grid.addWidget(self.sliders[-1], index, 1)
        grid.setColumnStretch(1, 1)
        self.csv_button = button("Save CSV…", "The table, with its thresholds", self.save)
        self.nuclei_button = button(
            "Nuclei…", "The DAB of each nucleus of the chosen row, as CSV", self.save_nuclei
        )
        self.copy_button = button(
            "Copy", "For a spreadsheet (Ctrl+C)", self.table.copy, "copy rows"
        )
        self.remove_button = button(
            "Remove", "Take the selected rows out (Delete)", self.table.remove, "remove rows"
        )
        self.outcome = QWidget()
        stack = QGridLayout(self.outcome)
        stack.setContentsMargins(0, 0, 0, 0)
        stack.setVerticalSpacing(4)
        stack.addWidget(self.table, 0, 0)
        stack.addLayout(grid, 1, 0)
        stack.addWidget(self.colours, 2, 0)
        stack.addLayout(
            row(self.csv_button, self.nuclei_button, self.copy_button, self.remove_button), 3, 0
        )
        self.content.addWidget(self.outcome)
        self.finish()

    def _slider(self, index: int) -> QLabeledDoubleSlider:
        made = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        made.setRange(0.01, MOST)
        made.setDecimals(2)
        made.setSingleStep(0.01)
        made.setToolTip("Mean DAB of a nucleus (optical density) from which it is of this class")
        made.valueChanged.connect(
            lambda value: self.session.measures.move_threshold(index, float(value))
        )
        return made

    def refresh(self) -> None:
        """Show the session's state."""
        session, measures = self.session, self.session.measures
        allow(self.tissue_button, session.why_not_measure())
        allow(self.variant_button, session.why_not_measure_variant())
        self.state.say("Measuring…" if measures.busy else "")
        self.outcome.setVisible(bool(measures.rows))
        if measures.rows:
            self.table.refresh()
        now = measures.thresholds
        for slider, value in zip(self.sliders, (now.weak, now.moderate, now.strong), strict=True):
            if abs(slider.value() - value) > 0.006:
                put(slider, value)
        with QSignalBlocker(self.colours):
            self.colours.setChecked(measures.coloured)
        self.tell(session.problems.get(SECTION, ""), session.notes.get(SECTION, ""))

    def measure_variant(self) -> None:
        """Measure the variant that is seen."""
        if self.session.seen_variant is not None:
            self.session.measure(self.session.seen_variant)

    def save(self) -> None:
        """Ask where the table goes."""
        path, _ = QFileDialog.getSaveFileName(self, "Save the table", "ihc.csv", CSV)
        if path:
            self.session.measures.save(Path(path).with_suffix(".csv"))

    def save_nuclei(self) -> None:
        """Ask where the nuclei of the chosen row go."""
        chosen = self.session.measures.chosen
        if chosen is None:
            return
        path, _ = QFileDialog.getSaveFileName(self, "Save the nuclei", "nuclei.csv", CSV)
        if path:
            self.session.measures.save_nuclei(Path(path).with_suffix(".csv"), chosen)
