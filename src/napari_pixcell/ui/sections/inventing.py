"""Layouts invented from statistics, and variations of existing ones."""

from __future__ import annotations

from functools import partial
from typing import Any

from qtpy.QtWidgets import QSizePolicy, QSpinBox

from napari_pixcell.cells.inventing.recipe import Recipe
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.arrange import More, field_grid, labelled, row, show_all
from napari_pixcell.ui.bind import on_edit, set_quietly
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.sections.classes import NO_CLASS
from napari_pixcell.ui.widgets import Bar, allow, button, combo, number, offer, slider

LABELS = {
    "density": "Density",
    "area_um2": "Cell area",
    "area_spread": "Size variation",
    "elongation": "Elongation",
    "clustering": "Clustering",
    "alignment": "Alignment",
    "seed": "Seed",
}
PICKED = "the picked class"
OWN = 0  # item data of the entry for the numbers as they are


class InventPanel(More):
    """Invents cells in the active region, or varies the existing ones."""

    def __init__(self, session: Session) -> None:
        super().__init__("Invent", "Create a layout from statistics, or vary an existing one")
        self.session, self.invention = session, session.invention
        self.like = combo("Copy the statistics of an existing layout")
        self.like.activated.connect(self._measure)
        density = "Cell density. The marked area may have a higher or lower one."
        seed = "Seed of the layout. It reproduces the cells and advances after each."
        self.fields: dict[str, Any] = {
            "density": number(0, 30_000, density, unit=" per mm²", step=250),
            "area_um2": number(5, 400, "Median cell area", unit=" µm²"),
            "area_spread": slider(0, 1.5, "0 gives equal sizes, higher values more varied ones"),
            "elongation": slider(1, 4, "1 gives round cells, higher values longer ones"),
            "clustering": slider(0, 1, "0 is evenly spaced, 0.5 random, 1 clustered"),
            "alignment": slider(0, 1, "0 is random orientation, 1 full alignment"),
            "seed": number(0, 2**31 - 1, seed),
        }
        for name, field in self.fields.items():
            on_edit(field, partial(self._change, name))
        fill = "Fill the region or its marked area with cells"
        self.invent_button = button("Invent cells", fill, session.invention.invent)
        keep = "Cancel and keep the layout as it is (Esc)"
        self.cancel_button = button("Cancel", keep, session.invention.cancel, "cancel invent")
        vary = "Move some of the existing cells, remove some, and add some"
        self.vary_button = button("Vary cells", vary, self._vary)
        self.jitter = _amount(2, 50, "", " µm", "Distance by which cells move")
        self.drop = _amount(10, 100, "− ", " %", "Percentage of the cells that are removed")
        self.more = _amount(10, 500, "+ ", " %", "Percentage of cells that are added")
        self.bar = Bar()
        tip = "Classes of the cells: the picked one, or those of the template in its proportions"
        self.classes = combo(tip, name="Classes")
        self.classes.activated.connect(self._use_classes)
        self.classes_row = labelled("Classes", self.classes)
        lines = [(label, self.fields[name]) for name, label in LABELS.items()]
        fields = field_grid(("Template", self.like), *lines)
        inventing = row(self.invent_button, self.cancel_button)
        varying = row(self.vary_button, self.jitter, self.drop, self.more, stretch=(1, 2, 3))
        self.stack(fields, self.classes_row, inventing, varying, self.bar)

    def _change(self, name: str, value: float) -> None:
        kind = type(getattr(Recipe(), name))
        self.invention.change(**{name: kind(value)})

    def _vary(self) -> None:
        drop, more = self.drop.value() / 100, self.more.value() / 100
        self.invention.vary(self.jitter.value(), drop, more)

    def _measure(self, index: int) -> None:
        number = self.like.itemData(index)
        if number != OWN:
            self.invention.measure_like(number)

    def _use_classes(self, index: int) -> None:
        if not self.classes.itemData(index):
            self.invention.change(classes=())

    def _show_classes(self) -> None:
        recipe, session = self.invention.recipe, self.session
        self.classes_row.setVisible(bool(session.classes.palette))
        picked = session.classes.picked or NO_CLASS
        total = sum(share for _, share in recipe.classes)
        parts = [f"{name} {share / total:.0%}" for name, share in recipe.classes]
        mixed = [(", ".join(parts), True)] if parts else []
        offer(self.classes, [(f"{PICKED} ({picked})", False), *mixed])
        set_quietly(self.classes, bool(parts))

    def refresh(self) -> None:
        session, invention, item = self.session, self.invention, self.session.regions.active
        busy = "Another layout is being computed" if invention.busy else ""
        allow(self.invent_button, session.layouts.why_no_cells() or busy)
        empty = "" if item is not None and item.cells else "The layout has no cells to vary"
        allow(self.vary_button, session.layouts.why_no_change() or empty or busy)
        making = invention.task
        show_all(making is not None, self.bar, self.cancel_button)
        if making is not None:
            self.bar.advance(making.done, making.total)
        others = [(f"cells of {r.name}", r.number) for r in session.regions.current if r.cells]
        offer(self.like, [(tr("custom values"), OWN), *others])
        if not invention.busy:
            set_quietly(self.like, OWN)
        for name, field in self.fields.items():
            set_quietly(field, getattr(invention.recipe, name))
        self._show_classes()


def _amount(value: int, most: int, before: str, unit: str, tip: str) -> QSpinBox:
    made = number(0, most, tip, before=before, unit=unit, value=value, width=56)
    made.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)  # there is no room for them
    made.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return made
