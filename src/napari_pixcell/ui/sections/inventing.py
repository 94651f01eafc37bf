"""Layouts by numbers."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QComboBox, QGridLayout, QLabel, QProgressBar, QSizePolicy, QSpinBox
from superqt import QLabeledDoubleSlider

from napari_pixcell.studio.session import Session
from napari_pixcell.ui.widgets import BLUE, More, allow, button, put, row, slim

OWN = 0  # the numbers as they stand


class Inventing(More):
    """Invents the cells of the active region, or varies those that are there.

    Parameters
    ----------
    session : Session
        Its state.
    """

    def __init__(self, session: Session) -> None:
        super().__init__("Invent cells")
        self.session = session
        self.button.setToolTip("Make a layout by numbers, or like that of another region")
        self.like = QComboBox()
        self.like.setToolTip("Measure a layout, and invent others that are like it")
        self.like.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.like.activated.connect(self._measure)
        self.density = QSpinBox()
        self.density.setRange(0, 30_000)
        self.density.setSingleStep(250)
        self.density.setSuffix(" per mm²")
        self.density.setToolTip("How many cells; more or fewer where you marked a part so")
        self.density.valueChanged.connect(lambda value: session.change_recipe(density=float(value)))
        self.area = QSpinBox()
        self.area.setRange(5, 400)
        self.area.setSuffix(" µm²")
        self.area.setToolTip("Median area of a cell")
        self.area.valueChanged.connect(lambda value: session.change_recipe(area_um2=float(value)))
        self.mixed = self._slider(
            0, 1.5, "From all of one size to very different ones", "area_spread"
        )
        self.elongation = self._slider(1, 4, "From round to long", "elongation")
        self.clustering = self._slider(0, 1, "From evenly spaced to in clusters", "clustering")
        self.alignment = self._slider(0, 1, "From any direction to all in one", "alignment")
        self.seed = QSpinBox()
        self.seed.setRange(0, 2**31 - 1)
        self.seed.setToolTip("The same numbers and seed give the same cells; it moves on by itself")
        self.seed.valueChanged.connect(lambda value: session.change_recipe(seed=int(value)))
        self.invent_button = button("Invent", "Place such cells", session.invent)
        self.vary_button = button(
            "Vary", "Move the cells that are there, leave some out, add some", self._vary
        )
        self.jitter = self._part(2, 50, "", " µm", "How far cells are moved")
        self.drop = self._part(10, 100, "− ", " %", "How many of the cells are left out")
        self.more = self._part(10, 500, "+ ", " %", "How many are added, of those there are")
        grid = QGridLayout()
        grid.setSpacing(3)
        rows = (
            ("Like", self.like),
            ("Cells", self.density),
            ("Size", self.area),
            ("Mixed", self.mixed),
            ("Long", self.elongation),
            ("Clustered", self.clustering),
            ("Aligned", self.alignment),
            ("Seed", self.seed),
        )
        for index, (words, widget) in enumerate(rows):
            grid.addWidget(QLabel(words), index, 0)
            grid.addWidget(widget, index, 1)
        grid.setColumnStretch(1, 1)
        self.content.addLayout(grid)
        self.cancel_button = button(
            "Cancel",
            "Stop; the layout stays as it is (Esc)",
            session.cancel_inventing,
            "cancel invent",
        )
        self.content.addLayout(row(self.invent_button, self.cancel_button))
        varying = row(self.vary_button, self.jitter, self.drop, self.more)
        for place in (1, 2, 3):
            varying.setStretch(place, 1)
        self.content.addLayout(varying)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.bar.setStyleSheet(f"QProgressBar::chunk {{ background: {BLUE}; }}")
        self.content.addWidget(self.bar)

    def _slider(self, low: float, high: float, tip: str, name: str) -> QLabeledDoubleSlider:
        made = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        made.setRange(low, high)
        made.setDecimals(2)
        made.setToolTip(tip)
        made.valueChanged.connect(
            lambda value: self.session.change_recipe(**{name: round(float(value), 2)})
        )
        return made

    def _part(self, value: int, most: int, before: str, unit: str, tip: str) -> QSpinBox:
        made = QSpinBox()
        made.setRange(0, most)
        made.setValue(value)
        made.setPrefix(before)
        made.setSuffix(unit)
        made.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)  # for which there is no room
        made.setToolTip(tip)
        slim(made, 56)
        made.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        return made

    def _vary(self) -> None:
        self.session.vary(self.jitter.value(), self.drop.value() / 100, self.more.value() / 100)

    def _measure(self, index: int) -> None:
        number = self.like.itemData(index)
        if number != OWN:
            self.session.measure_like(number)

    def refresh(self) -> None:
        """Show the session's state."""
        session, item, recipe = self.session, self.session.active, self.session.recipe
        busy = "Cells are being made" if session.inventing else ""
        allow(self.invent_button, session.why_no_cells() or busy)
        empty = "" if item is not None and item.cells else "There are no cells to vary yet"
        allow(self.vary_button, session.why_no_change() or empty or busy)
        making = session.making
        self.bar.setVisible(making is not None)
        self.cancel_button.setVisible(making is not None)
        if making is not None:
            self.bar.setRange(0, making.total if making.done else 0)
            self.bar.setValue(making.done)
        choices = [("these numbers", OWN)]
        choices += [(f"the cells of {r.name}", r.number) for r in session.regions if r.cells]
        known = [(self.like.itemText(i), self.like.itemData(i)) for i in range(self.like.count())]
        if known != choices:
            with QSignalBlocker(self.like):
                self.like.clear()
                for text, number in choices:
                    self.like.addItem(text, number)
        if not session.inventing:
            with QSignalBlocker(self.like):
                self.like.setCurrentIndex(0)
        put(self.density, round(recipe.density))
        put(self.area, round(recipe.area_um2))
        for slider, value in (
            (self.mixed, recipe.area_spread),
            (self.elongation, recipe.elongation),
            (self.clustering, recipe.clustering),
            (self.alignment, recipe.alignment),
        ):
            if abs(slider.value() - value) > 0.006:
                put(slider, round(value, 2))
        put(self.seed, recipe.seed)
