"""Training a ControlNet in a session: choosing pairs, progress, cancelling, and its outcome."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from marked_cells import LARGE, SMALL, write_pairs
from scripted import ScriptedClient
from tifffile import imwrite

from napari_pixcell.cells.class_map import COLOURS
from napari_pixcell.engine.events import Finished, Progress, TrainedControl
from napari_pixcell.models.own_families import families_folder
from napari_pixcell.studio.controls import pair_classes
from napari_pixcell.studio.session import Session


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pairs"
    folder.mkdir()
    for name in ("0.png", "0_masks.tif", "1.png", "1_masks.tif"):
        (folder / name).touch()
    return folder


@pytest.fixture
def asked(session: Session, tmp_path: Path) -> Session:
    """A session that trains on two pairs with classes, one of them in a chosen colour."""
    training = session.control_training
    training.set(name="mine", classes=True, steps=9)
    training.choose_folder(write_pairs(tmp_path / "marked", 2, side=64))
    session.wait()
    training.found.colour(LARGE, "#00aa88")
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
    training.set(name="mine")
    assert training.why_not() == "Select a folder of images and masks"
    training.choose_folder(folder)
    assert training.why_not() == "The folder holds no pairs"  # they are being looked for
    session.wait()
    assert training.why_not() == "" and training.words() == "2 images with masks"
    (folder / "1_masks.tif").unlink()
    training.choose_folder(folder)
    session.wait()
    assert "1 image of “pairs” has no mask" in session.notices.problems["control"]
    (folder / "0_masks.tif").unlink()
    training.choose_folder(folder)
    session.wait()
    assert training.words() == "2 images without masks, segmented by the built-in method"
    training.set(classes=True)
    assert training.why_not() == "Images without masks name no classes"
    training.set(classes=False, method="cellpose")
    assert training.why_not().startswith("Cellpose's weights are not installed.")


def test_classes_of_the_masks_are_listed_with_colours_that_can_be_told_apart(
    session: Session, tmp_path: Path
) -> None:
    training, found = session.control_training, session.control_training.found
    training.set(name="mine", classes=True)
    folder = write_pairs(tmp_path / "marked", 5, side=64)
    (folder / "3_masks.tif").write_bytes(b"no mask")
    training.choose_folder(folder)
    session.wait()
    assert "3_masks.tif" in training.why_not()
    write_pairs(folder, 5, side=64)
    training.choose_folder(folder)
    session.wait()
    assert sorted(found.names) == [LARGE, SMALL] and found.counts.total() == 20
    assert [colour for _, colour in training.palette] == list(COLOURS[:2])
    assert training.why_not() == ""
    found.colour(found.names[0], COLOURS[1])
    assert "have the same colour" in training.why_not()
    training.choose_folder(write_pairs(tmp_path / "other", 1, side=64))
    session.wait()
    assert training.why_not() == "" and found.colours == {}
    field_without_classes = tmp_path / "other" / "0_masks.tif"
    imwrite(field_without_classes, np.ones((64, 64), np.uint16))
    training.choose_folder(tmp_path / "other")
    session.wait()
    assert training.why_not().startswith("The masks name no classes.")


def test_classes_of_many_masks_are_left_to_the_training(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair_classes, "MOST", 1)
    training = session.control_training
    training.set(name="mine", classes=True)
    training.choose_folder(write_pairs(tmp_path / "marked", 3, side=64))
    session.wait()
    assert training.found.names and training.palette == () and training.why_not() == ""
    training.found.look(training.files)
    assert training.why_not() == "The classes are being read: 0 of 3 masks"
    session.wait()
    assert training.why_not() == ""


def test_the_request_names_the_pairs_and_the_classes(
    asked: Session, client: ScriptedClient, tmp_path: Path
) -> None:
    ((request, _),) = client.trainings
    pairs = str(tmp_path / "marked")
    assert (request.name, request.family, request.pairs) == ("mine", "demo", pairs)
    assert request.classes and dict(request.palette)[LARGE] == "#00aa88"
    assert set(dict(request.palette)) == {LARGE, SMALL}
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
    assert asked.notices.notes["control"].startswith(words)
    assert asked.control_training.job is None and asked.control_training.outcome.follows


def test_a_cancelled_training_says_how_to_resume(asked: Session) -> None:
    assert asked.cancel()
    asked.wait()
    assert asked.notices.notes["control"] == "Training stopped. Train again to resume."
    (asked.control_training.out / "work").mkdir(parents=True)
    (asked.control_training.out / "work" / "controlnet.pt").touch()
    assert "training resumes with the same pairs" in asked.control_training.words()


def test_gpus_are_planned_for_the_base(session: Session) -> None:
    training = session.control_training
    assert training.plan() == []  # the demo's networks are small
    training.set(base="pixcell-1024")
    assert [line.split(":")[0] for line in training.plan()] == ["16 GB", "24 GB", "48 GB", "80 GB"]
