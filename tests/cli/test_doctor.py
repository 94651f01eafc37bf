"""The doctor grades each finding, and names a fix for each problem."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest

from napari_pixcell.cli import diagnosis, doctor
from napari_pixcell.cli.doctor import Diagnosis, examine
from napari_pixcell.cli.main import main
from napari_pixcell.models.families import weight_sets
from napari_pixcell.models.own_families import families_folder
from napari_pixcell.preferences import set_preference

CPSAM = "mouseland/cellpose-sam/cpsam_v2"


@pytest.fixture(scope="module")
def examined(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """The command run once on this machine, in a process of its own."""
    config = str(tmp_path_factory.mktemp("config"))
    return subprocess.run(
        [sys.executable, "-m", "napari_pixcell.cli.main", "doctor", "--json"],
        env=os.environ | {"PIXCELL_CONFIG_DIR": config, "HF_TOKEN": "hf_very_secret"},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def findings(examined: subprocess.CompletedProcess[str]) -> list[Diagnosis]:
    lines = json.loads(examined.stdout)["lines"]
    return [Diagnosis(d["topic"], d["found"], d["fix"], d["grade"] == "FAIL") for d in lines]


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
    assert topics >= {"disk for stored styles", "shared memory", "own families"}
    assert topics >= {"data folder", "log folder", "model cellpose"}
    assert topics >= {"napari-pixcell", "system"}
    (torch,) = (line.found for line in findings if line.topic == "torch")
    assert re.search(r", (for CUDA [\d.]+|without CUDA)$", torch)


def test_the_napari_that_the_package_requires_is_enough(monkeypatch) -> None:
    oldest, below = doctor.NAPARI
    assert any(
        text.replace(" ", "") in (f"napari>={oldest},<{below}", f"napari<{below},>={oldest}")
        for text in requires("napari-pixcell") or ()
    )
    for found, grade in (
        ("0.6.5", "FAIL"),
        ("0.6.6", "PASS"),
        ("0.9.1a2", "PASS"),
        (below, "FAIL"),
    ):
        monkeypatch.setattr(doctor, "version", lambda package, found=found: found)
        (line,) = doctor._napari()
        assert line.grade == grade, found


def test_a_missing_family_comes_with_the_command_to_get_it(findings) -> None:
    lines = {line.topic: line for line in findings}
    assert lines["model demo"].grade == "PASS"
    assert lines["model pixcell-256"].grade == "WARN"
    assert lines["model pixcell-256"].fix == "napari-pixcell models get pixcell-256"
    missing = [line for line in findings if "models get" in line.fix]
    bundled = [name for name in weight_sets() if name.startswith("demo")]
    assert len(missing) == len({line.topic for line in missing})
    assert len(missing) == len(weight_sets()) - len(bundled)


@pytest.mark.usefixtures("quick")
def test_cellpose_and_its_weights_are_checked(monkeypatch, tmp_path: Path) -> None:
    lines = {line.topic: line for line in examine()}
    assert lines["Cellpose"].grade == "PASS" and lines["Cellpose"].found[0] == "4"
    assert CPSAM not in lines
    weights = lines["model cellpose"]
    assert weights.grade == "WARN" and "napari-pixcell models get cellpose" in weights.fix
    assert weights.found == "not installed (1.2 GB)"
    assert "slowly" in lines["memory for cellpose"].found or lines["memory for cellpose"].fix
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path))
    (tmp_path / "cpsam_v2").touch()
    monkeypatch.setattr(doctor, "_version_of", lambda _: "")
    lines = {line.topic: line for line in examine()}
    assert lines[CPSAM].found == "in Cellpose's own folder"
    assert lines["Cellpose"].grade == "FAIL" and "pip install" in lines["Cellpose"].fix


def test_a_token_is_never_shown(examined: subprocess.CompletedProcess[str]) -> None:
    assert "secret" not in examined.stdout + examined.stderr


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the checks that start processes."""
    for name in ("_opengl", "_torch"):
        monkeypatch.setattr(doctor, name, lambda *_: iter(()))


@pytest.mark.usefixtures("quick")
def test_the_exit_code_tells_if_a_check_fails(capsys, monkeypatch, tmp_path: Path) -> None:
    assert main(["doctor"]) == 0
    assert "PASS  Python" in capsys.readouterr().out
    blocked = tmp_path / "a file"
    blocked.touch()
    monkeypatch.setenv("PIXCELL_CACHE_DIR", str(blocked / "cache"))
    assert main(["doctor", "--json"]) == 3
    lines = json.loads(capsys.readouterr().out)["lines"]
    (bad,) = [line for line in lines if line["grade"] == "FAIL"]
    assert bad["topic"] == "cache folder" and "PIXCELL_CACHE_DIR" in bad["fix"]


