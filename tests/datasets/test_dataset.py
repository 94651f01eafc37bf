"""Datasets on disk: what they hold, and what a killed or second process leaves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from drawn_dataset import labels_of, make_dataset, write_pairs

from napari_pixcell.datasets.export import read_record
from napari_pixcell.datasets.store.dataset import Dataset, Description, PairSettings
from napari_pixcell.datasets.store.decisions import decide, is_used, read_decisions
from napari_pixcell.datasets.store.lock import locked
from napari_pixcell.datasets.store.plan import Plan
from napari_pixcell.datasets.store.rows import append_rows, cut_torn, read_rows
from napari_pixcell.datasets.store.table import PairTable
from napari_pixcell.engine.request_values import MAX_SEED
from napari_pixcell.errors import PixCellError


@pytest.mark.parametrize("picture", ["png", "tiff"])
def test_pairs_are_read_back_unchanged(tmp_path: Path, picture: str) -> None:
    dataset = Dataset(make_dataset(tmp_path / "data", picture=picture).folder)
    rows = list(dataset.rows())
    assert [row["index"] for row in rows] == list(range(6))
    for row in rows:
        assert np.array_equal(dataset.mask(row), labels_of(row["layout"]))
        assert dataset.image(row).shape == (48, 48, 3)
        assert read_record(dataset.folder / row["image"]).request.seed == row["seed"]
        assert row["image"].startswith("apart/") == bool(row["flags"])
    styles = [dataset.style(row) for row in dataset.style_rows()]
    assert [style.group for style in styles] == ["slide-0", "slide-1"]
    assert styles[0].embedding is not None and styles[0].embedding.shape == (1, 1, 8)


def test_leftovers_of_a_killed_process_are_replaced(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data", pairs=4)
    whole = {row["index"]: row["files"] for row in dataset.rows()}
    (dataset.folder / "images" / "000004.png").write_bytes(b"half")
    (dataset.folder / "images" / ".000005.png.7.part").write_bytes(b"half")
    with (dataset.folder / "manifest.jsonl").open("ab") as file:
        file.write(b'{"index": 4, "ima')
    write_pairs(dataset)
    rows = list(dataset.rows())
    assert sorted(row["index"] for row in rows) == list(range(6))
    assert all(row["files"] == whole[row["index"]] for row in rows if row["index"] in whole)
    assert not list(dataset.folder.rglob("*.part"))
    lines = (dataset.folder / "manifest.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["index"] for line in lines] == [0, 1, 2, 3, 4, 5]


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from napari_pixcell.datasets.store.lock import locked\n"
        "with locked(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout is not None and other.stdout.readline() == b"held\n"
    with (
        pytest.raises(PixCellError, match=f"Process {other.pid}.*is working on the dataset"),
        locked(tmp_path),
    ):
        pass
    other.kill()
    other.communicate()
    with locked(tmp_path):  # the system let go of it
        pass


def test_plans_combine_styles_layouts_and_seeds() -> None:
    plan = Plan(3, 4, seeds=2)
    pairs = [plan[i] for i in range(len(plan))]
    assert len({(p.style, p.layout) for p in pairs[:12]}) == 12 == len({p.seed for p in pairs[:12]})
    assert len({p.style for p in pairs[:3]}) == 3 and len({p.layout for p in pairs[:3]}) == 3
    assert [(p.style, p.layout) for p in pairs[12:]] == [(p.style, p.layout) for p in pairs[:12]]
    matched = Plan(3, 4, "matched", seeds=2, matches=(2, 0, 0, 1))
    assert [(p.style, p.layout) for p in map(matched.__getitem__, range(len(matched)))] == [
        (2, 0),
        (0, 1),
        (0, 2),
        (1, 3),
    ] * 2
    random = Plan(30, 40, "random", pairs=100_000)
    assert len(random) == 100_000 and random[99_999] == random[99_999]
    assert len({random[i].style for i in range(300)}) == 30
    assert Plan(2, 0)[1].layout is None
    several = Plan(2, 3, first_seed=MAX_SEED - 4, candidates=4)
    assert [several[i].seed for i in range(3)] == [MAX_SEED - 4, 2, 6]  # no two share a seed


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"styles": 0}, "has no style. Add a region"),
        ({"pairing": "pairs"}, "no pairing “pairs”. Choose"),
        ({"candidates": 21}, "number of candidates is 21. Choose one from 1 to 20"),
        ({"seeds": 0}, "number of seeds is 0. Choose"),
        ({"styles": 10_000, "layouts": 10_000}, "more than 10,000,000. Choose fewer"),
    ],
)
def test_impossible_plans_are_refused(arguments: dict[str, object], sentence: str) -> None:
    with pytest.raises(PixCellError, match=sentence):
        Plan(**({"styles": 1, "layouts": 1} | arguments))  # type: ignore[arg-type]


def test_the_table_follows_the_manifest(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data", pairs=5)
    table = PairTable(dataset)
    assert table.index.tolist() == [0, 1, 2, 3, 4]
    assert table.flagged.tolist() == [False, False, False, False, True]
    assert table.flag("mask").tolist() == table.flagged.tolist()
    assert table.score("dice")[1] == pytest.approx(0.601) and np.isnan(table.score("pq")).all()
    assert table.row(3)["image"] == "images/000003.png"
    write_pairs(dataset)
    assert table.refresh() == 6 and table.row(5)["index"] == 5


def test_decisions_stand_until_they_are_revoked(tmp_path: Path) -> None:
    decide(tmp_path, {3: "rejected", 4: "accepted"})
    decide(tmp_path, {3: None})
    assert read_decisions(tmp_path) == {4: "accepted"}
    assert is_used(True, "accepted") and not is_used(True, None) and not is_used(False, "rejected")


def test_rows_survive_a_torn_one(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    append_rows(path, [{"a": 1}, {"a": "ü"}])
    path.write_bytes(path.read_bytes()[:-3])
    append_rows(path, [{"a": 3}])
    assert [row["a"] for row in read_rows(path)] == [1, 3]
    with path.open("ab") as file:
        file.write(b'{"a"')
    cut_torn(path)
    assert path.read_bytes().endswith(b'{"a": 3}\n')


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    description = Description("x", "demo", 0.5, (48, 48), PairSettings(20, 1.5))
    with pytest.raises(PixCellError, match=r"is not empty. Choose a new one"):
        Dataset.create(tmp_path, description)
    with pytest.raises(PixCellError, match="There is no dataset in"):
        Dataset(tmp_path)
    made = Dataset.create(tmp_path / "new", description)
    with pytest.raises(PixCellError, match=r"not complete yet. Resume it"):
        _ = made.plan
    (tmp_path / "new" / "dataset.json").write_text("{")
    with pytest.raises(PixCellError, match=r"dataset.json is damaged. Restore"):
        Dataset(tmp_path / "new")
    (tmp_path / "new" / "dataset.json").write_text('{"napari-pixcell dataset": 7}')
    with pytest.raises(PixCellError, match="another version"):
        Dataset(tmp_path / "new")
    (tmp_path / "new" / "dataset.json").write_text("{}")
    with pytest.raises(PixCellError, match="does not describe a dataset"):
        Dataset(tmp_path / "new")
