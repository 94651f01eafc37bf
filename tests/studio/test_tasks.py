"""Background work without a session: order, progress, cancelling and errors of tasks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from napari_pixcell.engine.events import Event, Failure, Finished, Progress
from napari_pixcell.errors import PixCellError
from napari_pixcell.studio.background import Background
from napari_pixcell.studio.notices import Notices
from napari_pixcell.studio.tasks import CancelledTask, Task, Tasks


class Worker:
    """Keeps requests unanswered, and their cancels."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.answer: Callable[[Event], None] = lambda event: None
        self.problem = ""
        self.cancelled = 0

    def submit(self, request: Any, on_event: Any = None, previews: bool = True) -> Any:
        if self.problem:
            raise PixCellError(self.problem)
        self.requests.append(request)
        self.answer = on_event
        return self

    def cancel(self) -> None:
        self.cancelled += 1
        self.answer(Finished(cancelled=True))

    def restart(self) -> None: ...

    def close(self) -> None: ...


@dataclass(eq=False, kw_only=True)
class QuietTask(Task):
    counted: ClassVar[bool] = False


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def notices() -> Notices:
    return Notices()


@pytest.fixture
def tasks(worker: Worker, notices: Notices) -> Iterator[Tasks]:
    background = Background()
    yield Tasks(worker, background, notices)
    background.close()


