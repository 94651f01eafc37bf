"""Datasets that processes beside the window make, and the choice of where."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import drawing_command
import numpy as np
import psutil
import pytest
from logged_run import kill_runs, running
from parallel_engines import ACTED, GO
from scripted import ScriptedClient
from settling import settled

from napari_pixcell.datasets.runs import detaching
from napari_pixcell.datasets.runs.log import recipe_of
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.errors import PixCellError
from napari_pixcell.folders import config_folder
from napari_pixcell.slides import ArraySlide
from napari_pixcell.studio.datasets import outside as outside_runs
from napari_pixcell.studio.datasets import place as places
from napari_pixcell.studio.datasets.place import CLUSTER, HERE, PROCESSES, DatasetPlace, find_gpus
from napari_pixcell.studio.session import Session

TWO = ["NVIDIA H200", "NVIDIA H200"]


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOOKS_EVERY", "LOOKS_SELDOM"):
        monkeypatch.setattr(outside_runs, name, 0.05)


@pytest.fixture
def outside(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """A session with a region whose datasets are made by one process that draws."""
    monkeypatch.setattr(detaching, "PROGRAM", drawing_command.PROGRAM)
    monkeypatch.setenv(ACTED, str(tmp_path / "acted"))
    monkeypatch.setenv(GO, str(tmp_path / "go"))
    session.regions.add((400, 400))
    settled(session)
    labels = np.zeros((256, 256), np.int32)
    labels[20:60, 20:60] = 1
    session.layouts.set(session.regions.active.number, labels, "painted")
    settled(session)
    session.datasets.outside.place.where = PROCESSES
    session.datasets.outside.place.processes = 1
    yield session
    kill_runs()


def test_a_dataset_goes_on_without_its_window_and_another_window_finds_it(
    outside: Session, tmp_path: Path, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(drawing_command.ENGINE, "waits")
    folder, runs = tmp_path / "data", outside.datasets.outside
    outside.datasets.choice.seeds = 12
    outside.datasets.make(folder)
    assert runs.busy == "Starting the processes…"
    outside.wait(60, until=lambda: bool(runs.own))
    (state,) = runs.own
    assert state.head is not None and state.head.place == ("--workers", "1")
    assert not outside.datasets.jobs and not outside.notices.problems
    outside.datasets.resume(folder)  # it is shown already
    settled(outside)
    assert outside.notices.notes["dataset"].endswith("is making “data”. It is shown here.")
    outside.close()

    other = Session(ScriptedClient())
    other.slides.set(ArraySlide([picture], 0.5, "case 7"))
    try:
        runs = other.datasets.outside
        other.wait(60, until=lambda: bool(runs.live) and runs.live[0].done == 6)
        assert not runs.own and other.datasets.newest == folder
        psutil.Process(runs.live[0].owner.process).kill()
        other.wait(60, until=lambda: not runs.live)
        (died,) = runs.states
        assert died.sentence() == "its process has died, 6 of 12 pairs complete. Resume it"
        assert "dataset" not in other.notices.problems
        (tmp_path / "go").touch()
        runs.resume_as_before(died)
        other.wait(60, until=lambda: "dataset" in other.notices.notes)
        assert other.notices.notes["dataset"].startswith("12 pairs are in “data”")
        assert other.datasets.finished == folder and runs.states[0].stage == "complete"
        assert len(list(Dataset(folder).rows())) == 12 and not recipe_of(folder).exists()
        runs.dismiss(runs.states[0])
        assert runs.states == []
    finally:
        other.close()


def test_a_run_of_the_command_line_is_found_cancelled_and_dismissed(
    session: Session, tmp_path: Path
) -> None:
    runs, folder = session.datasets.outside, tmp_path / "data"
    with running(folder):
        session.wait(60, until=lambda: bool(runs.live))
        (state,) = runs.live
        assert (state.name, state.done, state.total) == ("data", 12, 300)
        assert state.dashboard == "http://127.0.0.1:8787/status"
        runs.cancel(state)
        assert folder in runs.cancelling
        session.wait(60, until=lambda: not runs.live)
    assert runs.states[0].stage == "cancelled" and not runs.cancelling


def test_a_run_that_fails_says_why(
    outside: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "other.txt").touch()
    outside.datasets.make(folder)
    outside.wait(60, until=lambda: "dataset" in outside.notices.problems)
    assert "The folder data is not empty." in outside.notices.problems["dataset"]


# -- where ---------------------------------------------------------------------------------


def test_the_place_is_remembered(session: Session) -> None:
    place = session.datasets.outside.place
    assert place.where == HERE and not place.outside and place.options([]) == []
    place.where, place.processes, place.cluster = CLUSTER, 5, "tcp://head:8786"
    assert DatasetPlace.remembered() == place
    for damaged in ("[]", '{"where": "moon"}', '{"processes": 0}', '{"processes": "two"}'):
        values = json.dumps({places.PREFERENCE: json.loads(damaged)})
        (config_folder() / "preferences.json").write_text(values)
        assert DatasetPlace.remembered() == DatasetPlace()


@pytest.mark.parametrize(
    ("place", "gpus", "options", "words"),
    [
        (DatasetPlace(PROCESSES, 3), [], ["--workers", "3"], "It continues when"),
        (DatasetPlace(PROCESSES, 3), TWO[:1], ["--workers", "3"], "The processes share the GPU"),
        (DatasetPlace(PROCESSES), TWO, ["--gpus", "1"], "1 process on GPU 1; GPU 0 stays with"),
        (DatasetPlace(PROCESSES), TWO * 2, ["--gpus", "1,2,3"], "3 processes on GPUs 1, 2, 3; "),
        (
            DatasetPlace(PROCESSES, gpus="1, 0,1"),
            TWO,
            ["--gpus", "1,0"],
            "2 processes on GPUs 1, 0; which this window uses too",
        ),
        (DatasetPlace(CLUSTER, cluster=" tcp://a:1"), [], ["--scheduler", "tcp://a:1"], "Nodes"),
    ],
)
def test_a_place_becomes_options_of_the_command(place, gpus, options, words) -> None:
    assert place.options(gpus) == options and place.words(gpus).startswith(words)
    assert place.words(gpus).endswith("It continues when this window is closed.")


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        (
            DatasetPlace(PROCESSES, gpus="1,2"),
            "“1,2” are no GPUs of this machine. Use some of: 0, 1.",
        ),
        (DatasetPlace(PROCESSES, gpus="one"), "“one” are no GPUs of this machine."),
        (DatasetPlace(CLUSTER), "Choose a cluster file, or enter the address of a scheduler."),
        (DatasetPlace(CLUSTER, cluster="head:8786"), "“head:8786” is no file and no address such"),
    ],
)
def test_what_a_place_lacks_is_named(place: DatasetPlace, sentence: str) -> None:
    assert place.words(TWO).startswith(sentence)
    with pytest.raises(PixCellError) as error:
        place.options(TWO)
    assert str(error.value).startswith(sentence)


def test_a_cluster_needs_its_extra_and_a_valid_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cluster.toml"
    file.write_text('kind = "slurm"\nmost_worker = 4')
    place = DatasetPlace(CLUSTER, cluster=str(file))
    assert place.why_not([]).startswith("cluster.toml has no key “most_worker”")
    file.write_text('kind = "slurm"')
    assert place.why_not([]) == "" and place.options([]) == ["--cluster", str(file)]
    monkeypatch.setattr("napari_pixcell.cluster.extra.EXTRA", ("dask", "no_such_package"))
    assert place.why_not([]) == (
        "The package no_such_package is missing, which clusters need. Install it with: pip "
        'install "napari-pixcell[cluster]"'
    )


@pytest.mark.parametrize(
    ("visible", "names"), [(None, ["A", "B"]), ("1", ["B"]), ("", []), ("GPU-7, 0", ["GPU-7", "A"])]
)
def test_gpus_are_those_that_the_driver_names(tmp_path, monkeypatch, visible, names) -> None:
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\necho A\necho B\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert find_gpus() == names
    driver.write_text("#!/bin/sh\nexit 9\n")
    assert find_gpus() == []
