"""The checks of a family, in their dialog."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from qtpy.QtWidgets import QFileDialog

from napari_pixcell.engine.events import Failure, Finished, Progress, Verified
from napari_pixcell.ui.demo import click
from napari_pixcell.verification.report import CheckRow, VerificationReport

ROWS = (
    CheckRow("psnr", "Reconstruction", "PASS", "29.2 dB", "29.2 dB", "As expected."),
    CheckRow(
        "grid", "Order in the grid", "FAIL", "0.46", "1.00", "It is transposed.", "Report it."
    ),
    CheckRow("lora", "LoRA adapter", "not applicable", "The family has none"),
)
REPORT = VerificationReport(
    family="demo", title="Demo", device="cpu", versions={}, weights={}, samples="bundled",
    patches=1, pictures=4, steps=20, seed=1, own_figures=True, created="2026-01-01T00:00:00+00:00",
    rows=ROWS,
)  # fmt: skip


@pytest.fixture
def dialog(ready, settle):
    ready.actions.manage("demo")
    click(ready.actions.manager.verify_button)
    settle(ready)
    made = ready.actions.manager.verification
    yield made
    made.close()
    ready.actions.manager.close()


def test_a_check_shows_its_progress_and_its_table(
    dialog, ready, client, settle, tmp_path: Path, monkeypatch
) -> None:
    assert dialog.isVisible() and not dialog.save_button.isEnabled()
    assert not dialog.offer.text() and dialog.start_button.text() == "Verify"  # it is bundled
    click(dialog.start_button)
    settle(ready)
    ((request, tell),) = client.checks
    assert request.family == "demo"
    tell(Progress(2, 8, "Encoding the patches"))
    settle(ready)
    assert dialog.messages.state.text().startswith("Encoding the patches")
    assert dialog.bar.value() == 2 and not dialog.start_button.isEnabled()
    tell(Verified(REPORT.to_dict()))
    tell(Finished())
    settle(ready)
    table = dialog.table
    shown = [[table.topLevelItem(i).text(n) for n in range(4)] for i in range(3)]
    assert shown[0] == ["Reconstruction", "29.2 dB", "29.2 dB", "PASS"]
    assert shown[2] == ["LoRA adapter", "The family has none", "–", "not applicable"]
    assert table.headerItem().text(2) == "Its own figure"
    assert dialog.meaning.text() == "It is transposed. Report it."  # the first failure
    assert "1 failed. Start with “Order in the grid”" in dialog.messages.note.text()
    path = tmp_path / "report.json"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    click(dialog.save_button)
    settle(ready)
    assert VerificationReport.from_dict(json.loads(path.read_text())) == REPORT


def test_a_folder_replaces_the_download_and_a_failure_is_said(
    dialog, ready, client, settle, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    click(dialog.folder_button)
    settle(ready)
    ((request, tell),) = client.checks
    assert request.folder == str(tmp_path)
    tell(Failure("The folder holds no sample data. Choose the folder of PixCell-sample-data."))
    settle(ready)
    assert dialog.messages.problem.text().startswith("The folder holds no sample data.")
    assert dialog.start_button.isEnabled()


def test_cellpose_cannot_be_verified(ready, settle) -> None:
    ready.actions.manage("cellpose")
    manager = ready.actions.manager
    settle(ready)
    assert not manager.verify_button.isEnabled()
    manager.close()
