"""Evaluations of drawn datasets: small trainings, resumed, cancelled and reproduced."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from drawn_dataset import make_dataset
from labelled import SIDE, write_tiles
from PIL import Image

from napari_pixcell.datasets.store.completeness import check_dataset
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.engine.events import Evaluated, Event, Finished, Notice, Progress
from napari_pixcell.errors import PixCellError
from napari_pixcell.evaluation.job import evaluate
from napari_pixcell.evaluation.record import EvaluationRecord
from napari_pixcell.evaluation.request import EvaluateRequest
from napari_pixcell.evaluation.tiles import read_tiles
from napari_pixcell.evaluation.training import TrainingCrops
from napari_pixcell.evaluation.verdict import judge
from napari_pixcell.worker.process import Worker
from napari_pixcell.worker.protocol import ImageBlock, event_from_message, slot_bytes

STEPS, ARMS = 1, ("strong", "mixed")


@pytest.fixture
def request_(tmp_path: Path) -> EvaluateRequest:
    """A request to evaluate a dataset on six tiles of three slides."""
    make_dataset(tmp_path / "data", side=SIDE)
    real = write_tiles(tmp_path / "real", ["a_1", "a_2", "b_1", "b_2", "c_1", "c_2"])
    return EvaluateRequest(
        str(tmp_path / "data"), str(real), seeds=2, steps=STEPS, arms=ARMS, mpp=0.5
    )


def run(request: EvaluateRequest, **options: Any) -> list[Event]:
    events: list[Event] = []
    evaluate(request, events.append, **options)
    return events


def trained(events: list[Event]) -> int:
    """Return the number of training steps that ran."""
    return sum(isinstance(e, Progress) and e.message.startswith("Training") for e in events)


def numbers(request: EvaluateRequest) -> list[dict[str, dict[str, float]]]:
    return [result.tiles for result in EvaluationRecord.read(request.results).results]


def test_an_evaluation_answers_and_the_same_files_give_the_same_numbers(
    request_: EvaluateRequest, tmp_path: Path
) -> None:
    events = run(request_)
    (answer,) = (event for event in events if isinstance(event, Evaluated))
    assert events[-1] == Finished() and trained(events) == 2 * (STEPS + 2 * STEPS)
    assert answer.answer in ("help", "harm", "do not help", "cannot be told")
    page = Path(answer.page).read_text("utf-8")
    assert answer.sentence in page and "<script" not in page
    record = EvaluationRecord.read(request_.results)
    assert judge(record.results, record.slides).sentence == answer.sentence
    again = replace(request_, out=str(tmp_path / "again"))
    run(again)
    assert numbers(again) == numbers(request_)


def test_names_of_files_and_slides_stay_out_of_the_dataset(request_: EvaluateRequest) -> None:
    run(request_)
    for path in request_.results.rglob("*.*"):
        text = path.read_text("utf-8")
        assert "a_1" not in text and request_.real not in text, path.name
    assert check_dataset(Dataset(request_.folder), lambda *_: None).whole


def test_only_missing_or_damaged_trainings_run_again(request_: EvaluateRequest) -> None:
    run(request_)
    before, kept = numbers(request_), sorted((request_.results / "trainings").iterdir())
    assert len(kept) == 4 and trained(run(request_)) == 0
    strong = [path for path in kept if json.loads(path.read_text())["arm"] == "strong"]
    strong[0].unlink()
    strong[1].write_text(strong[1].read_text().replace("aji", "ajax"))
    assert trained(run(request_)) == 2 * STEPS and numbers(request_) == before
    (Path(request_.real) / "images" / "new_1.png").write_bytes(
        (Path(request_.real) / "images" / "a_1.png").read_bytes()
    )
    with pytest.raises(PixCellError, match="have no labels"):
        run(request_)


def test_a_cancelled_evaluation_resumes(request_: EvaluateRequest) -> None:
    events: list[Event] = []
    evaluate(request_, events.append, lambda: trained(events) >= STEPS + 2 * STEPS + 1)
    assert events[-1] == Finished(cancelled=True)
    assert not any(isinstance(event, Evaluated) for event in events)
    kept = len([*(request_.results / "trainings").iterdir()])
    assert 0 < kept < 4
    steps = trained(run(request_))
    assert 0 < steps < 2 * (STEPS + 2 * STEPS)


def test_given_test_tiles_are_used_whole_and_notes_are_kept(
    request_: EvaluateRequest, tmp_path: Path
) -> None:
    test = write_tiles(tmp_path / "test", ["x", "y"], first=0)  # with the layouts of the dataset
    events = run(replace(request_, test=str(test), seeds=1, arms=("strong", "mixed", "pairs")))
    notes = [event.message for event in events if isinstance(event, Notice)]
    assert any("each tile counts as a slide" in note for note in notes)
    assert any("whose layout comes from a test tile" in note for note in notes)
    record = EvaluationRecord.read(request_.results)
    assert record.own_test and record.notes == tuple(notes)
    (one,) = record.rounds
    assert (len(one.real), one.test, one.pairs) == (6, ("tile 7", "tile 8"), 1)


def test_tiles_without_a_nucleus_cannot_be_tested_on(
    request_: EvaluateRequest, tmp_path: Path
) -> None:
    test = write_tiles(tmp_path / "test", ["x"], first=300)
    Image.fromarray(np.zeros((SIDE, SIDE), np.uint8)).save(test / "labels" / "x.png")
    with pytest.raises(PixCellError, match="The test tiles have no labelled nucleus"):
        run(replace(request_, test=str(test)))


def test_a_damaged_record_is_refused(request_: EvaluateRequest, tmp_path: Path) -> None:
    (tmp_path / "evaluation.json").write_text("{}")
    with pytest.raises(PixCellError, match=r"evaluation\.json is damaged"):
        EvaluationRecord.read(tmp_path)


def test_results_that_cannot_be_written_get_one_sentence(
    request_: EvaluateRequest, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PixCellError, match="cannot be written"):
        run(replace(request_, out=str(tmp_path / "file"), seeds=1))


# -- in the worker -------------------------------------------------------------------------


def test_the_worker_runs_an_evaluation_and_its_events_travel(request_: EvaluateRequest) -> None:
    answers = io.BytesIO()
    block = ImageBlock(slot_bytes(request_))
    job = {"job": 1, "request": request_.to_dict(), "slot_bytes": slot_bytes(request_)}
    job |= {"block": block.name, "inputs": None, "previews": True}
    try:
        Worker(io.BytesIO(), answers)._run(None, job)
    finally:
        block.close()
    messages = [json.loads(line) for line in answers.getvalue().splitlines()]
    events = [event_from_message(message, None) for message in messages]
    assert events[-1] == Finished()
    (found,) = (event for event in events if isinstance(event, Evaluated))
    assert Path(found.page).is_file() and found.sentence


# -- crops ---------------------------------------------------------------------


@pytest.mark.parametrize("harder", [False, True])
def test_crops_of_large_tiles_keep_image_and_labels_together(tmp_path: Path, harder: bool) -> None:
    tiles = read_tiles(write_tiles(tmp_path, ["a"], side=500), 0.5).tiles
    labels = np.zeros_like(tiles[0].labels)
    labels[tiles[0].image.astype(int).sum(-1) < 450] = 1  # the dark discs
    crops = TrainingCrops([replace(tiles[0], labels=labels)])
    drawn = crops.draw(40, harder, torch.Generator().manual_seed(1))
    dark = [image.mean(0)[target[0] > 0] for image, target in drawn if target[0].sum() > 20]
    light = [image.mean(0)[target[0] == 0] for image, target in drawn if target[0].sum() > 20]
    assert dark and all(d.mean() < one.mean() - 0.2 for d, one in zip(dark, light, strict=True))
