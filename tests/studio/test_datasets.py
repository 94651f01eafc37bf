"""Datasets of what a session has: what they will be, and how they run in the queue."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_engine import DrawnEngine
from scripted import ScriptedClient
from settling import settled

from napari_pixcell.datasets.recipe.making import make_dataset
from napari_pixcell.datasets.recipe.preparing import count_pairs
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.decisions import decide
from napari_pixcell.engine.events import Failure, Progress
from napari_pixcell.engine.request_values import GenerateRequest
from napari_pixcell.slides import open_slide
from napari_pixcell.slides.samples import SAMPLE_SLIDE
from napari_pixcell.studio.session import Session


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXCELL_DATA_DIR", str(tmp_path / "user"))


@pytest.fixture
def two(session: Session) -> Session:
    """Give a session with two regions that have styles and cells."""
    for number in (1, 2):
        session.regions.add((400 * number, 400))
        settled(session)
        labels = np.zeros((256, 256), np.int32)
        labels[20:30, 20 * number : 20 * number + 10] = 1
        labels[60:70, 60:70] = 2
        session.layouts.set(session.regions.active.number, labels, "painted")
    settled(session)
    return session


def answer(client: ScriptedClient, session: Session) -> None:
    """Have the next dataset made, by an engine that draws."""
    request, on_event = client.datasets.pop(0)
    again = DatasetRequest.from_dict(json.loads(json.dumps(request.to_dict())))
    make_dataset(again, DrawnEngine().run, on_event)
    settled(session)


def test_a_dataset_has_the_size_of_its_outlook(two: Session, client, tmp_path: Path) -> None:
    datasets = two.datasets
    datasets.choice.name, datasets.choice.variations, datasets.choice.seeds = "Mine", 2, 2
    outlook = datasets.outlook()
    assert outlook is not None and outlook.pairs == 2 * 6 * 2
    datasets.make(tmp_path / "data")
    settled(two)
    request = client.datasets[0][0]
    assert count_pairs(request.recipe) == outlook.pairs
    (job,) = datasets.jobs
    assert job.state == "running" and job.summary() == "dataset data"
    answer(client, two)
    dataset = Dataset(tmp_path / "data")
    assert dataset.description.name == "Mine" and len(list(dataset.rows())) == 24
    groups = {row["group"] for row in dataset.style_rows()}
    assert groups == {"slide-1"}  # both regions are of one slide
    assert not datasets.jobs and datasets.finished == tmp_path / "data"
    assert two.notices.notes["dataset"].startswith("24 pairs are in “data”")
    sheets: list[Any] = []
    datasets.sheet(sheets.append)
    settled(two)
    assert sheets[0][0] == "Mine" and sheets[0][1].ndim == 3


def test_the_best_of_several_candidates_is_asked_for(two: Session, client, tmp_path: Path) -> None:
    outlook = two.datasets.outlook()
    two.datasets.choice.candidates = 3
    assert outlook is not None and two.datasets.outlook().pairs == outlook.pairs
    two.datasets.make(tmp_path / "data")
    settled(two)
    assert client.datasets[0][0].recipe.keep == "best of 3"


def test_a_dataset_is_resumed_after_its_first_pairs(two: Session, client, tmp_path: Path) -> None:
    two.datasets.choice.seeds = 5
    two.datasets.make(tmp_path / "data", first=True)
    settled(two)
    answer(client, two)
    assert two.notices.notes["dataset"].startswith("16 of 20 pairs are in")
    two.datasets.resume(tmp_path / "data")
    two.datasets.resume(tmp_path / "data")
    settled(two)
    assert "in the queue already" in two.notices.problems["dataset"]
    answer(client, two)
    assert len(list(Dataset(tmp_path / "data").rows())) == 20


def test_a_dataset_gives_way_to_jobs_queued_meanwhile(two, client, tmp_path: Path) -> None:
    two.datasets.make(tmp_path / "data")
    settled(two)
    (job,) = two.datasets.jobs
    client.datasets[0][1](Progress(1, 4, "Pair 2 of 4"))
    two.generator.generate()
    settled(two)
    assert job.state == "waiting" and two.queue.current is not job
    assert isinstance(client.waiting[0][0], GenerateRequest)
    assert job.sentence() == "waiting, 1 of 4 made"
    client.play()
    settled(two)
    assert job.state == "running" and len(client.datasets) == 2
    assert not two.notices.problems


def test_a_cancelled_dataset_keeps_its_pairs_and_can_be_retried(
    two, client, tmp_path: Path
) -> None:
    two.datasets.make(tmp_path / "data")
    settled(two)
    (job,) = two.datasets.jobs
    client.datasets[0][1](Progress(3, 4, "Pair 4 of 4"))
    settled(two)
    assert job.sentence().startswith("Pair 4 of 4") and job.part == 0.75
    two.cancel()
    settled(two)
    assert job.state == "cancelled" and job.sentence() == "cancelled, 3 pairs are kept"
    client.datasets.clear()
    two.queue.retry(job)
    settled(two)
    answer(client, two)
    assert len(list(Dataset(tmp_path / "data").rows())) == 4


def test_a_failed_dataset_stops_no_other_job(two, client, tmp_path: Path) -> None:
    two.datasets.make(tmp_path / "data")
    two.generator.generate()
    settled(two)
    client.waiting and client.play()
    settled(two)
    _, on_event = client.datasets[-1]
    on_event(Failure("The disk of data is full; free some space."))
    settled(two)
    assert two.notices.problems["dataset"].startswith("The disk of data is full")
    assert not two.queue.jobs


def test_a_dataset_can_use_the_whole_slide_and_invented_cells(
    session, client, tmp_path: Path
) -> None:
    session.slides.set(open_slide(SAMPLE_SLIDE))
    choice = session.datasets.choice
    choice.styles, choice.places, choice.layouts, choice.invented = "slide", 2, "invented", 3
    outlook = session.datasets.outlook()
    assert outlook is not None and outlook.pairs == 6
    session.datasets.make(tmp_path / "data")
    settled(session)
    answer(client, session)
    dataset = Dataset(tmp_path / "data")
    assert len(list(dataset.rows())) == 6
    assert len({row["group"] for row in dataset.layout_rows()}) == 3


NEEDED: list[tuple[Callable[[Session], Any], str]] = [
    (lambda s: s.slides.set(None), "Open a slide first"),
    (lambda s: setattr(s.datasets.choice, "styles", "slide"), "This slide is not a file"),
    (lambda s: setattr(s.datasets.choice, "styles", "saved"), "No saved style fits this model"),
    (lambda s: None, "Add a region first"),
    (lambda s: s.regions.add((400, 400)), "No region has cells. Segment or paint some"),
]


@pytest.mark.parametrize(("prepare", "sentence"), NEEDED)
def test_missing_inputs_are_named(session, prepare, sentence, tmp_path: Path) -> None:
    prepare(session)
    settled(session)
    assert session.datasets.why_not().startswith(sentence)
    assert session.datasets.outlook() is None
    session.datasets.make(tmp_path / "data")
    assert sentence in session.notices.problems["dataset"] and not (tmp_path / "data").exists()


def test_a_dataset_needs_an_empty_folder(two, client, tmp_path: Path) -> None:
    two.datasets.resume(tmp_path)
    settled(two)
    assert "There is no dataset in" in two.notices.problems["dataset"]


def test_a_dataset_is_reported_and_converted(two: Session, client, tmp_path: Path) -> None:
    two.datasets.make(tmp_path / "data")
    settled(two)
    answer(client, two)
    uses = two.datasets.uses
    uses.report(tmp_path / "data")
    assert uses.busy == "Writing the report…"
    two.wait(30, until=lambda: not uses.busy)
    assert (tmp_path / "data" / "report.html").exists() and "report.html" in two.notices.notes[
        "dataset"
    ]
    with (tmp_path / "data" / "manifest.jsonl").open("a") as file:
        file.write("{}\n")
    decide(tmp_path / "data", dict.fromkeys(range(4), "accepted"))
    uses.convert(tmp_path / "data", "cellpose", tmp_path, False)
    two.wait(30, until=lambda: not uses.busy)
    assert "4 pairs" in two.notices.notes["dataset"], two.notices.problems
    assert "Skipped 1 row of manifest.jsonl" in two.notices.notes["dataset"]
    uses.report(tmp_path / "data")
    two.wait(30, until=lambda: not uses.busy)
    assert "Skipped 1 row of manifest.jsonl" in two.notices.notes["dataset"]
    assert len(list((tmp_path / "Dataset-cellpose").rglob("*_masks.tif"))) == 4
    uses.convert(tmp_path / "data", "cellpose", tmp_path, False)  # it is there already
    two.wait(30, until=lambda: not uses.busy)
    assert "Dataset-cellpose" in two.notices.problems["dataset"]