@pytest.mark.usefixtures("quick")
def test_headless_leaves_out_what_only_the_window_needs(capsys, monkeypatch) -> None:
    monkeypatch.setattr(doctor, "BINDINGS", ())
    assert main(["doctor"]) != 0
    assert "for the command line alone: doctor --headless" in capsys.readouterr().out
    assert main(["doctor", "--headless"]) == 0
    assert not re.search("(?m)^.... +(Qt|OpenGL):", capsys.readouterr().out)


def test_folders_are_shown_without_the_name_of_the_user(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("PIXCELL_DATA_DIR", str(tmp_path / "data"))
    found = {line.topic: line.found for line in diagnosis.folders()}
    assert found["data folder"] == f"{Path('~/data')}, writable"


@pytest.mark.parametrize(
    ("installed", "named", "grade", "found", "fix"),
    [
        (["PyQt6"], "", "PASS", "PyQt6", ""),
        (["PyQt6", "PySide6"], "", "WARN", "PyQt6 and PySide6, and no QT_API", "set QT_API=pyqt6"),
        (["PyQt6", "PySide6"], "pyside6", "PASS", "PySide6", ""),
        (["PyQt6"], "pyside2", "FAIL", "QT_API=pyside2, which is not installed", "or unset it"),
        ([], "", "FAIL", "no binding", "pip install"),
    ],
)
def test_the_binding_of_qt_is_checked(
    installed, named, grade, found, fix, tmp_path: Path, monkeypatch
) -> None:
    for name in installed:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    for name in doctor.BINDINGS:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setenv("QT_API", named)
    (line,) = doctor._qt()
    assert line.grade == grade and found in line.found and fix in line.fix


def test_a_missing_openslide_is_explained(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "openslide", None)
    (line,) = doctor._openslide()
    assert line.grade == "FAIL" and "pip install openslide-python openslide-bin" in line.fix


def test_each_broken_family_of_the_users_has_a_line() -> None:
    families_folder().mkdir(parents=True)
    (families_folder() / "good.toml").write_text('base = "demo"\n')
    (families_folder() / "bad.toml").write_text("base = 5\n")
    (families_folder() / "torn.toml").write_bytes(b"\xff = [")
    first, *others = diagnosis.own_families()
    assert first.grade == "PASS" and first.found == "1 of 3 can be used"
    assert [line.topic for line in others] == ["own family bad", "own family torn"]
    assert all(line.grade == "WARN" and line.topic[11:] in line.fix for line in others)


def test_shared_memory_is_measured_and_leftovers_are_removed(monkeypatch, tmp_path: Path) -> None:
    def no_memory(size: int, token: str) -> int:
        raise OSError(errno.EPERM, "Operation not permitted")

    (line,) = diagnosis.shared_memory()
    assert line.grade == "PASS" and line.found.endswith(" free")
    monkeypatch.setattr("napari_pixcell.worker.blocks._in_memory", no_memory)
    monkeypatch.setattr(diagnosis, "ENOUGH_SHARED", 1000)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "napari-pixcell-4194999-abc.block").touch()
    (line,) = diagnosis.shared_memory()
    assert line.grade == "PASS" and line.found.startswith(f"files in {tmp_path}, ")
    assert line.found.endswith("1 leftover block was removed") and not any(tmp_path.iterdir())
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    (line,) = diagnosis.shared_memory()
    assert line.grade == "FAIL" and "cannot be reserved (No such file" in line.found
    assert "set TMPDIR" in line.fix


def test_folders_that_cannot_be_written_are_reported(monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PIXCELL_DATA_DIR", str(tmp_path / "file" / "data"))
    monkeypatch.setattr(diagnosis, "log_path", lambda: tmp_path / "file" / "worker.log")
    lines = {line.topic: line for line in diagnosis.folders()}
    assert lines["data folder"].grade == "FAIL" and "PIXCELL_DATA_DIR" in lines["data folder"].fix
    assert lines["log folder"].grade == "WARN" and "log of the worker" in lines["log folder"].fix


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_no_code_of_the_current_folder_is_run(monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("print('hostile')")
    monkeypatch.chdir(tmp_path)
    script = "import importlib.util as u; print(u.find_spec('torch').origin)"
    assert str(tmp_path) not in (doctor._child(script) or str(tmp_path))
    nested = "import subprocess, sys; print(subprocess.check_output([sys.executable, '-c', {!r}]))"
    assert str(tmp_path) not in (doctor._child(nested.format(script)) or str(tmp_path))


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


def test_every_check_runs_in_a_real_process(examined, findings: list[Diagnosis]) -> None:
    failed = [line for line in findings if line.grade == "FAIL"]
    assert examined.returncode == (3 if failed else 0), failed
    lines = {line.topic: line for line in findings}
    assert lines["torch"].grade == "PASS" and lines["device"].found


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
