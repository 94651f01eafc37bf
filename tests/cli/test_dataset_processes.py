"""``napari-pixcell dataset`` with workers and shards, with an engine that draws."""

from __future__ import annotations

import json
from pathlib import Path

import parallel_engines
import pytest
from drawn_engine import drawn_recipe

from napari_pixcell.cli import dataset, dataset_processes
from napari_pixcell.datasets.store.dataset import Dataset


@pytest.fixture(autouse=True)
def drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(parallel_engines.ACTED, str(tmp_path / "acted"))
    monkeypatch.setattr(dataset, "engine", parallel_engines.BlockEngine)
    monkeypatch.setattr(dataset_processes, "engine", parallel_engines.BlockEngine)
    monkeypatch.setattr(dataset_processes, "start_engine", parallel_engines.whole)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(drawn_recipe().to_dict()))
    return path


def test_a_dataset_is_made_by_workers_and_resumed_alone(run, recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    found = run("dataset", "make", recipe, "--out", out, "--workers", 2, "--first", 5)
    assert (found["code"], found["pairs"], found["planned"]) == (0, 5, 12)
    assert "5 of 12 pairs" in found["stderr"]
    assert run("dataset", "resume", out)["pairs"] == 12
    assert run("dataset", "check", out)["code"] == 0


def test_shards_are_prepared_made_and_joined(run, recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    prepared = run("dataset", "prepare", recipe, "--out", out)
    assert (prepared["pairs"], prepared["chunks"]) == (12, 6)
    made = run("dataset", "make", recipe, "--out", out, "--shard", "0/2")
    assert (made["code"], made["shard"], made["failed"]) == (0, "0/2", 0)
    some = run("dataset", "join", out)
    assert (some["code"], some["pairs"], some["missing"]) == (3, 6, "2–3, 6–7, 10–11")
    assert run("dataset", "resume", out, "--shard", "1/2")["code"] == 0
    report = run("dataset", "report", out)  # joins what shards have made
    assert "12 of 12 planned" in Path(str(report["report"])).read_text("utf-8")
    whole = run("dataset", "join", out)
    assert (whole["code"], whole["pairs"], whole["missing"]) == (0, 12, "none")
    assert run("dataset", "check", out)["code"] == 0


def test_shards_are_made_with_workers(run, recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    made = run("dataset", "make", recipe, "--out", out, "--shard", "0/2", "--workers", 2)
    assert (made["code"], made["shard"], made["failed"]) == (0, "0/2", 0)
    assert "Shard 0/2: 6 pairs made" in made["stderr"]
    assert run("dataset", "join", out)["missing"] == "2–3, 6–7, 10–11"
    references = run("dataset", "references", out)
    assert (references["styles on this machine"], references["missing"]) == (0, 0)


def test_pairs_that_failed_give_an_exit_code(run, recipe, tmp_path, monkeypatch) -> None:
    out = tmp_path / "data"
    monkeypatch.setattr(dataset_processes, "start_engine", parallel_engines.refuses_one)
    found = run("dataset", "make", recipe, "--out", out, "--workers", 1)
    assert (found["code"], found["pairs"], found["failed"]) == (1, 11, 1)
    assert "1 pair failed, see failed.jsonl. Resume the dataset to retry." in found["stderr"]
    assert json.loads((out / "failed.jsonl").read_text())["index"] == 7
    monkeypatch.setattr(dataset_processes, "engine", parallel_engines.refuses_one)
    again = run("dataset", "make", recipe, "--out", out, "--shard", "0/1")
    assert again["code"] == 1 and "No pair was made: 1 pair failed." in again["error"]
    assert len(list(Dataset(out).rows())) == 11


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--shard", "5/3"), "“5/3” is no shard. Use i/n with i from 0 to n - 1"),
        (("--shard=-1/3",), "“-1/3” is no shard."),
        (("--shard", "one"), "“one” is no shard."),
        (("--shard", "0/2", "--first", "3"), "--first cannot be combined with --shard."),
        (("--shard", "0/2", "--workers", "0"), "--workers is 0. Choose a number from 1 to 256."),
        (("--shard", "0/2", "--scheduler", "tcp://a:1"), "--shard cannot be combined with --sche"),
        (("--workers", "0"), "--workers is 0. Choose a number from 1 to 256."),
        (("--workers", "2", "--first", "0"), "--first is 0. Choose 1 or more."),
    ],
)
def test_what_cannot_be_run_is_refused(run, recipe, tmp_path, arguments, sentence) -> None:
    found = run("dataset", "make", recipe, "--out", tmp_path / "data", *arguments)
    assert found["code"] == 1 and sentence in found["error"]
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("count", "text", "visible", "devices"),
    [
        (2, "all", "", ["0", "1"]),
        (4, "2,0,2", "", ["2", "0"]),
        (2, "1", "GPU-a,GPU-b", ["GPU-b"]),  # as a scheduler sets it
        (2, "2", "", "There are no such GPUs: “2”. Use all, or some of: 0, 1."),
        (1, "x", "", "There are no such GPUs: “x”. Use all, or some of: 0."),
        (0, "all", "", "PyTorch finds no GPU on this machine. Choose a number of workers instead."),
    ],
)
def test_gpus_are_named_or_refused(
    run, recipe, tmp_path, monkeypatch, count, text, visible, devices
) -> None:
    given: list[object] = []

    def make(request, start, environments, emit, cancelled):
        given.extend(one["CUDA_VISIBLE_DEVICES"] for one in environments)
        raise KeyboardInterrupt

    monkeypatch.setattr("torch.cuda.device_count", lambda: count)
    monkeypatch.setattr("napari_pixcell.datasets.parallel.coordinator.make_with_workers", make)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    else:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    found = run("dataset", "make", recipe, "--out", tmp_path / "data", "--gpus", text)
    if isinstance(devices, str):
        assert found["code"] == 1 and found["error"] == devices
    else:
        assert found["code"] == 130 and given == devices
        assert "Cancelled. Run the same command again to resume." in found["stderr"]