def pump(tasks: Tasks, until: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not until():
        assert time.monotonic() < end, "the work takes too long"
        if not tasks.background.pump():
            time.sleep(0.001)


def settle(tasks: Tasks) -> None:
    pump(tasks, lambda: not tasks.background.busy)


def asked(tasks: Tasks, request: Any = "request", **fields: Any) -> tuple[Task, list[Event]]:
    """Send a request as a task that ends with its last event."""
    task, events = tasks.start(Task(**fields)), []

    def take(event: Event) -> None:
        events.append(event)
        match event:
            case Finished():
                tasks.end(task)
            case Failure(message):
                tasks.end(task, message)

    tasks.ask(task, request, take)
    return task, events


# -- requests at the worker --------------------------------------------------------------------


def test_requests_are_sent_in_the_order_of_their_tasks(tasks: Tasks, worker: Worker) -> None:
    started = [asked(tasks, number)[0] for number in range(5)]
    settle(tasks)
    assert worker.requests == [0, 1, 2, 3, 4]
    assert tasks.running == started and tasks.of(Task) == started


def test_a_task_cancelled_before_its_turn_sends_nothing(tasks: Tasks, worker: Worker) -> None:
    gate = threading.Event()
    tasks.background.talk(lambda: gate.wait(20))
    task, events = asked(tasks)
    tasks.cancel(task)
    gate.set()
    pump(tasks, lambda: task.over)
    assert not worker.requests and not worker.cancelled
    assert events == [Finished(cancelled=True)] and task.state == "cancelled"


def test_a_running_task_is_cancelled_at_the_worker_once(tasks: Tasks, worker: Worker) -> None:
    task, events = asked(tasks)
    settle(tasks)
    tasks.cancel(task)
    tasks.cancel(task)
    assert task.sentence() == "Cancelling…" and not task.can_cancel
    pump(tasks, lambda: task.over)
    settle(tasks)
    assert worker.cancelled == 1 and events == [Finished(cancelled=True)]
    assert task.state == "cancelled" and task.handle is None and not tasks.running


def test_progress_of_the_worker_is_recorded_with_its_message(tasks: Tasks, worker: Worker) -> None:
    task, events = asked(tasks, message="Loading")
    assert task.sentence() == "Loading…"
    settle(tasks)
    worker.answer(Progress(3, 20, "Step 3"))
    settle(tasks)
    assert (task.done, task.total, task.message) == (3, 20, "Step 3")
    assert events == [Progress(3, 20, "Step 3")] and task.sentence() == "Step 3…"


def test_a_failure_is_shown_in_the_section_of_its_task(
    tasks: Tasks, worker: Worker, notices: Notices
) -> None:
    task, _ = asked(tasks, section="stain")
    settle(tasks)
    worker.answer(Failure("The stain is not installed."))
    settle(tasks)
    assert task.state == "failed" and task.problem == "The stain is not installed."
    assert notices.problems == {"stain": "The stain is not installed."}
    asked(tasks, section="stain")
    assert not notices.problems  # a new attempt clears it


def test_a_request_that_cannot_be_sent_fails(
    tasks: Tasks, worker: Worker, notices: Notices
) -> None:
    worker.problem = "The worker does not start."
    task, events = asked(tasks, section="generate")
    pump(tasks, lambda: task.over)
    assert events == [Failure("The worker does not start.")]
    assert notices.problems == {"generate": "The worker does not start."}


# -- work in threads ---------------------------------------------------------------------------


def test_results_of_threads_are_delivered_in_the_main_thread(tasks: Tasks) -> None:
    outcome: list[Any] = []
    task = Task()
    tasks.compute(
        task, threading.get_ident, lambda ident: outcome.append((ident, threading.get_ident()))
    )
    assert tasks.is_running(task)
    settle(tasks)
    (worked, delivered), main = outcome[0], threading.get_ident()
    assert delivered == main != worked and task.state == "done"


def test_work_cancelled_before_its_turn_does_not_start(tasks: Tasks) -> None:
    gate, started = threading.Event(), []
    tasks.compute(Task(), lambda: gate.wait(20), lambda _: None)
    task = Task()
    tasks.compute(task, lambda: started.append(1), lambda _: started.append(2))
    tasks.cancel(task)
    gate.set()
    settle(tasks)
    assert not started and task.state == "cancelled"


def test_the_result_of_work_cancelled_while_it_runs_is_ignored(tasks: Tasks) -> None:
    gate, begun, results = threading.Event(), threading.Event(), []
    task = Task()

    def work() -> int:
        begun.set()
        gate.wait(20)
        return 1

    tasks.compute(task, work, results.append)
    assert begun.wait(20)
    tasks.cancel(task)
    gate.set()
    settle(tasks)
    assert not results and task.state == "cancelled" and not task.problem


def test_work_that_reports_progress_stops_at_the_report_after_a_cancel(
    tasks: Tasks, notices: Notices
) -> None:
    reported, resume, results = threading.Event(), threading.Event(), []
    task = Task(section="layout", message="Inventing")
    report = tasks.reporter(task)

    def work() -> None:
        report(1, 10)
        reported.set()
        resume.wait(20)
        report(2, 10)

    tasks.compute(task, work, results.append)
    assert reported.wait(20) and (task.done, task.total, task.message) == (1, 10, "Inventing")
    tasks.cancel(task)
    resume.set()
    settle(tasks)
    assert task.state == "cancelled" and task.done == 1
    assert not results and not notices.problems


def test_work_that_fails_is_reported_and_the_next_work_runs(tasks: Tasks, notices: Notices) -> None:
    results: list[int] = []

    def fail() -> int:
        raise PixCellError("The file is damaged.")

    task = Task(section="layout")
    tasks.compute(task, fail, results.append)
    tasks.compute(Task(), lambda: 2, results.append)
    settle(tasks)
    assert notices.problems == {"layout": "The file is damaged."}
    assert task.state == "failed" and results == [2]


def test_work_that_runs_alone_keeps_no_other_work_waiting(tasks: Tasks) -> None:
    gate, order = threading.Event(), []
    task = Task()
    tasks.run_alone(
        task, lambda: gate.wait(20), lambda _: order.append("alone"), lambda: order.append("ended")
    )
    tasks.compute(Task(), lambda: None, lambda _: order.append("computed"))
    pump(tasks, lambda: bool(order))
    gate.set()
    pump(tasks, lambda: task.over)
    assert order == ["computed", "alone", "ended"]


@pytest.mark.parametrize(
    ("error", "state", "problems"),
    [
        (PixCellError("No space."), "failed", {"dataset": "No space."}),
        (CancelledTask(), "cancelled", {}),
    ],
)
def test_work_that_runs_alone_ends_once_however_it_ends(
    tasks: Tasks, notices: Notices, error: Exception, state: str, problems: dict[str, str]
) -> None:
    calls: list[str] = []

    def work() -> None:
        task.cancelled = isinstance(error, CancelledTask)
        raise error

    task = Task(section="dataset")
    tasks.run_alone(task, work, lambda _: calls.append("done"), lambda: calls.append("ended"))
    pump(tasks, lambda: task.over)
    assert calls == ["ended"] and task.state == state and notices.problems == problems


# -- all tasks ---------------------------------------------------------------------------------


def test_a_dropped_task_is_forgotten_at_once(tasks: Tasks, notices: Notices) -> None:
    gate, results = threading.Event(), []
    task = Task(section="style")

    def fail() -> None:
        gate.wait(20)
        raise PixCellError("The slide is closed.")

    tasks.compute(task, fail, results.append)
    tasks.drop(task)
    tasks.drop(None)
    assert task.state == "cancelled" and not tasks.running
    gate.set()
    settle(tasks)
    assert not results and not notices.problems and task.state == "cancelled"


def test_a_task_ends_only_once(tasks: Tasks, notices: Notices) -> None:
    changes: list[int] = []
    task = tasks.start(Task(section="export"))
    tasks.changed.connect(lambda: changes.append(1))
    tasks.end(task)
    tasks.end(task, "too late")
    assert task.state == "done" and not notices.problems and changes == [1]


def test_tasks_are_busy_until_every_outcome_is_delivered(tasks: Tasks) -> None:
    assert not tasks.busy
    task = tasks.start(Task())
    assert tasks.busy
    tasks.end(task)
    assert not tasks.busy
    tasks.background.post(lambda: None)
    assert tasks.busy
    settle(tasks)
    assert not tasks.busy


def test_a_task_that_does_not_count_keeps_nobody_busy(tasks: Tasks) -> None:
    task = tasks.start(QuietTask())
    assert tasks.running == [task] and not tasks.busy
    assert tasks.of(QuietTask) == [task] and tasks.of(Task) == [task]
