"""The doctor grades each finding, and names a fix for each problem."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from napari_pixcell.cli import doctor
from napari_pixcell.cli.doctor import Diagnosis, examine
from napari_pixcell.cli.main import main
from napari_pixcell.preferences import set_preference

CPSAM = "mouseland/cellpose-sam/cpsam_v2"


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> list[Diagnosis]:
    """Examine this machine once."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PIXCELL_CONFIG_DIR", str(tmp_path_factory.mktemp("config")))
        patched.setenv("HF_TOKEN", "hf_very_secret")
        return list(examine())


def test_every_problem_has_a_fix(findings: list[Diagnosis]) -> None:
    assert {line.grade for line in findings} <= {"PASS", "WARN", "FAIL"}
    assert all(bool(line.fix) == (line.grade != "PASS") for line in findings)
    assert not [line for line in findings if "the check broke" in line.found]


def test_everything_that_the_studio_needs_is_checked(findings: list[Diagnosis]) -> None:
    topics = {line.topic for line in findings}
    assert topics >= {"Python", "napari", "Qt", "OpenGL", "torch", "device", "memory", "token"}
    assert topics >= {
        "model demo",
        "model pixcell-1024",
        "OpenSlide",
        "disk for weights",
        "cache folder",
    }
    assert topics >= {"disk for stored styles", "MahmoodLab/UNI2-h/pytorch_model.bin"}


def test_a_missing_family_comes_with_the_command_to_get_it(findings) -> None:
    lines = {line.topic: line for line in findings}
    assert lines["model demo"].grade == "PASS"
    assert lines["model pixcell-256"].grade == "WARN"
    assert lines["model pixcell-256"].fix == "napari-pixcell models get pixcell-256"


@pytest.mark.usefixtures("quick")
def test_cellpose_and_its_weights_are_checked(monkeypatch, tmp_path: Path) -> None:
    lines = {line.topic: line for line in examine()}
    assert lines["Cellpose"].grade == "PASS" and lines["Cellpose"].found[0] == "4"
    weights = lines[CPSAM]
    assert weights.grade == "WARN" and "napari-pixcell models get cellpose" in weights.fix
    assert "slowly" in lines["memory for cellpose"].found or lines["memory for cellpose"].fix
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path))
    (tmp_path / "cpsam_v2").touch()
    monkeypatch.setattr(doctor, "_version_of", lambda _: "")
    lines = {line.topic: line for line in examine()}
    assert lines[CPSAM].found == "in Cellpose's own folder"
    assert lines["Cellpose"].grade == "FAIL" and "pip install" in lines["Cellpose"].fix


def test_a_token_is_never_shown(findings: list[Diagnosis]) -> None:
    assert "secret" not in " ".join(map(str, findings))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the checks that start processes."""
    for name in ("_opengl", "_torch"):
        monkeypatch.setattr(doctor, name, lambda *_: iter(()))


@pytest.mark.usefixtures("quick")
def test_the_exit_code_is_1_if_a_check_fails(capsys, monkeypatch, tmp_path: Path) -> None:
    assert main(["doctor"]) == 0
    assert "PASS  Python" in capsys.readouterr().out
    blocked = tmp_path / "a file"
    blocked.touch()
    monkeypatch.setenv("PIXCELL_CACHE_DIR", str(blocked / "cache"))
    assert main(["doctor", "--json"]) == 1
    lines = json.loads(capsys.readouterr().out)["lines"]
    (bad,) = [line for line in lines if line["grade"] == "FAIL"]
    assert bad["topic"] == "cache folder" and "PIXCELL_CACHE_DIR" in bad["fix"]


@pytest.mark.usefixtures("quick")
def test_a_check_that_breaks_is_reported_without_a_traceback(monkeypatch) -> None:
    monkeypatch.setattr(doctor, "families", lambda: 1 / 0)
    lines = {line.topic: line for line in examine()}
    assert lines["models"].grade == "FAIL"
    assert "ZeroDivisionError" in lines["models"].found


def test_a_torch_that_cannot_be_imported_fails_with_its_fix(monkeypatch) -> None:
    monkeypatch.setattr(doctor, "_TORCH", "raise ImportError")
    (line,) = doctor._torch({})
    assert line.grade == "FAIL" and "pip install torch" in line.fix


@pytest.mark.parametrize(
    ("build", "script", "found", "fix"),
    [
        (None, "exit 0", "a torch for the CPU alone", "CUDA build of PyTorch"),
        ("12.8", "exit 9", "driver does not answer", "restart the computer"),
        (
            "12.8",
            "echo 470.57",
            "torch for CUDA 12.8 cannot use driver 470.57",
            "update the driver",
        ),
    ],
)
def test_a_gpu_that_torch_does_not_see_is_explained(
    build, script, found, fix, monkeypatch, tmp_path: Path
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    answer = {"version": "2", "device": "cpu", "cuda_build": build, "free": 0, "bf16": False}
    monkeypatch.setattr(doctor, "_TORCH", f"print({json.dumps(json.dumps(answer))})")
    _, line = doctor._torch({})
    assert line.grade == "WARN"
    assert found in line.found and fix in line.fix


def test_a_full_disk_names_the_variable_to_set(monkeypatch) -> None:
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage(10**9, 9 * 10**8, 10**8))
    weights, styles = doctor._disk()
    assert (weights.grade, weights.found) == ("WARN", "100 MB free") and "HF_HOME" in weights.fix
    assert styles.grade == "WARN" and "PIXCELL_CACHE_DIR" in styles.fix


def test_every_check_runs_in_a_real_process(tmp_path: Path) -> None:
    import os
    import subprocess

    done = subprocess.run(
        [sys.executable, "-m", "napari_pixcell.cli.main", "doctor", "--json"],
        env=os.environ | {"PIXCELL_CONFIG_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    lines = {line["topic"]: line for line in json.loads(done.stdout)["lines"]}
    failed = [line for line in lines.values() if line["grade"] == "FAIL"]
    assert done.returncode == bool(failed), failed
    assert lines["torch"]["grade"] == "PASS" and lines["device"]["found"]


def test_the_renderer_is_named_if_there_is_a_screen(qapp, monkeypatch) -> None:
    # As on a user's machine: a process that is killed loses unflushed output.
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    (line,) = doctor._opengl()
    assert line.found != "no context could be created"


def test_a_missing_screen_is_a_warning(monkeypatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    (line,) = doctor._opengl()
    assert line.grade == "WARN" and "xvfb-run" in line.fix


@pytest.mark.usefixtures("quick")
def test_offline_mode_is_reported(monkeypatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    lines = {line.topic: line for line in examine(online=True)}
    assert lines["hub"].grade == "WARN"


def test_the_doctor_does_not_import_torch() -> None:
    import subprocess

    code = "import napari_pixcell.cli.doctor, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_failed_compilation_is_reported_with_its_reason(monkeypatch) -> None:
    def line() -> Diagnosis:
        return next(doctor._compilation())

    assert line().grade == "PASS" and line().found.startswith("off")
    monkeypatch.setenv("PIXCELL_COMPILE", "1")
    assert line().grade == "PASS" and "compiled when a model is loaded" in line().found
    set_preference("compile failed", "RuntimeError: no C++ compiler")
    assert line().grade == "WARN" and "no C++ compiler" in line().found
    assert line().fix.startswith("install a C++ compiler")
