"""Background work: one way to run it, follow its progress and cancel it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, TypeVar

from psygnal import Signal

from napari_pixcell.engine.events import Event, Failure, Finished, Progress
from napari_pixcell.studio.background import Background, sentence
from napari_pixcell.studio.notices import Notices
from napari_pixcell.words import duration
from napari_pixcell.worker.requests import AnyRequest

State = Literal["waiting", "running", "done", "failed", "cancelled"]
K = TypeVar("K", bound="Task")
T = TypeVar("T")
SHOWN_EVERY_S = 0.15  # progress of work in threads


class JobHandle(Protocol):
    """Handle of a submitted request."""

    def cancel(self) -> None:
        """Stop between two steps."""


class Client(Protocol):
    """Runs requests, one after another."""

    def submit(self, request: AnyRequest, on_event: Any = None, previews: bool = True) -> JobHandle:
        """Queue a request; ``on_event`` receives its events in some thread."""

    def restart(self) -> None:
        """Release all memory; the next request starts afresh."""

    def close(self) -> None:
        """Stop for good."""


class CancelledTask(Exception):
    """Raised inside background work whose task was cancelled."""


class Clock:
    """Pace of one task by its progress; what was done before the start does not count."""

    def __init__(self) -> None:
        self.since: float | None = None
        self._first = self._done = self._total = 0
        self._now = 0.0

    def note(self, done: int, total: int) -> None:
        """Record progress; a total of 0 restarts the clock."""
        self._now = time.monotonic()
        if not total:
            self.since = None
        elif self.since is None:
            self.since, self._first = self._now, done
        self._done, self._total = done, total

    @property
    def pace(self) -> float | None:
        """Seconds per step or window; None before the first one."""
        if self.since is None or self._done <= self._first:
            return None
        return (self._now - self.since) / (self._done - self._first)

    @property
    def left(self) -> str:
        """Remaining time in words, such as “30 s left”; empty if unknown or nearly over."""
        return self.left_with(0)

    def left_with(self, more: int) -> str:
        pace = self.pace
        seconds = 0.0 if pace is None else pace * (self._total - self._done + more)
        return f"{duration(seconds)} left" if seconds >= 0.5 else ""


@dataclass(eq=False, kw_only=True)
class Task:
    """One piece of background work: what it does, how far it is and how it ends."""

    counted: ClassVar[bool] = True  # a session that runs it is busy

    section: str = ""  # section of the dock that shows its errors
    message: str = ""
    state: State = "running"  # ``waiting``, ``running``, ``done``, ``failed`` or ``cancelled``
    done: int = 0  # of ``total``, which is 0 if it is unknown
    total: int = 0
    cancelled: bool = False  # the user asked it to stop; it may still be running
    problem: str = ""
    handle: JobHandle | None = None
    clock: Clock = field(default_factory=Clock)

    @property
    def over(self) -> bool:
        return self.state in ("done", "failed", "cancelled")

    @property
    def can_cancel(self) -> bool:
        return not (self.over or self.cancelled)

    def progress(self, done: int, total: int, message: str = "") -> None:
        self.clock.note(done, total)
        self.done, self.total, self.message = done, total, message or self.message

    def sentence(self) -> str:
        if self.cancelled:
            return "Cancelling…"
        if not self.total or not self.done:
            return f"{self.message}…"
        left = self.clock.left
        return f"{self.message} · {left}" if left else f"{self.message}…"


class Tasks:
    """Runs the background work of a session.

    Everything that takes time is a :class:`Task`: a request at the worker (:meth:`ask`), or a
    function in a thread (:meth:`compute`, :meth:`run_alone`). Callbacks run in the main thread.

    Parameters
    ----------
    client : Client
        Runs requests.
    background : Background
        Threads of the session.
    notices : Notices
        Shows errors.
    """

    changed = Signal()  # a task started, progressed or ended

    def __init__(self, client: Client, background: Background, notices: Notices) -> None:
        self.client = client
        self.background = background
        self._notices = notices
        self.running: list[Task] = []
        self._shown_at = 0.0

    @property
    def busy(self) -> bool:
        """True while anything runs or an outcome was not delivered yet."""
        return self.background.busy or any(task.counted for task in self.running)

    def start(self, task: K) -> K:
        """Register a task, so that it counts as busy until :meth:`end`."""
        self.running.append(task)
        if task.section:
            self._notices.say(task.section, "")
        self.changed.emit()
        return task

    def end(self, task: Task, problem: str = "") -> None:
        """Record that a task is over; ``problem`` is shown in its section. Does nothing twice."""
        if task not in self.running:
            return
        self.running.remove(task)
        task.handle = None
        task.problem = problem
        task.state = "failed" if problem else "cancelled" if task.cancelled else "done"
        if problem and task.section:
            self._notices.say(task.section, problem)
        self.changed.emit()

    def of(self, kind: type[K]) -> list[K]:
        """Return the running tasks of a kind, oldest first."""
        return [task for task in self.running if isinstance(task, kind)]

    def is_running(self, task: Task | None) -> bool:
        return task in self.running

    def cancel(self, task: Task) -> None:
        """Stop a task before its next step; its outcome is ignored."""
        if not task.cancelled:
            task.cancelled = True
            self.interrupt(task)
            self.changed.emit()

    def interrupt(self, task: Task) -> None:
        """Ask the worker to stop the request of a task."""
        # In turn with what is being sent, so that a request that waits to be sent sees the flag.
        self.background.talk(lambda: task.handle.cancel() if task.handle else None)

    def drop(self, task: Task | None) -> None:
        """Cancel a task whose outcome is no longer needed, and forget it at once."""
        if task is not None and task in self.running:
            task.cancelled = True
            self.interrupt(task)
            self.end(task)

    def ask(
        self, task: Task, request: AnyRequest, take: Callable[[Event], None], previews: bool = True
    ) -> None:
        """Send a request of a task to the worker; may be called from any thread.

        Parameters
        ----------
        task : Task
            Its progress is updated; a task that was cancelled meanwhile sends nothing.
        request : request
            What the worker runs.
        take : callable
            Receives the events in the main thread. The last one is ``Finished`` or ``Failure``.
        previews : bool
            Whether the worker sends previews.
        """
        post = self.background.post

        def deliver(event: Event) -> None:
            if isinstance(event, Progress):
                task.progress(event.done, event.total, event.message)
            take(event)

        def send() -> None:
            if task.cancelled:
                post(lambda: take(Finished(cancelled=True)))
            else:
                task.handle = self.client.submit(
                    request, lambda event: post(lambda: deliver(event)), previews=previews
                )

        self.background.talk(send, lambda text: take(Failure(text)))

    def compute(self, task: Task, work: Callable[[], T], done: Callable[[T], None]) -> None:
        """Run ``work`` in the thread that computes, then ``done``, unless cancelled meanwhile.

        Parameters
        ----------
        task : Task
            Registered here if it is not yet; it ends with the work.
        work : callable
            May raise :class:`CancelledTask`, as :meth:`reporter` does.
        done : callable
            Receives the outcome in the main thread.
        """
        if task not in self.running:
            self.start(task)

        def guarded() -> tuple[bool, Any]:
            if task.cancelled:
                return False, None
            try:
                return True, work()
            except CancelledTask:
                return False, None

        def came(outcome: tuple[bool, Any]) -> None:
            if task in self.running:
                finished, value = outcome
                self.end(task)
                if finished and not task.cancelled:
                    done(value)
                    self.changed.emit()

        self.background.compute(guarded, came, lambda text: self.end(task, text))

    def run_alone(
        self,
        task: Task,
        work: Callable[[], T],
        done: Callable[[T], None],
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        """Run long work in a thread of its own, so that nothing else waits for it.

        Parameters
        ----------
        task : Task
            It ends with the work.
        work : callable
            Runs in the thread; may raise :class:`CancelledTask`.
        done : callable
            Receives the outcome in the main thread, if there is one.
        ended : callable
            Called last, in the main thread, however it ended.
        """
        self.start(task)

        def end(deliver: Callable[[], None], problem: str = "") -> None:
            self.end(task, problem)
            deliver()
            ended()
            self.changed.emit()

        def run() -> None:
            post, problem = self.background.post, ""
            try:
                value = work()
                post(lambda: end(lambda: done(value)))
                return
            except CancelledTask:
                pass
            except Exception as error:
                problem = sentence(error)
            post(lambda: end(lambda: None, problem))

        threading.Thread(target=run, name="pixcell-alone", daemon=True).start()

    def reporter(self, task: Task) -> Callable[[int, int], None]:
        """Return a function for work in threads that records progress and ends what is cancelled.

        Raises
        ------
        CancelledTask
            When the function is called after a cancel.
        """

        def report(done: int, total: int, message: str = "") -> None:
            if task.cancelled:
                raise CancelledTask
            task.done, task.total = done, total
            task.message = message or task.message
            if time.monotonic() - self._shown_at > SHOWN_EVERY_S:
                self._shown_at = time.monotonic()
                self.background.post(self.changed.emit)

        return report
