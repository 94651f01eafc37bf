"""Training a stain in the window."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog

from napari_pixcell.engine.events import Progress
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
    assert panel.progress.state.text().startswith("Step 50 of 3,000 · held-out error 0.61, best 0.61")
    assert (panel.progress.bar.value(), panel.progress.bar.maximum()) == (50, 3000)
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


def test_long_names_are_cut_in_their_middle() -> None:
    assert short("her2") == "her2" and short("a" * 20) == "a" * 20
    assert short("Case 17, H&E, block B of four") == "Case 17, H…B of four"
