"""The Measure IHC section: positive nuclei and staining scores."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from qtpy.QtWidgets import QLabel, QWidget

from napari_pixcell.studio.measures import SECTION
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.arrange import column, field_grid, row
from napari_pixcell.ui.bind import on_edit, set_quietly
from napari_pixcell.ui.dialogs import ask_target
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.layers.measured import COLOURS
from napari_pixcell.ui.results.measured_table import MeasuredTable
from napari_pixcell.ui.sections.base import Section
from napari_pixcell.ui.widgets import allow, button, check_box, slider

THRESHOLD = "Mean DAB optical density at which a nucleus counts as {}"
GRADES = ("1+", "2+", "3+")
LARGEST = 1.5  # optical density
CSV = "Table (*.csv)"


class MeasureSection(Section):
    """Measures real or virtual IHC, and shows scores and nuclei."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, SECTION, "Measure IHC", lines=1)
        measures = session.measures
        tip = "Measure haematoxylin and DAB in the region's own tissue, on slides of real IHC"
        self.tissue_button = button("Measure tissue", tip, measures.measure)
        tip = "Measure haematoxylin and DAB in the variant shown, such as a virtual stain"
        self.variant_button = button("Measure variant", tip, self.measure_variant)
        self.add(self.tissue_button, self.variant_button)
        self.table = MeasuredTable(measures)
        self.sliders = [slider(0.01, LARGEST, THRESHOLD.format(grade)) for grade in GRADES]
        lines: list[tuple[str | QWidget, QWidget]] = []
        for index, grade in enumerate(GRADES):
            field = self.sliders[index]
            field.setSingleStep(0.01)
            on_edit(field, partial(measures.move_threshold, index))
            square = f'<span style="color: {COLOURS[index + 1]}">■</span>'
            label = QLabel(tr(f"{square} {grade} threshold"))
            label.setToolTip(field.toolTip())
            lines.append((label, field))
        tip = "Show the classes as a layer. Hover over a nucleus for its DAB."
        self.colours = check_box("Colour nuclei by class", tip)
        on_edit(self.colours, measures.colour)
        self.csv_button = button("Save table…", "Save the table and its thresholds", self.save)
        tip = "Save the DAB of each nucleus of the selected row"
        self.nuclei_button = button("Save nuclei…", tip, self.save_nuclei)
        tip = "Copy the rows for a spreadsheet (Ctrl+C)"
        self.copy_button = button("Copy rows", tip, self.table.copy)
        tip = "Remove the selected rows (Delete)"
        self.remove_button = button("Remove rows", tip, self.table.remove)
        self.outcome = QWidget()
        column(
            self.outcome,
            self.table,
            field_grid(*lines),
            self.colours,
            row(self.csv_button, self.nuclei_button),
            row(self.copy_button, self.remove_button),
            spacing=4,
        )
        self.stack(self.outcome)

    def refresh(self) -> None:
        measures = self.session.measures
        allow(self.tissue_button, measures.why_not())
        allow(self.variant_button, measures.why_not_variant())
        self.outcome.setVisible(bool(measures.rows))
        if measures.rows:
            self.table.refresh()
        now = measures.thresholds
        for field, value in zip(self.sliders, (now.weak, now.moderate, now.strong), strict=True):
            set_quietly(field, value)
        set_quietly(self.colours, measures.coloured)
        self.report(state="Measuring…" if measures.busy else "")

    def measure_variant(self) -> None:
        variant = self.session.measures.seen_variant
        if variant is not None:
            self.session.measures.measure(variant)

    def save(self) -> None:
        save = self.session.measures.save
        ask_target(self, "Save table", "ihc.csv", CSV, lambda path: save(path.with_suffix(".csv")))

    def save_nuclei(self) -> None:
        measures, chosen = self.session.measures, self.session.measures.chosen

        def save(path: Path) -> None:
            if chosen is not None:
                measures.save_nuclei(path.with_suffix(".csv"), chosen)

        if chosen is not None:
            ask_target(self, "Save nuclei", "nuclei.csv", CSV, save)
