"""The wheel, installed beside nothing of the checkout, does the main job."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PLACES = """
import json, napari_pixcell
from npe2 import PluginManifest
from napari_pixcell.slides.samples import SAMPLE_SLIDE
manifest = PluginManifest.from_distribution("napari-pixcell")
manifest.validate_imports()
commands = [command.id for command in manifest.contributions.commands]
print(json.dumps([napari_pixcell.__file__, str(SAMPLE_SLIDE), commands]))
"""


@pytest.fixture(scope="module")
def installed(distributions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the installed wheel; the rest comes from the environment of the tests."""
    target = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index"]
    done = subprocess.run(
        [*pip, "--no-compile", "--target", target, distributions.wheel],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def run(installed: Path, tmp_path: Path):
    """Run a program with the installed wheel, in an empty folder."""

    def run(*command: object) -> str:
        done = subprocess.run(
            [sys.executable, *map(str, command)],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_the_installed_copy_generates_a_variant_from_any_folder(
    run, installed: Path, tmp_path: Path
) -> None:
    script = installed / "bin" / "napari-pixcell"
    module, slide, commands = json.loads(run("-c", PLACES))
    assert Path(module).is_relative_to(installed) and Path(slide).is_relative_to(installed)
    assert "napari-pixcell.studio" in commands
    options = ("--region", "600,600,256,256", "--count", 1, "--steps", 4, "--json")
    report = json.loads(run(script, "generate", slide, *options, "--out", tmp_path / "out"))
    assert len(report["images"]) == 1, report
    assert list((tmp_path / "out").rglob("*.png"))


def test_the_installed_copy_passes_the_doctor_without_a_window(run, installed: Path) -> None:
    script = installed / "bin" / "napari-pixcell"
    lines = json.loads(run(script, "doctor", "--headless", "--json"))["lines"]
    found = {line["topic"]: line["found"] for line in lines}
    assert found["model demo"] == "installed" and "Qt" not in found
    assert "demo" in run(script, "models", "list")
