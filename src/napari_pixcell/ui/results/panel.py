"""The panel under the canvas: the variants, their menu, the comparison with tissue, the queue."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QMenu, QPushButton, QSlider, QStackedWidget, QWidget

from napari_pixcell.studio.results.results import Result
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.arrange import column, keep_room, pop_up, row, show_all
from napari_pixcell.ui.bind import on_edit, set_quietly
from napari_pixcell.ui.dialogs import ask_target
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.messages import Messages
from napari_pixcell.ui.results.queue import QueueList
from napari_pixcell.ui.results.strip import Strip
from napari_pixcell.ui.widgets import Text, allow, button, calm_wheel, check_box, name_for_readers
from napari_pixcell.words import counted

FINE = 1000  # positions of the divider
QUEUE_PX, DIVIDER_PX = 300, 130
EXPORT = "export"  # the section of messages about exports
EMPTY = "Variants appear here, and exactly over their region."
RESEARCH = "For research use only"


class ResultsPanel(QWidget):
    """The strip of variants, what is known of the one that is shown, and the queue.

    It has a dock of its own under the canvas, so that results are in sight on every tab.

    Parameters
    ----------
    session : Session
    about : str
        What the window is for and what not.
    export : callable
        Asks for a folder, and exports the variants there.
    """

    def __init__(self, session: Session, about: str, export: Callable[[], Any]) -> None:
        super().__init__()
        self.session = session
        gallery = session.gallery
        self.count = Text()
        self.count.setStyleSheet("font-weight: bold;")
        self.messages = Messages(session, "results", lines=1)
        tip = (
            "Compare the variant with the tissue, which is shown left of a divider. "
            "Drag the divider on the canvas or here."
        )
        self.swipe = check_box("Swipe", tip)
        on_edit(self.swipe, gallery.swipe.switch)
        self.divider = QSlider(Qt.Orientation.Horizontal)
        self.divider.setRange(0, FINE)
        self.divider.setToolTip(tr("Position of the divider"))
        self.divider.setFixedWidth(DIVIDER_PX)
        on_edit(self.divider, lambda value: gallery.swipe.move(value / FINE))
        tip = "Write images, masks and their records to a folder"
        self.export_button = button("Export…", tip, export)
        research = Text(RESEARCH, small=True)
        research.setWordWrap(False)
        keep_room(self.swipe, self.divider, self.export_button)
        research.setToolTip(tr(about))
        self.hint = Text(EMPTY)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.strip = Strip(gallery, session.background, session.grids.caption)
        self.strip.menu_wanted.connect(self._menu)
        self.queue = QueueList(session)
        self.queue.setFixedWidth(QUEUE_PX)
        compare = self.swipe, self.divider, self.export_button
        head = row(self.count, self.messages, *compare, research, stretch=1)
        self.pages = QStackedWidget()  # as high without variants, so that nothing moves
        self.pages.addWidget(self.hint)
        self.pages.addWidget(self.strip)
        stack = column(self, head, row(self.pages, self.queue, stretch=0))
        stack.setStretch(1, 1)
        stack.setContentsMargins(6, 2, 6, 2)
        for result in gallery.results:  # of a session that went on without a dock
            self.strip.add(result)
        gallery.added.connect(self.strip.add)
        gallery.removed.connect(self.strip.remove)
        name_for_readers(self)
        calm_wheel(self)

    def let_go(self) -> None:
        """Follow the session no longer, which may go on."""
        gallery = self.session.gallery
        gallery.added.disconnect(self.strip.add)
        gallery.removed.disconnect(self.strip.remove)

    @property
    def note(self) -> Text:
        return self.messages.note

    @property
    def action(self) -> QPushButton:
        return self.messages.action

    def refresh(self) -> None:
        gallery = self.session.gallery
        results, swipe, looked = gallery.results, gallery.swipe, gallery.looked
        self.count.say(_count(results))
        self.pages.setCurrentWidget(self.strip if results else self.hint)
        show_all(bool(results), self.swipe, self.divider, self.export_button)
        allow(self.export_button, self.session.exporter.why_not())
        self.strip.viewport().update()
        self.strip.model_.forget_pictures()
        set_quietly(self.swipe, swipe.on)
        set_quietly(self.divider, swipe.at * FINE)
        reason = swipe.why_not(looked)
        allow(self.divider, reason if swipe.on else "Switch “Swipe” on first")
        sides = reason or (swipe.words(looked) if looked is not None else "")
        told = sides if swipe.on and results else self._about(looked)
        self.queue.refresh()
        self._report(told)

    def _report(self, state: str) -> None:
        """Show the message about the variants, or else about their export."""
        gallery, notices = self.session.gallery, self.session.notices
        problem, note = self.messages.problem_now(), self.messages.note_now()
        show = self.messages.show_message
        if problem or note:
            undo = "Undo discard" if gallery.discarded and not problem else ""
            show(problem, "" if problem else note, undo, gallery.undo_discard)
        else:
            problem, note = notices.problems.get(EXPORT, ""), notices.notes.get(EXPORT, "")
            show(problem, note, state=state, dismiss=partial(notices.say, EXPORT, ""))

    def _about(self, result: Result | None) -> str:
        """Return what is known of the variant that is shown: “3 of 4 · seed 1234 · …”."""
        if result is None:
            return ""
        job = [one for one in self.session.gallery.results if one.job == result.job]
        place = f"{job.index(result) + 1} of {len(job)}" if result in job else ""
        told = place, self.session.grids.caption(result), result.nuclei
        return f"{result.target.name}: {' · '.join(filter(None, told))}"

    def _menu(self, position: QPoint) -> None:
        pop_up(result_menu(self, self.session, self.strip.chosen()), position)


def _count(results: list[Result]) -> str:
    if not results:
        return ""
    starred = sum(result.starred for result in results)
    return counted(len(results), "variant") + (f", {starred} ★" if starred else "")


def result_menu(parent: QWidget, session: Session, results: Sequence[Result]) -> QMenu:
    """Build the menu of the selected variants."""
    menu, gallery = QMenu(parent), session.gallery
    starred = all(result.starred for result in results)
    one, several = results[0], len(results) > 1
    count = f" {len(results)} variants" if several else ""
    star = "Remove star" if starred else f"Star{count}"
    menu.addAction(tr(star), lambda: gallery.star(list(results), not starred))
    if not several:
        _add_single(menu, session, one)
    menu.addSeparator()
    menu.addAction(tr(f"Discard{count}"), lambda: gallery.discard(*results))
    return menu


def _add_single(menu: QMenu, session: Session, result: Result) -> None:
    settings, gallery, request = session.settings, session.gallery, result.record.request
    looked = gallery.looked
    if looked is not None and looked is not result and looked.target.number == result.target.number:
        menu.addAction(tr("Swipe against visible variant"), lambda: gallery.swipe_against(result))
    menu.addSeparator()
    menu.addAction(tr("Use these settings"), lambda: settings.use(request))
    menu.addAction(tr("Use this seed"), lambda: settings.repeat_seed(result.seed))
    menu.addAction(tr("Use as style"), lambda: session.styles.add_variant(result))
    menu.addSeparator()
    clipboard = QGuiApplication.clipboard()
    if clipboard is not None:
        menu.addAction(tr("Copy seed"), lambda: clipboard.setText(str(result.seed)))
        menu.addAction(tr("Copy record"), lambda: clipboard.setText(record_text(session, result)))
    menu.addAction(tr("Save image…"), lambda: _save(menu.parentWidget(), session, result))


def record_text(session: Session, result: Result) -> str:
    """Return a variant's record as JSON, with the slide name used in exports."""
    from napari_pixcell.datasets.marks import for_export  # slow to import

    record = for_export(result.named(session.exporter.name))
    return json.dumps(record.to_dict(), indent=1)


def _save(parent: QWidget | None, session: Session, result: Result) -> None:
    name, suffix = session.exporter.picture_name(result)
    kinds = f"{'OME-TIFF' if suffix != '.png' else 'PNG'} (*{suffix})"
    ask_target(parent, "Save image", name, kinds, partial(session.exporter.save_picture, result))
