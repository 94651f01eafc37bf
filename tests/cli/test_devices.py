"""``--device``: for this process, and for those that it starts."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace

import parallel_engines
import pytest
import torch
from drawn_engine import drawn_recipe

from napari_pixcell import preferences
from napari_pixcell.cli import dataset, dataset_processes, running
from napari_pixcell.cli.dataset_runs import place_of
from napari_pixcell.errors import PixCellError
from napari_pixcell.models import loading
from napari_pixcell.models.loading import pick_device

DEVICE = preferences.DEVICE.variable

REGION = "400,400,256,256"


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch):
    """A function that pretends a number of GPUs, and returns those that were made current."""

    def gpus(count: int, mps: bool = False) -> list[torch.device]:
        current: list[torch.device] = []
        monkeypatch.setattr("torch.cuda.is_available", lambda: count > 0)
        monkeypatch.setattr("torch.cuda.device_count", lambda: count)
        monkeypatch.setattr("torch.cuda.set_device", current.append)
        monkeypatch.setattr("torch.backends.mps.is_available", lambda: mps)
        return current

    return gpus


@pytest.mark.parametrize(
    ("count", "mps", "name", "found"),
    [
        (0, False, "cpu", "cpu"),
        (1, False, "cuda", "cuda"),
        (1, False, "cuda:0", "cuda:0"),
        (2, False, "cuda:1", "cuda:1"),
        (0, True, "mps", "mps"),
        (0, False, "cuda", "There is no device “cuda” here. Choose one of: cpu."),
        (
            2,
            False,
            "cuda:2",
            "There is no device “cuda:2” here. Choose one of: cuda:0, cuda:1, cpu.",
        ),
        (0, True, "cuda:0", "There is no device “cuda:0” here. Choose one of: mps, cpu."),
        (1, False, "tpu", "There is no device “tpu” here. Choose one of: cuda:0, cpu."),
    ],
)
def test_a_device_is_found_or_those_that_are_there_are_named(
    gpus, monkeypatch, count, mps, name, found
) -> None:
    current = gpus(count, mps)
    monkeypatch.setenv(DEVICE, name)
    if found.startswith("There"):
        with pytest.raises(PixCellError) as refused:
            pick_device()
        assert str(refused.value) == found
    else:
        assert str(pick_device()) == found
        assert current == ([torch.device(name)] if ":" in name else [])


def test_the_chosen_device_comes_before_the_fastest(gpus, monkeypatch) -> None:
    gpus(2)
    assert str(pick_device()) == "cuda"
    monkeypatch.setenv(DEVICE, "cuda:1")
    assert str(pick_device()) == "cuda:1"
    monkeypatch.setenv(DEVICE, "cpu")
    assert str(pick_device()) == "cpu"


def test_an_engine_of_a_command_runs_on_its_device(run, tmp_path, monkeypatch, gpus) -> None:
    picked: list[str] = []
    real = loading.check_device
    monkeypatch.setattr(loading, "check_device", lambda name: picked.append(name) or real(name))
    embed = ("embed", "sample", "--region", REGION, "--out", tmp_path / "a.npy", "--no-cache")
    assert run(*embed, "--device", "cpu")["code"] == 0
    assert picked and set(picked) == {"cpu"} and DEVICE not in os.environ
    assert running._engine("cpu").loaded.device == torch.device("cpu")
    gpus(0)
    refused = run(*embed, "--device", "cuda:1")
    assert refused["code"] == 1
    assert refused["error"] == "There is no device “cuda:1” here. Choose one of: cpu."


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cuda:1234", "CPU", ""])
def test_a_malformed_device_is_a_wrong_option(run, name) -> None:
    refused = run("embed", "sample", "--out", "a.npy", "--device", name)
    assert refused["code"] == 2
    assert f"“{name}” is no device; use cpu, cuda, cuda:1 or mps" in refused["error"]


# -- worker processes ----------------------------------------------------------------------


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(parallel_engines.ACTED, str(tmp_path / "acted"))
    monkeypatch.setenv("PIXCELL_TEST_DEVICES", str(tmp_path / "devices"))
    monkeypatch.setattr(dataset, "engine", parallel_engines.BlockEngine)
    monkeypatch.setattr(dataset_processes, "start_engine", engine_that_tells)
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(drawn_recipe().to_dict()))
    return path


def engine_that_tells():
    """Start an engine that draws, after the process has written which device it would use."""
    with Path(os.environ["PIXCELL_TEST_DEVICES"]).open("a") as file:
        told = os.environ.get(DEVICE), os.environ.get("CUDA_VISIBLE_DEVICES")
        file.write(json.dumps([os.getpid(), *told]) + "\n")
    return parallel_engines.whole()


def told(tmp_path: Path) -> list[list[object]]:
    return [json.loads(line) for line in (tmp_path / "devices").read_text().splitlines()]


def test_workers_use_the_chosen_device(run, recipe, tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    options = ("--workers", 1, "--device", "cpu", "--first", 2)
    assert run("dataset", "make", recipe, "--out", tmp_path / "data", *options)["code"] == 0
    processes = told(tmp_path)
    assert {number for number, *_ in processes} - {os.getpid()}
    assert {tuple(device) for _, *device in processes} == {("cpu", None)}


def test_a_worker_of_a_gpu_sees_it_as_the_only_one(run, recipe, tmp_path, gpus) -> None:
    gpus(2)
    options = ("--gpus", "1", "--first", 2)
    assert run("dataset", "make", recipe, "--out", tmp_path / "data", *options)["code"] == 0
    assert {tuple(device) for _, *device in told(tmp_path)} == {("cuda", "1")}


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (["--gpus", "all"], "--device cannot be combined with --gpus, which chooses the devices"),
        (["--scheduler", "tcp://a:1"], "--device cannot be combined with --scheduler, which"),
        (["--cluster", "a.toml"], "--device cannot be combined with --cluster, which chooses"),
    ],
)
def test_what_chooses_devices_itself_cannot_be_combined(
    run, recipe, tmp_path, other, words
) -> None:
    refused = run("dataset", "make", recipe, "--out", tmp_path / "d", "--device", "cpu", *other)
    assert refused["code"] == 1 and words in refused["error"]
    assert refused["error"].endswith("Leave one of them out.")
    assert not (tmp_path / "d").exists()


def test_a_run_is_resumed_on_the_same_device() -> None:
    options = SimpleNamespace(workers=2, gpus=None, device="cuda:1", scheduler=None, cluster=None)
    assert place_of(options) == ["--workers", "2", "--device", "cuda:1"]  # type: ignore[arg-type]
