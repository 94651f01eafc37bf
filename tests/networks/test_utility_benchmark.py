"""The utility benchmark of synthetic pairs has sound splits, and a run fills its tables."""

import ast
import json
import re
from pathlib import Path

import numpy as np
from utility import __main__ as benchmark
from utility import report
from utility.data import FEW, Task, tasks
from utility.synthetic import layouts

from napari_pixcell.evaluation.tiles import LabelledTile


def test_no_group_is_in_both_training_and_test_data(shared_data):
    for task in tasks(shared_data):
        test = {tile.group for tile in task.test}
        assert not test & {tile.group for tile in task.pool}
        for seed in (1, 2, 3):
            few = task.few(seed)
            assert len({tile.name for tile in few}) == FEW
            assert len({tile.group for tile in few}) == min(FEW, len({t.group for t in task.pool}))


def test_breast_is_tested_on_images_held_out_from_the_demo_family(shared_data):
    text = (Path(__file__).parents[2] / "training" / "common.py").read_text()
    held_out = ast.literal_eval(re.search(r"^HELD_OUT = (\{.*\})$", text, re.M)[1])
    breast, _ = tasks(shared_data)
    assert len(breast.test) == 4
    assert {tile.name for tile in breast.test} <= held_out


def test_layouts_are_different_tiles_with_cells(shared_data):
    breast, _ = tasks(shared_data)
    made = list(layouts(breast.few(1), 12, 1))
    assert {one.shape for one in made} == {(256, 256)}
    assert all(one.any() for one in made)
    assert len({one.tobytes() for one in made}) == 12


def test_the_rest_of_the_pool_shares_no_tile_with_the_few(shared_data):
    for task in tasks(shared_data):
        few, rest = task.few(1), task.rest(1)
        assert len(few) + len(rest) == len(task.pool)
        assert not {tile.name for tile in few} & {tile.name for tile in rest}


def test_a_run_without_pairs_is_stored_resumed_and_written_into_tables(tmp_path, monkeypatch):
    rng, found = np.random.default_rng(0), []
    for number in range(8):
        labels = np.zeros((96, 96), np.int32)
        labels[20:50, 10 + number : 40] = 1
        image = np.repeat(np.where(labels > 0, 80, 220)[..., None], 3, -1)
        image = np.uint8(np.clip(image + rng.normal(0, 5, image.shape), 0, 255))
        found.append(LabelledTile(f"{number}", f"{number}", image, labels))
    task = Task("breast", tuple(found[:6]), tuple(found[6:]))
    monkeypatch.setattr(benchmark, "tasks", lambda data: (task,))
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- breast -->\nold\n<!-- /breast -->\nafter\n")
    monkeypatch.setattr(benchmark, "write_readme", lambda runs: report.write_readme(runs, readme))
    command = "utility data --seeds 1 2 --steps 2 --arms few strong pool --runs".split()
    monkeypatch.setattr("sys.argv", [*command, str(tmp_path / "runs")])
    benchmark.main()
    text = readme.read_text()
    assert text.startswith("before\n<!-- breast -->\n| trained on |") and "old" not in text
    for words in ("| few real |", "| all of the pool, strong augmentation |", "built-in method"):
        assert words in text
    kept = json.loads((tmp_path / "runs" / "breast-1.json").read_text())
    assert len(kept["few"]) == FEW and set(kept["groups"]) == {"6", "7"}
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/trainings/*")}
    assert len(stamps) == 6
    benchmark.main()
    assert readme.read_text() == text
    assert stamps == {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/trainings/*")}
