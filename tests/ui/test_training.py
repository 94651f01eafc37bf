"""Training a stain in the window."""

from __future__ import annotations

from pathlib import Path

import pytest
from marked_cells import LARGE, SMALL, write_pairs
from own_classes import write_own_classes
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog, QFileDialog

from napari_pixcell.engine.events import Failure, Finished, Progress, TrainedControl
from napari_pixcell.ui.demo import click
from napari_pixcell.ui.sections.training import WIDTH, short


def test_a_stain_is_trained_from_the_dock(
    ready, client, settle, tmp_path: Path, monkeypatch, press
) -> None:
    session, panel = ready.session, ready.stain.training
    assert not panel.isVisible()  # a dialog, until it is wanted
    assert ready.stain.train_button.text() == "Train a stain…"
    press(ready.stain.train_button)
    assert panel.train_button.isVisible() and not panel.train_button.isEnabled()
    assert panel.train_button.toolTip().startswith("Enter a name for the stain\n")
    assert panel.form["base"].currentData() == "demo-ki67"
    assert "Only the training of the generator uses this" in panel.form["aligned"].toolTip()
    panel.form["name"].setText("my-her2")
    for side in ("he", "ihc"):
        folder = tmp_path / f"{side} of the same places, folder of cases"
        folder.mkdir()
        (folder / "1.png").touch()
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, f=folder: str(f))
        click(panel.folders[side])
    panel.form["lora"].click()
    base = panel.form["base"]
    base.setCurrentIndex(base.findData("demo"))
    settle(ready)
    assert panel.folders["he"].text() == "H&&E: he of the … of cases"
    assert panel.words.text() == "1 pair" and panel.form["aligned"].isEnabled()
    assert panel.train_button.text() == "Train my-her2" and panel.train_button.isEnabled()
    assert panel.minimumSizeHint().width() <= WIDTH and ready.minimumSizeHint().width() <= 360
    press(panel.train_button)
    ((request, tell),) = client.trainings
    assert (request.family, request.lora_steps, request.aligned) == ("demo", 1000, False)
    tell(Progress(50, 3000, "Step 50 of 3,000 · held-out error 0.61, best 0.61"))
    settle(ready)
    progress = panel.progress
    assert progress.state.text().startswith("Step 50 of 3,000 · held-out error 0.61, best 0.61")
    assert (progress.bar.value(), progress.bar.maximum()) == (50, 3000)
    assert ready.stain.train_button.text().startswith("Step 50 of 3,000 · held-out error 0.61")
    busy = session.training.why_not()
    fields = (panel.form[name] for name in ("name", "base", "lora", "aligned"))
    for control in (*fields, *panel.folders.values(), *panel.regions.values()):
        assert not control.isEnabled() and control.toolTip().startswith(f"{busy}\n")
    press(panel.progress.cancel_button)
    assert "Train again to resume." in ready.stain.note.text() and not session.notices.problems
    assert not panel.progress.isVisible() and panel.train_button.isEnabled()
    assert ready.stain.train_button.text() == "Train a stain…"
    panel.close()


@pytest.fixture
def control(ready, settle, tmp_path: Path, monkeypatch, press):
    """The dialog that trains a control, with a folder of pairs that name two classes."""
    section = ready.layout_
    section.seen.button.setChecked(True)
    settle(ready)
    assert not section.training.isVisible()
    press(section.train_button)
    folder = write_pairs(tmp_path / "marked", 3, side=64)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    section.training.form["name"].setText("mine")
    section.training.folder.click()
    settle(ready)
    return section.training


def test_a_control_is_trained_from_the_dock(ready, client, settle, control, monkeypatch) -> None:
    form = control.form
    assert control.words.text() == "3 images with masks" and not form["method"].isEnabled()
    assert control.train_button.text() == "Train mine" and not control.swatches
    assert not control.plans.isVisible()  # the demo's networks are small
    form["classes"].click()
    settle(ready)
    assert set(control.swatches) == {LARGE, SMALL}
    counts = ready.session.control_training.found.counts
    assert control.swatches[LARGE].text() == f"{LARGE} · {counts[LARGE]}"
    monkeypatch.setattr(QColorDialog, "getColor", lambda *_: QColor("#00aa88"))
    control.swatches[LARGE].click()
    settle(ready)
    assert control.minimumSizeHint().width() <= WIDTH
    form["steps"].setValue(50)
    click(control.train_button)
    settle(ready)
    ((request, tell),) = client.trainings
    assert dict(request.palette)[LARGE] == "#00aa88" and request.steps == 50
    tell(Progress(5, 50, "Step 5 of 50 · loss 0.1"))
    settle(ready)
    assert control.progress.state.text().startswith("Step 5 of 50")
    assert ready.layout_.train_button.text().startswith("Step 5 of 50")
    for field in (form["name"], control.folder, *control.swatches.values()):
        assert field.toolTip().startswith("Training is under way\n")
    control.close()  # it goes on
    write_own_classes("mine")
    rows = "all cells: 90% placed (20% shuffled)", f"{LARGE}: 80% look like it"
    tell(TrainedControl("mine", "out", 0.1234, 0.2, 3, 20, 4, rows, True))
    tell(Finished())
    settle(ready)
    assert ready.layout_.note.text() == "The training of a control has ended."
    click(ready.layout_.action)
    settle(ready)
    assert control.isVisible() and ready.layout_.note.text() == ""
    assert control.messages.note.text() == "“mine” was trained on 20 tiles of 3 images."
    assert "Held-out error: 0.123 " in control.figures.text() and rows[1] in control.figures.text()
    click(control.messages.action)
    settle(ready)
    assert ready.session.settings.family == "mine" and ready.layout_.tools.classes.isVisible()
    assert not control.messages.action.isVisible()
    control.reject()
    settle(ready)
    assert ready.layout_.note.text() == ""


def test_a_control_that_follows_nothing_is_doubted_and_a_failure_is_shown(
    ready, client, settle, control
) -> None:
    click(control.train_button)
    settle(ready)
    tell = client.trainings[0][1]
    tell(TrainedControl("mine", "out", 0.2, 0.2, 3, 20, 4, ("all cells: 20% placed",), False))
    tell(Finished())
    settle(ready)
    assert "Do not trust it" in control.messages.problem.text()
    click(control.train_button)
    settle(ready)
    assert control.figures.text() == ""
    client.trainings[1][1](Failure("The masks differ in size."))
    settle(ready)
    assert control.messages.problem.text() == "The masks differ in size."
    control.close()


def test_a_training_of_a_control_is_cancelled_and_resumes(ready, client, settle, control) -> None:
    click(control.train_button)
    settle(ready)
    work = ready.session.control_training.out / "work"
    work.mkdir(parents=True)
    (work / "controlnet.pt").touch()
    click(control.progress.cancel_button)
    settle(ready)
    assert control.messages.note.text() == "Training stopped. Train again to resume."
    assert "training resumes with the same pairs" in control.words.text()
    control.close()


def test_large_models_show_what_gpus_can_train(ready, settle, control, monkeypatch) -> None:
    ready.session.control_training.set(base="pixcell-1024")
    settle(ready)
    assert control.plans.isVisible()
    sizes = [line.split(":")[0] for line in control.plan.text().splitlines()]
    assert sizes == ["16 GB", "24 GB", "48 GB", "80 GB"]
    control.close()


def test_long_names_are_cut_in_their_middle() -> None:
    assert short("her2") == "her2" and short("a" * 20) == "a" * 20
    assert short("Case 17, H&E, block B of four") == "Case 17, H…B of four"
