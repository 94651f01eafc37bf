"""Teaching a stain in the window."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog

from napari_pixcell.engine.events import Progress
from napari_pixcell.ui.demo import click
from napari_pixcell.ui.sections.training import short


def test_a_stain_is_taught_from_the_dock(
    ready, client, settle, tmp_path: Path, monkeypatch
) -> None:
    session, panel = ready.session, ready.stain.teach
    assert not panel.teach_button.isVisible()  # folded away until it is wanted
    panel.more.button.click()
    settle(ready)
    assert panel.teach_button.isVisible() and not panel.teach_button.isEnabled()
    assert panel.teach_button.toolTip().startswith("Give the stain a name\n")
    assert panel.base.currentData() == "demo-ki67"
    assert "Only the generator makes use of it" in panel.aligned.toolTip()
    panel.name.setText("my-her2")
    panel.name.textEdited.emit("my-her2")
    for side in ("he", "ihc"):
        folder = tmp_path / f"{side} of the same places, folder of cases"
        folder.mkdir()
        (folder / "1.png").touch()
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, f=folder: str(f))
        click(panel.folders[side])
    panel.lora.click()
    panel.base.setCurrentIndex(panel.base.findData("demo"))
    panel.base.activated.emit(panel.base.currentIndex())
    settle(ready)
    assert panel.folders["he"].text() == "H&&E: he of the … of cases"
    assert panel.words.text() == "1 pair" and panel.aligned.isEnabled()
    assert panel.teach_button.text() == "Teach my-her2" and panel.teach_button.isEnabled()
    assert ready.minimumSizeHint().width() <= 360
    click(panel.teach_button)
    settle(ready)
    ((request, tell),) = client.teaching
    assert (request.family, request.lora_steps, request.aligned) == ("demo", 1000, False)
    tell(Progress(50, 3000, "Step 50 of 3,000 · held-out error 0.61, best 0.61"))
    settle(ready)
    assert panel.state.text().startswith("Step 50 of 3,000 · held-out error 0.61, best 0.61")
    assert (panel.bar.value(), panel.bar.maximum()) == (50, 3000)
    for control in (panel.name, panel.base, *panel.folders.values(), *panel.regions.values()):
        assert not control.isEnabled() and control.toolTip().startswith("It is being taught\n")
    click(panel.cancel_button)
    settle(ready)
    assert "teach it again to go on" in ready.stain.note.text() and not session.problems
    assert not panel.progress.isVisible() and panel.teach_button.isEnabled()


def test_long_names_are_cut_in_their_middle() -> None:
    assert short("her2") == "her2" and short("a" * 20) == "a" * 20
    assert short("Case 17, H&E, block B of four") == "Case 17, H…B of four"
