"""The queue: a row for each generation that waits, runs, failed or was cancelled."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QToolButton, QWidget

from napari_pixcell.studio.generation.job import Job
from napari_pixcell.studio.generation.queue import JobQueue
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.arrange import column, row, scrolled, show_all
from napari_pixcell.ui.language import tr
from napari_pixcell.ui.widgets import AMBER, ShortLabel, Text, allow, tool_button

LEAST_PX = 40  # of the rows
SMALL = "QToolButton { font-size: 10px; padding: 2px 4px; }"
SYMBOL = (
    "QToolButton { border: none; padding: 1px; font-size: 12px; background: transparent; }"
    "QToolButton:hover { background: rgba(128, 128, 128, 80); }"
)


class QueueList(QWidget):
    """The rows of the queue, hidden while there is only the running job."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.rows: dict[int, QueueRow] = {}
        self.title = Text(small=True)
        self.title.setWordWrap(False)
        queue = session.queue
        tip = "Cancel the waiting jobs; the running one continues"
        self.cancel_waiting = tool_button("Cancel waiting", tip, queue.cancel_waiting)
        tip = "Cancel the running and the waiting jobs"
        self.cancel_all = tool_button("Cancel all", tip, queue.cancel_all)
        tip = "Remove failed and cancelled jobs from the list"
        self.clear = tool_button("Clear", tip, queue.dismiss)
        for made in (self.cancel_waiting, self.cancel_all, self.clear):
            made.setStyleSheet(SMALL)
        rows = QWidget()
        self.stack = column(rows, spacing=1)
        self.stack.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.scroll = scrolled(rows)
        self.scroll.setMinimumHeight(LEAST_PX)  # or the dock would grow when the queue appears
        buttons = row(self.cancel_waiting, self.cancel_all, self.clear)
        buttons.addStretch(1)
        column(self, self.title, buttons, self.scroll).setStretch(2, 1)
        self.refresh()

    def refresh(self) -> None:
        queue = self.session.queue
        jobs = [job for job in queue.jobs if not job.live]
        listed = jobs + queue.ended
        self.setVisible(len(jobs) > 1 or bool(queue.ended))
        waiting = len(queue.waiting)
        ended = [job.state for job in queue.ended]
        counts = (waiting, ended.count("failed"), ended.count("cancelled"))
        states = ("waiting", "failed", "cancelled")
        parts = [f"{count} {state}" for count, state in zip(counts, states, strict=True) if count]
        self.title.say(", ".join(parts))
        show_all(waiting > 0, self.cancel_waiting, self.cancel_all)
        self.clear.setVisible(bool(queue.ended))
        if list(self.rows) != [job.number for job in listed]:
            self._arrange(listed)
        for shown in self.rows.values():
            shown.refresh()

    def _arrange(self, jobs: list[Job]) -> None:
        numbers = {job.number for job in jobs}
        for number in [number for number in self.rows if number not in numbers]:
            gone = self.rows.pop(number)
            self.stack.removeWidget(gone)
            gone.hide()
            gone.deleteLater()
        ordered = {}
        for index, job in enumerate(jobs):
            shown = self.rows.get(job.number) or QueueRow(self.session.queue, job)
            ordered[job.number] = shown
            if self.stack.indexOf(shown) != index:
                self.stack.insertWidget(index, shown)
        self.rows = ordered


class QueueRow(QWidget):
    """A job of the queue."""

    def __init__(self, queue: JobQueue, job: Job) -> None:
        super().__init__()
        self.job = job
        self._queue = queue
        self.what, self.state = ShortLabel(), Text(small=True)
        self.what.setStyleSheet("font-size: 11px;")
        self.state.setMinimumWidth(10)  # a long word is cut rather than the dock widened
        self.state.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)
        self.front = _symbol("⤒", f"Run {job.name} next", lambda: queue.to_front(job))
        self.again = _symbol("↻", "Retry the remaining variants", lambda: queue.retry(job))
        self.stop = _symbol("✕", "Cancel this job", self._remove)
        texts = column(None, self.what, self.state, spacing=0)
        line = QHBoxLayout(self)
        line.setContentsMargins(4, 1, 2, 1)
        line.setSpacing(2)
        line.addLayout(texts, 1)
        for made in (self.front, self.again, self.stop):
            line.addWidget(made)
        self.setStyleSheet("QueueRow { background: rgba(128, 128, 128, 25); }")
        self.refresh()

    def _remove(self) -> None:
        if self.job.over:
            self._queue.dismiss(self.job)
        else:
            self._queue.cancel(self.job)

    def refresh(self) -> None:
        job, waiting = self.job, self._queue.waiting
        self.what.say(f"{job.name} · {job.summary()}")
        state = " · ".join([job.sentence(), *job.remarks])
        self.state.say(state)
        self.state.tint(AMBER if job.state == "failed" else "")
        self.setToolTip(tr(f"{job.name}: {job.summary()}\n{state}"))
        self.front.setVisible(job in waiting[1:])
        self.again.setVisible(job.state in ("failed", "cancelled") and bool(job.rest()))
        self.stop.setToolTip(tr("Remove this job from the list" if job.over else "Cancel this job"))
        allow(self.stop, "Already cancelling" if job.cancelled and not job.over else "")


def _symbol(text: str, tip: str, act: Callable[[], None]) -> QToolButton:
    made = tool_button(text, tip, act)
    made.setStyleSheet(SYMBOL)
    made.setFixedSize(20, 20)
    return made
