"""An evaluation of a dataset in a session: progress, cancelling and its answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripted import ScriptedClient

from napari_pixcell.engine.events import Evaluated, Failure, Finished, Notice, Progress
from napari_pixcell.studio.datasets.evaluating import Evaluation
from napari_pixcell.studio.session import Session


@pytest.fixture
def started(session: Session) -> Evaluation:
    evaluation = session.datasets.evaluation
    evaluation.start(Path("data"), Path("tiles"))
    settle(session)
    return evaluation


def settle(session: Session) -> None:
    session.wait(until=lambda: not session.background.busy)


def test_the_answer_and_its_page_are_kept(
    session: Session, started: Evaluation, client: ScriptedClient
) -> None:
    ((request, tell),) = client.evaluations
    assert (request.folder, request.real, request.test) == ("data", "tiles", "")
    assert started.busy == "Waiting for the worker…" and session.busy
    started.start(Path("data"), Path("tiles"))  # one at a time
    tell(Progress(1, 6, "Reading tile 2 of 6"))
    tell(Progress(20, 4000, "Training 1 of 25"))
    settle(session)
    assert len(client.evaluations) == 1 and started.busy.startswith("Training 1 of 25")
    tell(Notice("Tiles have no pixel size."))
    tell(
        Evaluated(
            "help",
            "The pairs help: AJI +0.041.",
            "It took 46 s.",
            "data/evaluation/evaluation.html",
        )
    )
    tell(Finished())
    session.wait()
    assert started.page == Path("data/evaluation/evaluation.html") and started.job is None
    note = session.notices.notes["dataset"]
    assert note == "The pairs help: AJI +0.041. It took 46 s. Tiles have no pixel size."


def test_a_cancelled_evaluation_says_how_it_resumes(session: Session, started: Evaluation) -> None:
    session.cancel()
    assert started.busy == "Cancelling…" and not started.job.can_cancel
    session.wait()  # the worker answers that it was cancelled
    assert session.notices.notes["dataset"] == ("The evaluation stopped. Start it again to resume.")
    assert started.page is None and not started.cancel()


def test_an_impossible_evaluation_shows_its_problem(
    session: Session, started: Evaluation, client: ScriptedClient
) -> None:
    client.evaluations[0][1](Failure("“tiles” holds no labels."))
    session.wait()
    assert session.notices.problems["dataset"] == "“tiles” holds no labels."
