"""``napari-pixcell models verify``, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_pixcell.cli import verify as command
from napari_pixcell.cli.main import main
from napari_pixcell.engine.events import Verified
from napari_pixcell.verification.report import CheckRow, VerificationReport, not_applicable

ROWS = (
    CheckRow("latents", "Latents", "PASS", "0.1% off", "as stored"),
    CheckRow("psnr", "Reconstruction", "FAIL", "20.0 dB", "31.8 dB", "It loses.", "Get it again."),
    not_applicable("lora", "LoRA adapter", "This family is no virtual stain."),
)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Requests that were verified; each fails one check."""
    asked: list[object] = []

    def verify(request, _engine, emit):
        asked.append(request)
        report = VerificationReport(
            family="demo", title="Demo", device="cpu", versions={}, weights={}, samples="bundled",
            patches=1, pictures=4, steps=20, seed=1, own_figures=False, rows=ROWS, created="now",
        )  # fmt: skip
        emit(Verified(report.to_dict()))

    monkeypatch.setattr("napari_pixcell.verification.job.verify", verify)
    monkeypatch.setattr(command, "engine", lambda: None)
    return asked


def test_people_read_a_table_with_what_to_do(measured, capsys) -> None:
    assert main(["models", "verify", "demo", "--steps", "5"]) == 3
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["check", "measured", "published", "verdict"]
    assert lines[3].split() == ["Reconstruction", "20.0", "dB", "31.8", "dB", "FAIL"]
    assert lines[4] == "    It loses. Get it again."
    assert lines[6] == "    This family is no virtual stain."
    assert lines[-1].startswith("Demo: 1 of 2 checks passed, 1 failed. Start with “Reconstruction”")
    assert (measured[0].family, measured[0].steps) == ("demo", 5)


def test_programs_read_json_which_is_saved_as_well(measured, run, tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    result = run("models", "verify", "demo", "--out", out, "--folder", tmp_path)
    assert result["code"] == 3 and result["rows"][1]["verdict"] == "FAIL"
    assert measured[0].folder == str(tmp_path)
    saved = VerificationReport.from_dict(json.loads(out.read_text()))
    assert saved.rows == ROWS


def test_a_missing_folder_of_the_report_is_noticed_before_the_work(measured, run, tmp_path) -> None:
    result = run("models", "verify", "demo", "--out", tmp_path / "no" / "report.json")
    assert "The folder for report.json does not exist" in result["error"] and measured == []


def test_a_download_needs_agreement(measured, run, pretend_installed) -> None:
    pretend_installed()
    result = run("models", "verify", "pixcell-256")
    assert "35 MB of stored features" in result["error"] and "Add --yes" in result["error"]
    assert measured == []
    assert run("models", "verify", "pixcell-256", "--yes")["code"] == 3 and measured[0].download


def test_a_family_that_is_not_installed_is_not_asked_about(measured, run) -> None:
    assert "PixCell-256 is not installed" in run("models", "verify", "pixcell-256")["error"]
    assert "There is no family “x”" in run("models", "verify", "x")["error"]
