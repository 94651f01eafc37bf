"""``napari-pixcell dataset … --detach``, ``status`` and ``stop``, with real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import drawing_command
import parallel_engines
import psutil
import pytest
from drawn_engine import drawn_recipe
from logged_run import kill_runs, running, until
from parallel_engines import ACTED, GO, BlockEngine
from same_datasets import is_whole, rows_of

from napari_pixcell.cli import dataset, dataset_processes
from napari_pixcell.datasets.recipe.making import make_dataset
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.runs import detaching


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(dataset, "engine", parallel_engines.BlockEngine)
    monkeypatch.setattr(dataset_processes, "start_engine", parallel_engines.whole)
    monkeypatch.setattr(detaching, "PROGRAM", drawing_command.PROGRAM)
    monkeypatch.setenv(ACTED, str(tmp_path / "acted"))
    monkeypatch.setenv(GO, str(tmp_path / "go"))
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(drawn_recipe().to_dict()))
    yield path
    kill_runs()


def test_a_detached_dataset_outlives_its_terminal_and_is_stopped_and_resumed(
    run, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "data"
    monkeypatch.setenv(drawing_command.ENGINE, "waits")
    command = ["dataset", "make", recipe.name, "--out", "data", "--workers", "1", "--detach"]
    launched = subprocess.run(  # a terminal that ends
        [sys.executable, "-c", LAUNCH, *drawing_command.PROGRAM, *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "follow: napari-pixcell dataset status data --follow" in launched.stdout
    state = until(out, lambda state: state.done == 6)  # it waits before the next
    assert state.owner is not None
    process = psutil.Process(state.owner.process)
    assert os.getsid(process.pid) == process.pid and process.terminal() is None
    shown = run("dataset", "status", out)
    assert (shown["code"], shown["state"], shown["process"]) == (0, "running", process.pid)
    assert shown["message"].startswith("6 of 12 pairs, 1 worker")
    (listed,) = run("dataset", "status")["runs"]
    assert listed["folder"] == str(out)
    refused = run("dataset", "resume", out)
    assert "Another process is making the dataset data." in refused["error"]
    stopped = run("dataset", "stop", out)
    assert (stopped["state"], stopped["message"]) == ("cancelled", "cancelled, 6 of 12 pairs")
    assert run("dataset", "stop", out)["error"] == (
        "No process is making data: cancelled, 6 of 12 pairs."
    )
    assert run("dataset", "resume", out)["pairs"] == 12
    assert run("dataset", "status", out)["message"] == "done, 12 of 12 pairs"
    is_whole(out, 12)
    alone, engine = tmp_path / "alone", BlockEngine()
    request = DatasetRequest(str(alone), drawn_recipe())
    make_dataset(request, engine.run, lambda event: None, block=engine.at_once)
    assert rows_of(out) == rows_of(alone)


# Runs a command in a session of its own, which ends with it, as that of a terminal does.
LAUNCH = "import os, subprocess, sys; os.setsid(); sys.exit(subprocess.call(sys.argv[1:]))"


def test_a_dataset_of_this_process_is_followed_and_stopped_too(
    run, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, given = tmp_path / "data", []

    def make(request, run, emit, cancelled, block):
        given.append(drawing(out))
        from napari_pixcell.datasets.runs.log import request_stop

        request_stop(out)
        while not cancelled():
            pass
        make_dataset(request, run, emit, cancelled, block)

    def drawing(folder: Path) -> str:
        folder.mkdir()
        from napari_pixcell.datasets.runs.state import run_of

        return run_of(folder).stage

    monkeypatch.setattr("napari_pixcell.datasets.recipe.making.make_dataset", make)
    found = run("dataset", "make", recipe, "--out", out)
    assert given == ["running"] and found["code"] == 130
    assert "Cancelled. Run the same command again to resume." in found["stderr"]
    assert run("dataset", "status", out)["state"] == "cancelled"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--shard", "0/2"), "--detach cannot be combined with --shard."),
        (("--workers", "0"), "--workers is 0. Choose a number from 1 to 256."),
    ],
)
def test_what_cannot_be_detached_is_refused(run, recipe, tmp_path, arguments, sentence) -> None:
    found = run("dataset", "make", recipe, "--out", tmp_path / "data", *arguments, "--detach")
    assert found["code"] == 1 and sentence in found["error"]


def test_a_detached_process_talks_to_people_whatever_its_starter_prints(
    run, recipe, tmp_path, monkeypatch
) -> None:
    echo = "import sys; sys.exit(' '.join(sys.argv[1:]))"  # its last words are the reason
    monkeypatch.setattr(detaching, "PROGRAM", (sys.executable, "-c", echo))
    command = ["dataset", "make", str(recipe), "--out", str(tmp_path / "data"), "--detach"]
    found = run(*command)
    assert found["code"] == 1 and found["error"] == " ".join(command)


def test_a_program_that_cannot_be_started_says_its_last_words(
    run, recipe, tmp_path, monkeypatch
) -> None:
    command = ["dataset", "make", recipe, "--out", tmp_path / "data", "--detach"]
    monkeypatch.setattr(detaching, "PROGRAM", (sys.executable, "-c", "import nothing_of_this"))
    assert run(*command)["error"] == "ModuleNotFoundError: No module named 'nothing_of_this'"
    monkeypatch.setattr(detaching, "PROGRAM", (sys.executable, "-c", ""))
    assert run(*command)["error"].startswith("The process has ended without a word.")
    monkeypatch.setattr(detaching, "PROGRAM", (str(tmp_path / "no program"),))
    assert run(*command)["error"].startswith("The process cannot be started (No such file")


def test_the_state_of_a_run_is_printed_in_a_line(tmp_path, capsys) -> None:
    from napari_pixcell.cli.main import main

    with running(tmp_path / "data") as process:
        assert main(["dataset", "status", str(tmp_path / "data")]) == 0
        line = capsys.readouterr().out
        words = "12 of 300 pairs, 2 workers, 3.1 pairs/s, 2 min left"
        assert line.startswith(f"{words} · Process {process.pid} (since ")
        assert main(["dataset", "status"]) == 0
        assert f"{tmp_path / 'data'}  {words}\n" in capsys.readouterr().out
    assert main(["dataset", "status", str(tmp_path / "data"), "--follow"]) == 1  # it has died


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("status", "nowhere"), "There is no dataset in nowhere."),
        (("stop", "nowhere"), "There is no dataset in nowhere."),
        (("status", "--follow"), "--follow needs the folder of a dataset. Name it."),
    ],
)
def test_what_cannot_be_followed_is_named(run, arguments, sentence) -> None:
    found = run("dataset", *arguments)
    assert found["code"] == 1 and found["error"].startswith(sentence)
