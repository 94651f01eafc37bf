"""``napari-pixcell dataset make --scheduler`` and ``--cluster``, with an engine that draws."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

import parallel_engines
import pytest
from drawn_engine import drawn_recipe

from napari_pixcell.cli import dataset_processes, progress

SUPPORT = Path(parallel_engines.__file__).parent


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(dataset_processes, "start_engine", parallel_engines.whole)
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(drawn_recipe(seeds=1).to_dict()))
    return path


def test_a_cluster_file_runs_job_scripts_that_make_a_dataset(
    run, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [str(SUPPORT), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.setattr(progress, "EVERY", 0.0)  # every line
    shown, cluster, logs = tmp_path / "shown", tmp_path / "cluster.toml", tmp_path / "logs"
    cluster.write_text(
        f'kind = "local"\nmemory = "4 GB"\nlogs = "{logs}"\ndashboard = false\n'
        f'prologue = ["echo $OMP_NUM_THREADS threads > {shown}"]\n'
    )
    out = tmp_path / "data"
    found = run("dataset", "make", recipe, "--out", out, "--cluster", cluster)
    assert (found["code"], found["pairs"], found["planned"], found["failed"]) == (0, 6, 6, 0)
    assert shown.read_text() == "1 threads\n"
    assert [path.suffix for path in logs.iterdir()] == [".log"]
    lines = found["stderr"].splitlines()
    assert lines[-1].startswith("6 of 6 pairs") and any(", 1 worker" in line for line in lines)
    assert "\r" not in found["stderr"] and "Dashboard" not in found["stderr"]
    assert run("dataset", "check", out)["code"] == 0


@pytest.mark.parametrize("installed", [True, False])
def test_a_job_that_cannot_be_submitted_is_named(
    run, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    programs, cluster = tmp_path / "programs", tmp_path / "cluster.toml"
    programs.mkdir()
    reason = "No such file or directory: 'sbatch'"
    if not installed:
        monkeypatch.setenv("PATH", str(programs))  # whatever this machine has
    else:
        (programs / "sbatch").write_text("#!/bin/sh\necho invalid partition >&2\nexit 1\n")
        (programs / "sbatch").chmod(0o755)
        reason = "stderr: invalid partition"
    monkeypatch.setenv("PATH", str(programs))  # without the programs of a real cluster
    cluster.write_text('kind = "slurm"\nqueue = "nowhere"\ninterface = "lo"\ndashboard = false\n')
    found = run("dataset", "make", recipe, "--out", tmp_path / "data", "--cluster", cluster)
    assert found["code"] == 1 and found["error"].startswith("A job could not be submitted: ")
    assert f"{reason}. Check the cluster file, and that jobs can be" in found["error"]
    assert "Traceback" not in found["stderr"]


def test_a_scheduler_that_cannot_be_reached_is_named(run, recipe, tmp_path, monkeypatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # nobody listens
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        monkeypatch.setenv("PIXCELL_SCHEDULER_TIMEOUT", "0.2")
        out = tmp_path / "data"
        for bad in (address, "nonsense"):
            found = run("dataset", "make", recipe, "--out", out, "--scheduler", bad)
            assert found["code"] == 1
            assert found["error"].startswith(f"The scheduler {bad} cannot be reached within 0.2 s.")
    assert not out.exists()
    monkeypatch.setenv("PIXCELL_SCHEDULER_TIMEOUT", "soon")
    found = run("dataset", "make", recipe, "--out", out, "--scheduler", address)
    assert found["error"].startswith("PIXCELL_SCHEDULER_TIMEOUT is “soon”. Use a number of sec")


@pytest.mark.parametrize("package", ["distributed", "dask_jobqueue"])
def test_without_the_extra_the_command_names_it(
    run, recipe, tmp_path, monkeypatch, package: str
) -> None:
    for name in list(sys.modules):
        if name.startswith("napari_pixcell.cluster") or name.split(".")[0] == package:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    cluster = tmp_path / "cluster.toml"
    cluster.write_text('kind = "local"')
    found = run("dataset", "make", recipe, "--out", tmp_path / "data", "--cluster", cluster)
    assert found["code"] == 1 and found["error"] == (
        f"The package {package} is missing, which clusters need. Install it with: "
        'pip install "napari-pixcell[cluster]"'
    )


def test_a_cluster_file_with_an_unknown_key_is_refused(run, recipe, tmp_path) -> None:
    cluster = tmp_path / "cluster.toml"
    cluster.write_text('kind = "slurm"\nmost_worker = 4')
    found = run("dataset", "make", recipe, "--out", tmp_path / "data", "--cluster", cluster)
    assert found["code"] == 1 and found["error"] == (
        "cluster.toml has no key “most_worker”. Did you mean “most_workers”?"
    )


def test_numbers_below_one_are_refused(run, recipe, tmp_path) -> None:
    options = ("--scheduler", "tcp://127.0.0.1:1", "--first", 0)
    found = run("dataset", "make", recipe, "--out", tmp_path / "data", *options)
    assert found["code"] == 1 and found["error"] == "--first is 0. Choose 1 or more."
