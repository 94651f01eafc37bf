"""What is asked for: a row for each generation that waits, runs, failed or was cancelled."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_pixcell.studio.generation.job import GenerationJob
from napari_pixcell.studio.generation.queue import Generation
from napari_pixcell.studio.session import Session
from napari_pixcell.ui.widgets import AMBER, Text, allow, row

MOST_HEIGHT = 150  # px of rows before they scroll
BUTTON = (
    "QToolButton { border: none; padding: 1px; font-size: 12px; background: transparent; }"
    "QToolButton:hover { background: rgba(128, 128, 128, 80); }"
)


class QueueList(QWidget):
    """Rows of the queue; shown once there is more than the running one.

    Parameters
    ----------
    session : Session
        Its state.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.rows: dict[int, QueueRow] = {}
        self.title = Text(small=True)
        queue = session.generation
        self.cancel_waiting = _small(
            "Cancel waiting",
            "Cancel those that wait; the running one goes on",
            queue.cancel_waiting,
        )
        self.cancel_all = _small(
            "Cancel all", "Cancel the running one and those that wait", queue.cancel_all
        )
        self.clear = _small("Clear", "Take failed and cancelled ones off the list", queue.dismiss)
        self.column = QWidget()
        self.stack = QVBoxLayout(self.column)
        self.stack.setContentsMargins(0, 0, 0, 0)
        self.stack.setSpacing(1)
        self.stack.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.scroll = QScrollArea()
        self.scroll.setWidgetResizable(True)
        self.scroll.setFrameShape(QFrame.Shape.NoFrame)
        self.scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.scroll.setWidget(self.column)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 2, 0, 0)
        outer.setSpacing(2)
        line = row(self.title, self.cancel_waiting, self.cancel_all, self.clear)
        line.setStretch(0, 1)
        outer.addLayout(line)
        outer.addWidget(self.scroll)
        self.refresh()

    def refresh(self) -> None:
        """Show the queue as it is."""
        queue = self.session.generation
        jobs = [job for job in queue.jobs if not job.live]
        listed = jobs + queue.ended
        self.setVisible(len(jobs) > 1 or bool(queue.ended))
        waiting = len(queue.waiting)
        parts = [f"{waiting} waiting"] if waiting else []
        for state in ("failed", "cancelled"):
            count = sum(job.state == state for job in queue.ended)
            parts += [f"{count} {state}"] if count else []
        self.title.say("Queue: " + ", ".join(parts) if parts else "")
        self.cancel_waiting.setVisible(waiting > 0)
        self.cancel_all.setVisible(waiting > 0)
        self.clear.setVisible(bool(queue.ended))
        numbers = [job.number for job in listed]
        if list(self.rows) != numbers:
            self._arrange(listed)
        for shown in self.rows.values():
            shown.refresh()
        self._fit()

    def _arrange(self, jobs: list[GenerationJob]) -> None:
        numbers = {job.number for job in jobs}
        for number in [number for number in self.rows if number not in numbers]:
            gone = self.rows.pop(number)
            self.stack.removeWidget(gone)
            gone.hide()
            gone.deleteLater()
        ordered = {}
        for place, job in enumerate(jobs):
            shown = self.rows.get(job.number) or QueueRow(self.session.generation, job)
            ordered[job.number] = shown
            if self.stack.indexOf(shown) != place:
                self.stack.insertWidget(place, shown)
        self.rows = ordered

    def _fit(self) -> None:
        """Be as high as the rows with all their lines, within reason."""
        width, needed = self.scroll.viewport().width(), 2
        for shown in self.rows.values():
            needed += max(shown.heightForWidth(width), 22) + 1
            if needed >= MOST_HEIGHT:
                needed = MOST_HEIGHT
                break
        if self.scroll.height() != needed:
            self.scroll.setFixedHeight(needed)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Break lines elsewhere."""
        super().resizeEvent(event)
        self._fit()


class QueueRow(QWidget):
    """One generation.

    Parameters
    ----------
    queue : Generation
        To act on.
    job : GenerationJob
        Which.
    """

    def __init__(self, queue: Generation, job: GenerationJob) -> None:
        super().__init__()
        self.job = job
        self.what, self.state = Text(small=True), Text(small=True)
        for label in (self.what, self.state):
            label.setMinimumWidth(10)  # rather cut a long word than make the dock wider
            label.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)
        self.front = _symbol("⤒", f"Make {job.target.name}'s the next", lambda: queue.to_front(job))
        self.again = _symbol("↻", "Try again: what is left of it", lambda: queue.retry(job))
        self.stop = _symbol("✕", "Cancel this one", self._remove)
        self._queue = queue
        texts = QVBoxLayout()
        texts.setSpacing(0)
        texts.addWidget(self.what)
        texts.addWidget(self.state)
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
        """Show how it stands."""
        job = self.job
        self.what.say(f"{job.target.name} · {job.summary()}")
        said = " · ".join([job.sentence(), *job.remarks])
        self.state.say(said)
        self.state.tint(AMBER if job.state == "failed" else "")
        self.setToolTip(f"{job.target.name}: {job.summary()}\n{said}")
        jobs = self._queue.waiting
        self.front.setVisible(
            job.state == "waiting" and jobs.index(job) > 0 if job in jobs else False
        )
        self.again.setVisible(job.state in ("failed", "cancelled") and bool(job.rest()))
        self.stop.setToolTip("Take it off the list" if job.over else "Cancel this one")
        allow(self.stop, "It is stopping" if job.cancelled and not job.over else "")


def _small(text: str, tip: str, act: Callable[[], None]) -> QToolButton:
    made = QToolButton()
    made.setText(text)
    made.setToolTip(tip)
    made.setAccessibleName(tip)
    made.setStyleSheet("QToolButton { font-size: 10px; padding: 2px 4px; }")
    made.clicked.connect(lambda *_: act())
    return made


def _symbol(text: str, tip: str, act: Callable[[], None]) -> QToolButton:
    made = _small(text, tip, act)
    made.setStyleSheet(BUTTON)
    made.setFixedSize(20, 20)
    return made
