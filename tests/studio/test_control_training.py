"""Training a ControlNet in a session: choosing pairs, progress, cancelling, and its outcome."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripted import ScriptedClient

from napari_pixcell.engine.events import Finished, Progress, TrainedControl
from napari_pixcell.models.own_families import families_folder
from napari_pixcell.studio.session import Session


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pairs"
    folder.mkdir()
    for name in ("0.png", "0_masks.tif", "1.png", "1_masks.tif"):
        (folder / name).touch()
    return folder


@pytest.fixture
def asked(session: Session, folder: Path) -> Session:
    training = session.control_training
    training.set(name="mine", palette="a=#ff0000,b=#0000ff", steps=9)
    training.choose_folder(folder)
    session.wait()
    training.train()
    session.wait(until=lambda: not session.background.busy)
    return session


def test_missing_inputs_are_named_in_turn(session: Session, folder: Path) -> None:
    training = session.control_training
    assert training.why_not() == "Enter a name for the model"
    training.set(name="demo")
    assert training.why_not() == "“demo” is a built-in model. Choose another name."
    families_folder().mkdir(parents=True)
    (families_folder() / "other.toml").write_text('base = "demo"\n')
    training.set(name="other")
    assert training.why_not().startswith("You have another model named “other”")
    training.set(name="mine", palette="a=#ff0000,b=#ff0000")
    assert "have the same colour" in training.why_not()
    training.set(palette="")
    assert training.why_not() == "Select a folder of images and masks"
    training.choose_folder(folder)
    assert training.why_not() == "The folder holds no pairs"  # they are being looked for
    session.wait()
    assert training.why_not() == "" and training.words() == "2 images with masks"
    (folder / "1_masks.tif").unlink()
    training.choose_folder(folder)
    session.wait()
    assert "1 image of “pairs” has no mask" in session.notices.problems["cells"]
    (folder / "0_masks.tif").unlink()
    training.choose_folder(folder)
    session.wait()
    assert training.words() == "2 images segmented by the built-in method"


def test_the_request_names_the_pairs_and_the_classes(
    asked: Session, client: ScriptedClient, folder: Path
) -> None:
    ((request, _),) = client.trainings
    assert (request.name, request.family, request.pairs) == ("mine", "demo", str(folder))
    assert request.classes and dict(request.palette) == {"a": "#ff0000", "b": "#0000ff"}
    assert request.steps == 9 and request.out == str(asked.control_training.out)
    assert asked.control_training.why_not() == "Training is under way"


def test_the_outcome_is_told_and_the_models_are_looked_for_again(
    asked: Session, client: ScriptedClient
) -> None:
    _, tell = client.trainings[0]
    tell(Progress(3, 9, "Step 3 of 9 · loss 0.1"))
    asked.wait(until=lambda: not asked.background.busy)
    assert asked.control_training.job.sentence().startswith("Step 3 of 9 · loss 0.1")
    rows = ("all cells: 90% placed (20% shuffled)",)
    tell(TrainedControl("mine", "out", 0.1, 0.2, 2, 20, 4, rows, True))
    tell(Finished())
    asked.wait()
    words = "“mine” was trained on 20 tiles of 2 images. On held-out tiles: all cells: 90% placed"
    assert asked.notices.notes["cells"].startswith(words)
    assert asked.control_training.job is None


def test_a_cancelled_training_says_how_to_resume(asked: Session) -> None:
    assert asked.cancel()
    asked.wait()
    assert asked.notices.notes["cells"] == "Training stopped. Train again to resume."
    (asked.control_training.out / "work").mkdir(parents=True)
    (asked.control_training.out / "work" / "controlnet.pt").touch()
    assert "training resumes with the same pairs" in asked.control_training.words()


def test_gpus_are_planned_for_the_base(session: Session) -> None:
    training = session.control_training
    assert training.plan() == []  # the demo's networks are small
    training.set(base="pixcell-1024")
    assert [line.split(":")[0] for line in training.plan()] == ["16 GB", "24 GB", "48 GB", "80 GB"]
