"""The Results section: the variants, their menu, and the divider that compares with the tissue."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QMenu, QSlider, QWidget

from napari_pixcell.datasets.marks import for_export
from napari_pixcell.studio.results.results import Result
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.arrange import More, show_all
from napari_pixcell.ui.bind import on_edit, set_quietly
from napari_pixcell.ui.dialogs import ask_target
from napari_pixcell.ui.key_table import key_list
from napari_pixcell.ui.results.strip import Strip
from napari_pixcell.ui.sections.base import Section
from napari_pixcell.ui.widgets import Text, allow, check_box
from napari_pixcell.words import counted

FINE = 1000  # positions of the divider


class ResultsSection(Section):
    """For each job the tissue, the layout and the variants generated from them."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, "results", "Results")
        gallery = session.gallery
        self.hint = Text("Variants appear here and exactly over their region.", small=True)
        self.count = Text(small=True)
        self.strip = Strip(gallery, session.background, session.grids.caption)
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
        self.keys.stack(Text(key_list(), small=True))
        self.nuclei = Text(small=True)
        self.stack(self.hint, self.count, self.strip, self.nuclei)
        self.add(self.swipe, self.divider)
        self.stack(self.sides)
        self.foot.addWidget(self.keys)
        for result in gallery.results:  # of a session that went on without a dock
            self.strip.add(result)
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
        self.nuclei.say(gallery.looked.nuclei if gallery.looked is not None else "")
        set_quietly(self.swipe, swipe.on)
        set_quietly(self.divider, swipe.at * FINE)
        reason = swipe.why_not(gallery.looked)
        allow(self.divider, reason if swipe.on else "Switch “Swipe” on first")
        words = reason or (swipe.words(gallery.looked) if gallery.looked is not None else "")
        self.sides.say(words if swipe.on and results else "")
        problem = self.problem_now()
        undo = "Undo discard" if gallery.discarded and not problem else ""
        self.report(note="" if problem else None, action=undo, act=gallery.undo_discard)

    def _menu(self, position: QPoint) -> None:
        menu = result_menu(self, self.session, self.strip.chosen())
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(position)


def _count(results: list[Result]) -> str:
    if not results:
        return ""
    starred = sum(result.starred for result in results)
    return counted(len(results), "variant") + (f", {starred} starred" if starred else "")


def result_menu(parent: QWidget, session: Session, results: Sequence[Result]) -> QMenu:
    """Build the menu of the selected variants."""
    menu, gallery = QMenu(parent), session.gallery
    starred = all(result.starred for result in results)
    one, several = results[0], len(results) > 1
    count = f" {len(results)} variants" if several else ""
    star = "Remove star" if starred else f"Star{count}"
    menu.addAction(star, lambda: gallery.star(list(results), not starred))
    if not several:
        _add_single(menu, session, one)
    menu.addSeparator()
    menu.addAction(f"Discard{count}", lambda: gallery.discard(*results))
    return menu


def _add_single(menu: QMenu, session: Session, result: Result) -> None:
    settings, gallery, request = session.settings, session.gallery, result.record.request
    looked = gallery.looked
    if looked is not None and looked is not result and looked.target.number == result.target.number:
        menu.addAction("Swipe against visible variant", lambda: gallery.swipe_against(result))
    menu.addSeparator()
    menu.addAction("Use these settings", lambda: settings.use(request))
    menu.addAction("Use this seed", lambda: settings.repeat_seed(result.seed))
    menu.addAction("Use as style", lambda: session.styles.add_variant(result))
    menu.addSeparator()
    clipboard = QGuiApplication.clipboard()
    if clipboard is not None:
        menu.addAction("Copy seed", lambda: clipboard.setText(str(result.seed)))
        menu.addAction("Copy record", lambda: clipboard.setText(record_text(session, result)))
    menu.addAction("Save image…", lambda: _save(menu.parentWidget(), session, result))


def record_text(session: Session, result: Result) -> str:
    """Return a variant's record as JSON, with the slide name used in exports."""
    record = for_export(result.named(session.exporter.name))
    return json.dumps(record.to_dict(), indent=1)


def _save(parent: QWidget | None, session: Session, result: Result) -> None:
    name, suffix = session.exporter.picture_name(result)
    kinds = f"{'OME-TIFF' if suffix != '.png' else 'PNG'} (*{suffix})"
    ask_target(parent, "Save image", name, kinds, partial(session.exporter.save_picture, result))
