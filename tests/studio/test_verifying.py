"""A check of a family in a session: progress, cancelling, its table and its file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scripted import ScriptedClient

from napari_pixcell.engine.events import Failure, Finished, Progress, Verified
from napari_pixcell.studio.session import Session
from napari_pixcell.studio.verifying import FamilyVerification
from napari_pixcell.verification.report import CheckRow, VerificationReport

REPORT = VerificationReport(
    family="demo", title="Demo", device="cpu", versions={}, weights={}, samples="bundled",
    patches=1, pictures=4, steps=20, seed=1, own_figures=True, created="2026-01-01T00:00:00+00:00",
    rows=(CheckRow("psnr", "Reconstruction", "FAIL", "20.0 dB", "30.0 dB", "Lost.", "Get it."),),
)  # fmt: skip


def settle(session: Session) -> None:
    session.wait(until=lambda: not session.background.busy)


@pytest.fixture
def started(session: Session) -> FamilyVerification:
    session.verification.start("demo", Path("samples"))
    settle(session)
    return session.verification


def test_the_table_and_a_sentence_are_kept_and_saved(
    session: Session, started: FamilyVerification, client: ScriptedClient, tmp_path: Path
) -> None:
    ((request, tell),) = client.checks
    assert (request.family, request.folder, request.download) == ("demo", "samples", False)
    started.start("demo")  # one at a time
    tell(Progress(1, 8, "Encoding the patches"))
    settle(session)
    assert len(client.checks) == 1 and started.busy.startswith("Encoding the patches")
    tell(Verified(REPORT.to_dict()))
    tell(Finished())
    session.wait()
    assert started.report == REPORT and started.job is None
    assert "1 failed. Start with “Reconstruction”" in session.notices.notes["models"]
    started.save(tmp_path / "report.json")
    assert (
        VerificationReport.from_dict(json.loads((tmp_path / "report.json").read_text())) == REPORT
    )


def test_a_cancelled_check_says_what_is_kept(session: Session, started) -> None:
    session.cancel()
    session.wait()
    assert session.notices.notes["models"] == "The check stopped. What was downloaded is kept."
    assert started.report is None and not started.cancel()


def test_a_check_that_fails_shows_its_problem(session, started, client: ScriptedClient) -> None:
    client.checks[0][1](Failure("“samples” does not hold PixCell-sample-data."))
    session.wait()
    assert "does not hold" in session.notices.problems["models"]


def test_the_user_is_asked_before_a_download(session: Session) -> None:
    assert "35 MB" in session.verification.offer("pixcell-256")
    assert session.verification.offer("demo") == ""
