"""The foot of the studio: messages, the next step as a blue button, and the progress."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtWidgets import QFrame, QPushButton

from napari_pixcell.studio.generation.job import Job
from napari_pixcell.studio.guide import Kind
from napari_pixcell.studio.session import Session
from napari_pixcell.studio.settings import NOTHING
from napari_pixcell.ui.arrange import column, keep_room, row
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.messages import Messages
from napari_pixcell.ui.slide_actions import SlideActions
from napari_pixcell.ui.widgets import LINK, PRIMARY, Bar, Text, allow, button

BUTTON_PX = 36  # height of the blue button
OPENING_SESSION = "Opening the session…"
FREELY = "or without a layout"
FREE = "Without a layout, cell positions are not preserved."
TIPS: dict[Kind, str] = {
    "open": "Open a slide or an image file. You can also drop it here",
    "pixel size": "Set the pixel size and remember it for this file",
    "model": "Download the model, or add it from a folder",
    "region": "Add a region of one tile at the centre of the view (R)",
    "cells": "Segment the nuclei of the region: they become its layout",
}


class Footer(QFrame):
    """The same on every tab, and as high whatever happens.

    The blue button is the next step: ``guide_button`` until there is something to generate, then
    ``generate_button``. Beside “Find the cells” the latter is a link that goes on without.

    Parameters
    ----------
    session : Session
    actions : SlideActions
    acts : mapping of step to callable
        What the steps do.
    """

    def __init__(
        self, session: Session, actions: SlideActions, acts: dict[Kind, Callable[[], Any]]
    ) -> None:
        super().__init__()
        self.session, self._actions, self._acts = session, actions, acts
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.messages = Messages(session, "generate")
        self.guide_button = button("", "", self._go_on, "next step")
        self.guide_button.setStyleSheet(PRIMARY)
        tip = "Generate variants over the region (G)"
        self.generate_button = button("Generate", tip, session.generator.generate)
        for made in (self.guide_button, self.generate_button):
            made.setFixedHeight(BUTTON_PX)
        self.bar = Bar()
        self.state = Text(small=True, lines=2)
        tip = "Cancel the running job within one step (Esc)"
        self.cancel_button = button("Cancel", tip, session.cancel)
        keep_room(self.bar, self.cancel_button)
        steps = row(self.guide_button, self.generate_button, stretch=(0, 1))
        progress = row(self.state, self.cancel_button, stretch=0)
        stack = column(self, self.messages, steps, self.bar, progress, spacing=3)
        stack.setContentsMargins(4, 4, 4, 2)

    @property
    def problem(self) -> Text:
        return self.messages.problem

    @property
    def note(self) -> Text:
        return self.messages.note

    @property
    def action(self) -> QPushButton:
        return self.messages.action

    def _go_on(self) -> None:
        self._acts[self.session.guide.step().kind]()

    def refresh(self) -> None:
        self._show_step()
        self._show_progress()
        self._show_message()

    # -- the next step -------------------------------------------------------------------

    def _show_step(self) -> None:
        guide, generator = self.session.guide, self.session.generator
        step = guide.step()
        generating, beside = step.kind == "generate", step.kind == "cells"
        had_focus = self._focused
        if not generating:
            self.guide_button.setText(tr(step.words))
            self.guide_button.setToolTip(tr(TIPS[step.kind]))
            allow(self.guide_button, step.why_not)
        self.generate_button.setText(tr(FREELY if beside else guide.generate_words()))
        _restyle(self.generate_button, LINK if beside else PRIMARY)
        self.generate_button.setAccessibleName(tr("Generate without a layout" if beside else ""))
        allow(self.generate_button, generator.why_not())
        self.guide_button.setVisible(not generating)
        self.generate_button.setVisible(generating or beside)
        if had_focus and (self.hasFocus() or not self._focused):
            # It is disabled or hidden now. The focus waits here for the blue button.
            blue = self.generate_button if generating else self.guide_button
            (blue if blue.isEnabled() else self).setFocus()

    @property
    def _focused(self) -> bool:
        return any(w.hasFocus() for w in (self, self.guide_button, self.generate_button))

    # -- progress ------------------------------------------------------------------------

    def _show_progress(self) -> None:
        session, item = self.session, self.session.regions.active
        job, search = session.queue.current, item.layout_job if item is not None else None
        running = job is not None or search is not None
        self.bar.setVisible(running)
        self.cancel_button.setVisible(running)
        if job is not None:
            self.bar.advance(round(1000 * job.part), 1000)
            self.bar.setToolTip(tr(f"{job.name}: {job.summary()}"))
            self.state.say(self._progress(job))
            allow(self.cancel_button, "Already cancelling" if job.cancelled else "")
        elif search is not None:
            self.bar.advance(search.done, search.total)
            self.state.say(search.sentence())
            allow(self.cancel_button, "" if search.can_cancel else "Already cancelling")
        else:
            self.state.say(self._outlook())

    def _progress(self, job: Job) -> str:
        waiting = len(self.session.queue.waiting)
        told = [f"{job.name}: {job.sentence()}"]
        if waiting:
            told.append(f"{waiting} waiting")
        return " · ".join([*told, *job.remarks])

    def _outlook(self) -> str:
        session, item = self.session, self.session.regions.active
        if item is None or session.guide.step().kind != "generate":
            return ""
        placed = item.layout is not None and session.settings.takes_layout
        started = session.settings.start_from != NOTHING
        free = not (placed or started or session.generator.why_not())
        return " · ".join(filter(None, [session.generator.outlook(), FREE if free else ""]))

    # -- messages ------------------------------------------------------------------------

    def _show_message(self) -> None:
        """Show what matters most: a stopped or failed job, then the slide and its sessions."""
        session, messages = self.session, self.messages
        stopped, problem = session.queue.stopped, messages.problem_now()
        show = messages.show_message
        if stopped is not None:
            show(problem, stopped.sentence(), "Resume", session.queue.resume)
        elif problem:
            failed = next((j for j in session.queue.ended if j.problem == problem), None)
            retry = partial(session.queue.retry, failed) if failed is not None else None
            show(action="Retry", act=retry or session.generator.generate)
        elif not self._show_slide():
            dismiss = partial(session.notices.say, "generate", "")
            show(dismiss=dismiss if messages.note_now() else None)

    def _show_slide(self) -> bool:
        """Show what there is to say about the slide and its sessions; False if nothing."""
        session, actions, show = self.session, self._actions, self.messages.show_message
        problem = session.notices.problems.get("slide", "")
        note = session.notices.notes.get("slide", "")
        lost, offer = session.restoring.slide_lost, session.saver.offer
        put_off = session.queue.put_off_note()
        away = partial(session.notices.say, "slide", "")
        if session.restoring.busy:
            show("", OPENING_SESSION)
        elif session.slides.current is not None and session.models.missing:
            wanted = f"{session.settings.model.title} is not installed."
            show(problem or wanted, "", "Get model…", actions.manage)
        elif lost is not None and lost.mark.path is not None:
            show(problem, "", "Locate slide…", actions.locate_slide)
        elif problem:
            show(problem, "", dismiss=away)
        elif self.messages.note_now():
            return False
        elif put_off:
            show("", f"{note} {put_off}".strip(), "Resume jobs", session.queue.resume_put_off)
        elif offer is not None:
            others = len(session.saver.offers) - 1
            more = f"{others} more in the ⋯ menu." if others else ""
            said = " ".join(filter(None, (note, offer.sentence(), more)))
            act, dismiss = session.restoring.open_offer, session.saver.dismiss_offers
            show("", said, "Open session", act, dismiss=dismiss)
        elif note:
            show("", note, dismiss=away)
        else:
            return False
        return True


def _restyle(made: QPushButton, sheet: str) -> None:
    if made.styleSheet() != sheet:  # a style sheet that is set again is computed again
        made.setStyleSheet(sheet)
