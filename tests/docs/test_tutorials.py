"""The commands of the tutorials, run from top to bottom with the demo family.

Steps in the window are walked by ``tests/ui/hand/test_tutorials.py``.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from blocks import FENCE, run_page
from doc_tools import DOCS
from tifffile import imread

from napari_pixcell.cluster.settings import ClusterSettings

TUTORIALS = DOCS / "tutorials"
# Cellpose's own network with an encoder of 0.9 million parameters, where it trains on a CPU.
SMALL = """
import sys
if sys.orig_argv[1:3] == ["-m", "cellpose"]:
    from segment_anything import sam_model_registry
    from segment_anything.build_sam import _build_sam
    sam_model_registry["vit_l"] = lambda _: _build_sam(64, 2, 2, [1])
"""


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Compute on one thread, as the page on clusters asks for: here and in other processes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield
    torch.set_num_threads(threads)


def rows_of(folder: Path) -> list[dict]:
    return [json.loads(row) for row in (folder / "manifest.jsonl").read_text("utf-8").splitlines()]


def test_from_a_recipe_to_cellpose(
    tmp_path: Path, tiny_cellpose: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models, hook = tmp_path / "cellpose", tmp_path / "hook"
    models.mkdir()
    hook.mkdir()
    shutil.copy(tiny_cellpose, models / "cpsam_v2")
    (hook / "sitecustomize.py").write_text(SMALL)
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(models))
    monkeypatch.setenv("PYTHONPATH", str(hook), prepend=":")
    run_page(TUTORIALS / "dataset-to-cellpose.md", tmp_path)
    rows = rows_of(tmp_path / "pairs")
    assert len(rows) == 4 and all(row["cells"] > 10 for row in rows)
    assert (tmp_path / "pairs" / "report.html").is_file()
    train, held_out = (tmp_path / "for-cellpose" / part for part in ("train", "validation"))
    for folder in (train, held_out):
        masks = sorted(folder.glob("*_masks.tif"))
        assert masks and all(imread(mask).max() > 10 for mask in masks)
        assert all(mask.with_name(mask.name.replace("_masks", "")).exists() for mask in masks)
    (trained,) = (train / "models").iterdir()
    assert trained.stat().st_size > 10**6
    assert trained.read_bytes() != tiny_cellpose.read_bytes()


def test_a_virtual_stain_is_measured(tmp_path: Path) -> None:
    outputs = run_page(TUTORIALS / "virtual-stain.md", tmp_path)
    (row,) = csv.DictReader((tmp_path / "ki67.csv").open(encoding="utf-8"))
    nuclei = list(csv.DictReader((tmp_path / "nuclei.csv").open(encoding="utf-8")))
    assert len(nuclei) > 10, row
    assert re.search("same pixels: (yes|nearly)", outputs[-1]), outputs[-1]


def test_shards_workers_and_dask_make_the_same_pixels(tmp_path: Path) -> None:
    page = TUTORIALS / "cluster.md"
    run_page(page, tmp_path)
    for name in ("by-workers", "by-shards", "by-dask"):
        assert len(rows_of(tmp_path / name)) == 2
    settings = blocks(page, "toml")
    assert [ClusterSettings.of(tomllib.loads(text), page.name).kind for text in settings] == [
        "slurm"
    ]


def blocks(page: Path, language: str) -> list[str]:
    """Return all blocks of a language, those that are not run included."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize("page", sorted(TUTORIALS.glob("*.md")), ids=lambda page: page.stem)
def test_scripts_of_a_page_have_no_syntax_errors(page: Path) -> None:
    for text in blocks(page, "sh"):
        done = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True)
        assert done.returncode == 0, done.stderr


def test_the_job_array_has_no_syntax_errors_and_makes_one_shard(tmp_path: Path) -> None:
    script = DOCS / "scale" / "slurm-array.sh"
    assert subprocess.run(["bash", "-n", script]).returncode == 0
    said = tmp_path / "said"
    (tmp_path / "srun").write_text(f'#!/bin/sh\necho "$@" > "{said}"\n')
    (tmp_path / "srun").chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin"
    task = {"PATH": path, "HOME": str(tmp_path), "SLURM_ARRAY_TASK_ID": "3"}
    subprocess.run(["bash", script], check=True, cwd=tmp_path, env=task)
    asked = said.read_text().split()
    assert asked[:3] == ["napari-pixcell", "dataset", "make"] and asked[-1] == "3/16"


def test_pictures_of_the_tutorials_exist_and_are_small() -> None:
    for page in TUTORIALS.glob("*.md"):
        for name in re.findall(r"!\[[^]]*\]\(([^)]+)\)", page.read_text("utf-8")):
            assert 0 < (page.parent / name).stat().st_size < 160_000, name


def test_every_fence_of_the_tutorials_is_closed() -> None:
    for page in TUTORIALS.glob("*.md"):
        fences = [line for line in page.read_text("utf-8").splitlines() if FENCE.match(line)]
        assert len(fences) % 2 == 0, page.name
