"""The queue of generations: order, states, cancels, retries, and what a failure leaves alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scripted import ScriptedClient
from settling import settled

from napari_pixcell.engine.events import Failure, Finished, Notice, Preview, Progress
from napari_pixcell.slides import ArraySlide, Region
from napari_pixcell.studio.generation import queue as generation
from napari_pixcell.studio.session import Session


@pytest.fixture
def jobs(session: Session, client: ScriptedClient) -> list[Any]:
    """Queue three generations of two variants; the first runs."""
    session.regions.add((400, 400))
    session.wait(20)
    session.settings.count = 2
    for seed in (10, 20, 30):
        session.settings.seed = seed
        session.generator.generate()
    settled(session)
    return list(session.queue.jobs)


def play(session: Session, client: ScriptedClient, variants: int | None = None) -> None:
    client.play(variants)
    settled(session)


def end(session: Session, client: ScriptedClient, event: Any) -> None:
    client.waiting.pop(0)[1](event)
    settled(session)


def seeds(session: Session) -> list[int]:
    return [result.seed for result in session.gallery.results]


def test_one_job_runs_and_the_others_wait_in_order(session, client, jobs) -> None:
    assert [job.state for job in jobs] == ["running", "waiting", "waiting"]
    assert [request.seed for request, _ in client.waiting] == [10]
    play(session, client)
    assert [job.state for job in jobs] == ["done", "running", "waiting"]
    play(session, client)
    play(session, client)
    assert seeds(session) == [10, 11, 20, 21, 30, 31]
    assert not session.queue.jobs and not session.queue.ended


def test_a_job_describes_its_request_and_state(session, client, jobs) -> None:
    first, second, _ = jobs
    assert second.summary() == "2 variants, seed 20, 20 steps"
    assert second.sentence() == "waiting"
    client.waiting[0][1](Progress(10, 40, "Variant 1 of 2"))
    settled(session)
    assert first.sentence().startswith("1 of 2") and first.part == 0.25


def test_the_running_job_is_cancelled_alone(session, client, jobs) -> None:
    play(session, client, 1)
    session.cancel()
    settled(session)
    assert [job.state for job in jobs] == ["cancelled", "running", "waiting"]
    assert jobs[0].sentence() == "cancelled, 1 made" and not session.notices.problems
    assert seeds(session) == [10]


def test_waiting_jobs_are_cancelled_alone(session, client, jobs) -> None:
    session.queue.cancel_waiting()
    assert [job.state for job in jobs] == ["running", "cancelled", "cancelled"]
    play(session, client)
    assert seeds(session) == [10, 11] and not session.queue.jobs


def test_a_single_job_is_cancelled_alone(session, client, jobs) -> None:
    session.queue.cancel(jobs[1])
    play(session, client)
    assert [job.state for job in jobs] == ["done", "cancelled", "running"]


def test_all_jobs_are_cancelled(session, client, jobs) -> None:
    session.queue.cancel_all()
    settled(session)
    assert {job.state for job in jobs} == {"cancelled"} and not session.busy
    assert not session.gallery.results


def test_a_waiting_job_moves_to_the_front(session, client, jobs) -> None:
    session.queue.to_front(jobs[2])
    assert session.queue.jobs == [jobs[0], jobs[2], jobs[1]]
    play(session, client)
    assert [request.seed for request, _ in client.waiting] == [30]


def test_a_failed_job_stops_no_other_and_can_be_retried(session, client, jobs) -> None:
    client.play(1)
    end(session, client, Failure("There is not enough memory on the device."))
    assert jobs[0].state == "failed" and jobs[1].state == "running"
    assert jobs[0].sentence() == session.notices.problems["generate"]
    assert session.queue.ended == [jobs[0]]
    session.queue.retry(jobs[0])
    settled(session)
    assert not session.queue.ended and not session.notices.problems
    again = session.queue.jobs[-1]
    assert (again.request.seed, again.request.count) == (11, 1)  # the first one was made
    for _ in range(3):
        play(session, client)
    assert seeds(session) == [10, 20, 21, 30, 31, 11]


def test_a_cancelled_job_can_be_retried(session, client, jobs) -> None:
    session.queue.cancel(jobs[1])
    session.queue.retry(jobs[1])
    settled(session)
    assert [job.request.seed for job in session.queue.jobs] == [10, 30, 20]


def test_ended_jobs_are_dismissed(session, client, jobs) -> None:
    session.queue.cancel_all()
    settled(session)
    session.queue.dismiss(jobs[2])
    assert jobs[2] not in session.queue.ended and len(session.queue.ended) == 2
    session.queue.dismiss()
    assert not session.queue.ended


def test_a_job_captures_everything_by_value(session, client, jobs) -> None:
    item = session.regions.active
    place = item.region
    session.regions.move(item.number, Region(0, 0, 256, 256))
    session.regions.remove(item.number)
    session.slides.set(ArraySlide([np.zeros((600, 600, 3), np.uint8)], 0.5, "another"))
    for _ in range(3):
        play(session, client)
    assert len(session.gallery.results) == 6
    assert {result.target.region for result in session.gallery.results} == {place}
    assert {result.target.slide for result in session.gallery.results} == {"case 7"}


def test_notices_of_the_worker_are_listed_with_the_job(session, client, jobs) -> None:
    client.waiting[0][1](Notice("Memory is full. Trying again with fewer images at once"))
    settled(session)
    assert jobs[0].remarks == ["Memory is full. Trying again with fewer images at once"]


def test_a_worker_that_ignores_a_cancel_is_restarted(
    session, client, jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(jobs[0].handle), "cancel", lambda _: None)
    session.cancel()
    settled(session)
    session.pump()
    assert not client.restarted and jobs[0].sentence() == "Cancelling…"
    later = generation.time.monotonic() + generation.PATIENCE + 1
    monkeypatch.setattr(generation.time, "monotonic", lambda: later)
    session.pump()
    settled(session)
    assert client.restarted
    end(session, client, Failure("The memory was freed, so this request was stopped."))
    assert [job.state for job in jobs] == ["cancelled", "running", "waiting"]
    assert not session.notices.problems


def test_previews_can_be_switched_off(session, client) -> None:
    session.regions.add((400, 400))
    session.wait(20)
    seen = []
    session.queue.preview.connect(lambda _target, image: seen.append(image))
    session.settings.previews = False
    session.generator.generate()
    settled(session)
    client.waiting[0][1](Preview(0, np.zeros((32, 32, 3), np.uint8)))
    settled(session)
    assert client.previews == [False]
    assert all(image is None for image in seen)


def test_a_series_is_one_job_of_several_requests(session, client) -> None:
    session.regions.add((400, 400))
    session.wait(20)
    captured = session.generator.capture(session.regions.active)
    request, target = captured.request, captured.target
    several = [replace(request, count=1, guidance=value) for value in (1.0, 2.0, 3.0)]
    job = session.queue.add(several, target, title="3 pictures")
    settled(session)
    play(session, client)
    assert job.at == 1 and job.part == pytest.approx(1 / 3)
    end(session, client, Failure("The result is not a picture."))
    session.queue.retry(job)
    settled(session)
    again = session.queue.current
    assert [r.guidance for r in again.requests] == [2.0, 3.0] and again.title == "3 pictures"
    play(session, client)
    play(session, client)
    assert [r.record.request.guidance for r in session.gallery.results] == [1.0, 2.0, 3.0]


def test_late_events_of_an_earlier_request_of_a_series_are_ignored(session, client) -> None:
    session.regions.add((400, 400))
    session.wait(20)
    captured = session.generator.capture(session.regions.active)
    request, target = captured.request, captured.target
    job = session.queue.add([replace(request, count=1)] * 2, target)
    settled(session)
    on_event = client.waiting[0][1]
    play(session, client)
    on_event(Finished())
    settled(session)
    assert job.state == "running" and job.at == 1


def test_each_generation_draws_a_new_seed_unless_it_is_kept(session, client) -> None:
    session.regions.add((400, 400))
    settled(session)
    session.settings.count = 2
    for _ in range(3):
        session.generator.generate()
        settled(session)
        play(session, client)
    assert len(set(seeds(session))) == 6 and seeds(session)[:2] == [1234, 1235]
    session.settings.repeat_seed(1234)
    for guidance in (1.0, 2.0):
        session.settings.guidance = guidance
        session.generator.generate()
        settled(session)
        play(session, client)
    assert seeds(session)[6:] == [1234, 1235, 1234, 1235]


def test_the_same_generation_is_not_made_twice(session, client) -> None:
    session.regions.add((400, 400))
    settled(session)
    session.settings.keep_seed = True
    session.generator.generate()
    settled(session)
    session.generator.generate()  # the first one is not done yet
    settled(session)
    play(session, client)
    play(session, client)
    assert len(session.gallery.results) == 8
    session.generator.generate()
    settled(session)
    same = "These variants exist already. Unlock the seed, or change the style, layout or settings."
    assert not client.waiting and session.notices.notes["generate"] == same
    session.gallery.discard(session.gallery.results[-1])
    session.generator.generate()
    settled(session)
    assert len(client.waiting) == 1 and "generate" not in session.notices.notes
