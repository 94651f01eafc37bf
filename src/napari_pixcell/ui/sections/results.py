"""What was made, and what is done with it."""

from __future__ import annotations

from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QCheckBox, QSlider

from napari_pixcell.studio.results.results import Result
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.key_table import key_list
from napari_pixcell.ui.results.menu import result_menu
from napari_pixcell.ui.results.strip import Strip
from napari_pixcell.ui.widgets import More, Section, Text, allow, row

FINE = 1000  # places of the divider


class ResultsSection(Section):
    """For each job the tissue, the layout, and the variants made from them; and the divider."""

    def __init__(self, session: Session) -> None:
        super().__init__("results", "Results")
        self.session = session
        self.hint = Text("Variants appear here and exactly over their region.", small=True)
        self.content.addWidget(self.hint)
        self.count = Text(small=True)
        self.content.addWidget(self.count)
        self.strip = Strip(session.gallery, session.background)
        self.strip.menu_wanted.connect(self._menu)
        self.content.addWidget(self.strip)
        self.swipe = QCheckBox("Swipe")
        self.swipe.setToolTip(
            "A line over the variant: left of it the tissue, right of it the variant."
            " Drag it on the canvas, or here."
        )
        self.swipe.toggled.connect(session.gallery.swipe.switch)
        self.place = QSlider(Qt.Orientation.Horizontal)
        self.place.setRange(0, FINE)
        self.place.setAccessibleName("Place of the line")
        self.place.setToolTip("Place of the line")
        self.place.valueChanged.connect(lambda value: session.gallery.swipe.move(value / FINE))
        self.sides = Text(small=True)
        self.content.addLayout(row(self.swipe, self.place))
        self.content.addWidget(self.sides)
        self.keys = More("Keys")
        self.keys.content.addWidget(Text(key_list(), small=True))
        self.finish()
        self.content.addWidget(self.keys)
        session.gallery.added.connect(self.strip.add)
        session.gallery.removed.connect(self.strip.remove)

    def refresh(self) -> None:
        """Show which variants are seen and kept."""
        gallery = self.session.gallery
        results, swipe = gallery.results, gallery.swipe
        self.hint.setVisible(not results)
        self.count.say(_count(results))
        self.strip.setVisible(bool(results))
        self.strip.viewport().update()
        self.strip.model_.forget_pictures()
        for widget in (self.swipe, self.place):
            widget.setVisible(bool(results))
        self.swipe.blockSignals(True)
        self.swipe.setChecked(swipe.on)
        self.swipe.blockSignals(False)
        self.place.blockSignals(True)
        self.place.setValue(round(swipe.at * FINE))
        self.place.blockSignals(False)
        reason = swipe.why_not(gallery.looked)
        allow(self.place, reason if swipe.on else "Switch “Swipe” on first")
        words = reason or (swipe.words(gallery.looked) if gallery.looked is not None else "")
        self.sides.say(words if swipe.on and results else "")
        problem, note = self.session.problems.get("results", ""), ""
        if not problem:
            note = self.session.notes.get("results", "")
        undo = bool(gallery.discarded) and not problem
        self.tell(problem, note, "Undo discard" if undo else "", gallery.undo_discard)

    def _menu(self, place: QPoint) -> None:
        menu = result_menu(self, self.session, self.strip.chosen())
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(place)


def _count(results: list[Result]) -> str:
    if not results:
        return ""
    kept = sum(result.starred for result in results)
    made = f"{len(results)} variant{'' if len(results) == 1 else 's'}"
    return f"{made}, {kept} kept" if kept else made
