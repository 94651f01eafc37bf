"""The Results section: the variants, and the divider that compares one with the tissue."""

from __future__ import annotations

from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QSlider

from napari_pixcell.studio.results.results import Result
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.bind import on_edit, set_quietly
from napari_pixcell.ui.key_table import key_list
from napari_pixcell.ui.results.menu import result_menu
from napari_pixcell.ui.results.strip import Strip
from napari_pixcell.ui.sections.base import Section
from napari_pixcell.ui.widgets import More, Text, allow, check_box, show_all
from napari_pixcell.words import counted

FINE = 1000  # positions of the divider


class ResultsSection(Section):
    """For each job the tissue, the layout and the variants generated from them."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, "results", "Results")
        gallery = session.gallery
        self.hint = Text("Variants appear here and exactly over their region.", small=True)
        self.count = Text(small=True)
        self.strip = Strip(gallery, session.background)
        self.strip.menu_wanted.connect(self._menu)
        self.swipe = check_box(
            "Swipe",
            "Compare the variant with the tissue, which is shown left of a divider. "
            "Drag the divider on the canvas or here.",
        )
        on_edit(self.swipe, gallery.swipe.switch)
        self.divider = QSlider(Qt.Orientation.Horizontal)
        self.divider.setRange(0, FINE)
        self.divider.setToolTip("Position of the divider")
        on_edit(self.divider, lambda value: gallery.swipe.move(value / FINE))
        self.sides = Text(small=True)
        self.keys = More("Keyboard shortcuts")
        self.keys.content.addWidget(Text(key_list(), small=True))
        for widget in (self.hint, self.count, self.strip):
            self.content.addWidget(widget)
        self.add(self.swipe, self.divider)
        self.content.addWidget(self.sides)
        self.foot.addWidget(self.keys)
        gallery.added.connect(self.strip.add)
        gallery.removed.connect(self.strip.remove)

    def refresh(self) -> None:
        gallery = self.session.gallery
        results, swipe = gallery.results, gallery.swipe
        self.hint.setVisible(not results)
        self.count.say(_count(results))
        self.strip.viewport().update()
        self.strip.model_.forget_pictures()
        show_all(bool(results), self.strip, self.swipe, self.divider)
        set_quietly(self.swipe, swipe.on)
        set_quietly(self.divider, swipe.at * FINE)
        reason = swipe.why_not(gallery.looked)
        allow(self.divider, reason if swipe.on else "Switch “Swipe” on first")
        words = reason or (swipe.words(gallery.looked) if gallery.looked is not None else "")
        self.sides.say(words if swipe.on and results else "")
        problem = self.problem_now()
        undo = bool(gallery.discarded) and not problem
        self.report(
            note="" if problem else None,
            action="Undo discard" if undo else "",
            act=gallery.undo_discard,
        )

    def _menu(self, position: QPoint) -> None:
        menu = result_menu(self, self.session, self.strip.chosen())
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(position)


def _count(results: list[Result]) -> str:
    if not results:
        return ""
    kept = sum(result.starred for result in results)
    return counted(len(results), "variant") + (f", {kept} kept" if kept else "")
