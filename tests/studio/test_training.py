"""Teaching a stain in a session: choosing pairs, progress, cancelling, and having the stain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pictures import tissue
from PIL import Image
from scripted import ScriptedClient

from napari_pixcell.engine.events import Failure, Finished, Notice, Progress, Trained
from napari_pixcell.models.own_families import families_folder
from napari_pixcell.slides import ArraySlide
from napari_pixcell.studio.session import Session


@pytest.fixture
def picture() -> np.ndarray:
    return tissue(900)


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    found = {side: tmp_path / side for side in ("he", "ihc")}
    for folder in found.values():
        folder.mkdir()
        for number in range(3):
            (folder / f"{number}.png").touch()
    return found


@pytest.fixture
def asked(session: Session, folders: dict[str, Path]) -> Session:
    """With a name and two folders, and a training under way."""
    training = session.training
    training.set(name="mine")
    for side, folder in folders.items():
        training.choose_folder(side, folder)
    session.wait()
    training.train()
    settle(session)
    return session


def settle(session: Session) -> None:
    session.wait(until=lambda: not session.background.busy)


def test_missing_inputs_of_a_training_are_named_in_turn(
    session: Session, folders: dict[str, Path]
) -> None:
    training = session.training
    assert training.why_not() == training.why_no_region() == "Enter a name for the stain"
    training.set(name="demo")
    assert training.why_not() == "“demo” is a built-in model. Choose another name."
    families_folder().mkdir(parents=True)
    (families_folder() / "other.toml").write_text('base = "demo"\n')
    training.set(name="other")
    assert training.why_not().startswith("You have another model named “other”")
    training.set(name="mine")
    assert training.why_not() == "Select the folder of H&E, or two regions"
    assert training.why_no_region() == "Add a region first"
    training.choose_folder("he", folders["he"])
    assert training.why_not() == "Select the folder of IHC, or two regions"
    training.choose_folder("ihc", folders["ihc"])
    assert training.why_not() == "The folders hold no pairs"  # they are being counted
    session.wait()
    assert training.why_not() == "" and training.words() == "3 pairs"
    (folders["ihc"] / "2.png").unlink()
    training.choose_folder("ihc", folders["ihc"])
    session.wait()
    assert "“he” holds 3 images and “ihc” 2 images" in session.notices.problems["stain"]
    training.train()
    assert training.job is None


def test_training_reports_progress_and_its_stain_is_available_at_once(
    asked: Session, client: ScriptedClient, folders: dict[str, Path]
) -> None:
    training = asked.training
    ((request, tell),) = client.trainings
    assert (request.name, request.family, request.lora_steps) == ("mine", "demo-ki67", 0)
    assert (request.he, request.ihc) == (str(folders["he"]), str(folders["ihc"]))
    assert request.out == str(training.out) and asked.busy
    assert training.why_not() == training.why_no_region() == "Training is under way"
    tell(Progress(50, 3000, "Step 50 of 3,000 · held-out error 0.61, best 0.61"))
    tell(Notice("Names differ."))
    settle(asked)
    assert training.job.sentence().startswith("Step 50 of 3,000 · held-out error 0.61")
    folder = training.out
    folder.mkdir(parents=True)
    (folder / "flow.safetensors").touch()
    families_folder().mkdir(parents=True)
    text = f'base = "demo"\n[flow]\nfile = "{(folder / "flow.safetensors").as_posix()}"\n'
    (families_folder() / "mine.toml").write_text(text)
    tell(Trained("mine", str(folder), 0.4, 0.6, 3, 20, 4))
    tell(Finished())
    asked.wait()
    assert [family.name for family in asked.staining.chosen] == ["mine"]
    assert asked.notices.notes["stain"].startswith("“mine” was trained on 20 tiles of 3 pairs")
    assert asked.notices.notes["stain"].endswith("Names differ.")
    assert training.why_not() == ""  # it may be trained further


def test_a_cancelled_training_keeps_its_checkpoint(asked: Session, client: ScriptedClient) -> None:
    asked.cancel()
    assert asked.training.job is None or asked.training.job.sentence() == "Cancelling…"
    asked.wait()
    assert asked.notices.notes["stain"] == "Training stopped. Train again to resume."
    (asked.training.out / "work").mkdir(parents=True)
    (asked.training.out / "work" / "flow.pt").touch()
    assert asked.training.words() == "3 pairs · training resumes with the same pairs"


def test_a_failed_training_is_reported_in_its_section(
    asked: Session, client: ScriptedClient
) -> None:
    client.trainings[0][1](Failure("The pairs give 3 tiles of tissue."))
    asked.wait()
    assert asked.notices.problems["stain"] == "The pairs give 3 tiles of tissue."
    assert asked.training.job is None and not asked.busy


def test_two_regions_of_two_slides_become_a_pair(session: Session, picture: np.ndarray) -> None:
    training = session.training
    training.set(name="mine")
    session.regions.add((300, 300))
    training.choose_region("he")
    assert training.words() == "H&E: Region 1"
    session.slides.set(ArraySlide([picture[::-1]], 0.5, "the same in IHC"))
    session.regions.add((400, 400))
    training.choose_region("ihc")
    session.wait()
    assert training.words() == "1 pair" and not session.notices.problems
    (he,) = training.folders["he"].iterdir()
    np.testing.assert_array_equal(np.asarray(Image.open(he)), picture[172:428, 172:428])
    session.regions.draw(session.regions.active.region)
    training.choose_region("he")
    session.slides.set(ArraySlide([picture], 0.25, "another scanner"))
    session.regions.add((400, 400))
    training.choose_region("ihc")
    session.wait()
    assert training.words() == "2 pairs" and not session.notices.problems  # the same size in µm


def test_a_pair_of_regions_must_have_equal_size(session: Session) -> None:
    from napari_pixcell.slides import Region

    training = session.training
    training.set(name="mine")
    session.regions.add((300, 300))
    training.choose_region("he")
    session.regions.draw(Region(0, 0, 700, 300))
    training.choose_region("ihc")
    session.wait()
    words = "The H&E region is 128 × 128 µm, but the IHC region 350 × 150 µm. Draw two"
    assert session.notices.problems["stain"].startswith(words) and not training.folders
