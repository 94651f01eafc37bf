"""Datasets that several processes make: the same pairs, cancelled, and with failures."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import parallel_engines
import pytest
from drawn_engine import drawn_recipe
from same_datasets import is_whole, rows_of

import napari_pixcell as pixcell
from napari_pixcell.api import dataset_workers
from napari_pixcell.datasets.recipe.making import make_dataset
from napari_pixcell.datasets.recipe.request import DatasetRequest


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let workers draw, so that they need no models."""
    monkeypatch.setenv(parallel_engines.ACTED, str(tmp_path / "acted"))
    monkeypatch.setattr(dataset_workers, "start_engine", parallel_engines.whole)


def alone(folder: Path) -> None:
    """Make a dataset, or the rest of it, in this process, with an engine that draws."""
    engine = parallel_engines.BlockEngine()
    request = DatasetRequest(str(folder), drawn_recipe())
    make_dataset(request, engine.run, lambda event: None, block=engine.at_once)


SCRIPT = """
import sys
import parallel_engines
from drawn_engine import drawn_recipe
import napari_pixcell as pixcell
from napari_pixcell.api import dataset_workers
dataset_workers.start_engine = parallel_engines.whole
print("begun", flush=True)
print(len(pixcell.Dataset.make(drawn_recipe(), sys.argv[1], workers=2)))
"""


def test_workers_of_a_script_without_a_guard_make_the_dataset_of_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, out = tmp_path / "script.py", tmp_path / "data"
    script.write_text(SCRIPT)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    done = subprocess.run([sys.executable, script, out], capture_output=True, text=True)
    assert (done.stdout.split(), done.returncode) == (["begun", "12"], 0), done.stderr
    is_whole(out, 12)
    alone(tmp_path / "alone")
    assert rows_of(out) == rows_of(tmp_path / "alone")


def test_cancelled_workers_keep_their_pairs(drawn: None, tmp_path: Path) -> None:
    def until_some_are_made(done: int, total: int, message: str) -> bool:
        return not 4 <= done < 12  # the first chunk is complete then

    with pytest.raises(pixcell.RequestCancelled, match="Repeat the call to resume"):
        pixcell.Dataset.make(
            drawn_recipe(), tmp_path / "data", workers=1, progress=until_some_are_made
        )
    assert 2 <= len(pixcell.Dataset(tmp_path / "data")) < 12


def test_pairs_that_failed_are_warned_of_and_listed(
    drawn: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset_workers, "start_engine", parallel_engines.refuses_one)
    message = "1 pair failed, see failed.jsonl. Resume the dataset to retry"
    with pytest.warns(pixcell.PixCellWarning, match=message):
        dataset = pixcell.Dataset.make(drawn_recipe(), tmp_path / "data", workers=1)
    assert dataset.failed == {7: "This seed is refused; choose another."}
    alone(dataset.folder)
    assert dataset.failed == {}


def test_workers_start_an_engine() -> None:
    from napari_pixcell.engine.engine import Engine

    assert isinstance(dataset_workers.start_engine(), Engine)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"workers": 0}, "number of workers is 0"),
        ({"workers": 2, "gpus": "all"}, "Pass workers or gpus, not both"),
        ({"gpus": [7]}, r"There are no such GPUs: “7”. Use all, or some of: 0, 1\."),
        ({"workers": 2, "engine": True}, "Omit engine, or omit workers and gpus"),
    ],
)
def test_what_is_impossible_is_refused_before_anything_is_made(
    settings: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    with pytest.raises(pixcell.PixCellError, match=message):
        pixcell.Dataset.make(drawn_recipe(), tmp_path / "data", **settings)
    assert not (tmp_path / "data").exists()


def test_each_gpu_gets_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    environments = dataset_workers.worker_environments(None, [2, 0])
    assert [one["CUDA_VISIBLE_DEVICES"] for one in environments] == ["2", "0"]
    assert len(dataset_workers.worker_environments(None, "all")) == 4
