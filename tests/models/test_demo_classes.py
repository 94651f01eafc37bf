"""A ControlNet with classes is bundled with the package by one command, and then is a family."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from control_runs import train
from marked_cells import LARGE, SMALL, field, write_pairs

import napari_pixcell
from napari_pixcell.cells.writing import write_labels
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.events import Finished
from napari_pixcell.engine.training import pairs as shared_pairs
from napari_pixcell.engine.training.control import encoding, trial
from napari_pixcell.engine.training.control.request import TrainControlRequest
from napari_pixcell.models.catalogue import BUILT_IN, DEMO
from napari_pixcell.slides.samples import SAMPLE_SLIDE

PACKAGE = Path(napari_pixcell.__file__).parent
SCRIPT = PACKAGE.parents[1] / "training" / "export_classes.py"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a really trained ControlNet, of one step."""
    folder = tmp_path_factory.mktemp("trained")
    pairs = write_pairs(folder / "pairs", 5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIXCELL_CONFIG_DIR", str(folder / "config"))
        patch.setattr(shared_pairs, "LEAST_TILES", 4)
        patch.setattr(encoding, "WANTED_TILES", 1)
        patch.setattr(trial, "TRIED", 1)
        patch.setitem(BUILT_IN, DEMO.name, replace(DEMO, steps=2))  # of what is drawn for trial
        out = str(folder / "out")
        request = TrainControlRequest("trial", "demo", str(pairs), out, True, steps=1, batch=1)
        assert train(Engine(torch.device("cpu")), request)[-1] == Finished()
    return folder / "out"


@pytest.fixture(scope="module")
def package(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the package, of links, whose demo has classes as well."""
    folder = tmp_path_factory.mktemp("package")
    demo = folder / PACKAGE.name / "demo"
    demo.mkdir(parents=True)
    for path in PACKAGE.iterdir():
        if path.name not in ("demo", "__pycache__"):
            (folder / PACKAGE.name / path.name).symlink_to(path)
    for path in (PACKAGE / "demo").iterdir():
        if path.name != "README.md" and path.name != "classes":
            (demo / path.name).symlink_to(path)
    (demo / "README.md").write_bytes((PACKAGE / "demo" / "README.md").read_bytes())
    return folder


def called(*arguments: object, path: Path = PACKAGE.parent) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(path), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, *map(str, arguments)]
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)


def command(package: Path, *arguments: object) -> dict[str, Any]:
    done = called("-m", "napari_pixcell.cli", *arguments, "--json", path=package)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_is_exported_listed_and_draws_classes(
    trained: Path, package: Path, tmp_path: Path
) -> None:
    demo = package / PACKAGE.name / "demo"
    done = called(SCRIPT, trained, "--demo", demo)
    assert done.returncode == 0, done.stderr
    assert "10.4 MB in classes/" in done.stdout and f"{SMALL}: DOES NOT FOLLOW" in done.stdout
    readme = (demo / "README.md").read_text("utf-8")
    assert readme.count("## Cell classes") == 1 and f"- {LARGE}: `#" in readme
    assert called(SCRIPT, trained, "--demo", demo).returncode == 0  # again, after more training
    assert (demo / "README.md").read_text("utf-8") == readme

    listed = {one["name"]: one for one in command(package, "models", "list")["families"]}
    assert listed["demo-classes"]["title"] == "Demo with cell classes"
    layout = tmp_path / "cells.tif"
    _, labels, classes = field(3)
    write_labels(layout, labels, 0.5, classes)
    place = ("--region", "752,576,256,256", "--layout", layout, "--family", "demo-classes")
    made = command(package, "generate", SAMPLE_SLIDE, *place, "--count", 1, "--steps", 1,
                   "--out", tmp_path / "made")  # fmt: skip
    assert made["images"]


def test_a_training_that_is_not_complete_or_has_no_classes_is_refused(
    trained: Path, tmp_path: Path
) -> None:
    def refused(folder: Path) -> str:
        done = called(SCRIPT, folder, "--demo", tmp_path / "demo")
        assert done.returncode == 1 and not (tmp_path / "demo").exists()
        return done.stderr.strip()

    empty = tmp_path / "empty"
    empty.mkdir()
    assert refused(empty) == ("“empty” holds no trained ControlNet. Finish its training first.")
    card = json.loads((trained / "trained.json").read_text("utf-8"))
    (empty / "controlnet").symlink_to(trained / "controlnet")
    (empty / "trained.json").write_text(json.dumps(card | {"classes": {}}), "utf-8")
    assert refused(empty) == (
        "“empty” is no ControlNet with classes on the base “demo”. Train one with --classes "
        "--base demo."
    )
    (empty / "trained.json").write_text(json.dumps(card | {"weights": {"controlnet": ""}}))
    assert refused(empty) == ("The weights in “empty” are not those of its card. Train again.")
