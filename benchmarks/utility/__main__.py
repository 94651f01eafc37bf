"""Do synthetic pairs help a segmenter? Trains all arms and writes the figures into README.md.

    cd benchmarks && python -m utility ../../shared/data

Results are stored in ``utility-runs`` (``--runs`` sets another folder). The same command resumes
from there. Several commands with different ``--task`` or ``--seeds`` can run at the same time.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_pixcell.cells import segment_nuclei
from napari_pixcell.datasets.quality.agreement import agreement
from utility.data import Labels, Task, Tile, tasks
from utility.network import segment
from utility.report import BUILT_IN, write_readme
from utility.synthetic import make_pairs, read_pairs
from utility.training import ARMS, STEPS, Pairs, train

SEEDS = (1, 2, 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of openly licensed tissue")
    parser.add_argument("--runs", type=Path, default=Path("utility-runs"))
    parser.add_argument("--task", help="run only this task")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    runs = args.runs.resolve()
    runs.mkdir(exist_ok=True)
    os.environ["PIXCELL_DATA_DIR"] = str(runs / "private")  # not in the user's folder
    for task in tasks(args.data):
        if args.task in (None, task.name):
            found = {tile.name: _compare(tile, segment_nuclei(tile.image)) for tile in task.test}
            _keep(runs, task, BUILT_IN, 0, {"tiles": found})
            for seed in args.seeds:
                run_seed(task, seed, runs)
    write_readme(runs)


def run_seed(task: Task, seed: int, runs: Path) -> None:
    """Train the missing arms for one draw of the few tiles."""
    few = task.few(seed)
    started, folder = time.process_time(), runs / f"{task.name}-{seed}"
    rows = make_pairs(few, task.test, seed, folder)
    flags = Counter(flag for row in rows for flag in row["flags"] or ["none"])
    _say(task, seed, f"{len(rows)} pairs, flags: {dict(flags)}", started)
    made = Pairs(*read_pairs(folder))
    real = {"few": few, "pool": task.pool}
    for name, arm in ARMS.items():
        if _path(runs, task, name, seed).exists():
            continue
        started = time.process_time()
        sources = [_pairs(real[arm.real])] if arm.real in real else []
        sources += [made] if arm.synthetic else []
        net = train(sources, arm.strong, seed)
        found = {tile.name: _compare(tile, segment(net, tile.image)) for tile in task.test}
        seconds = round(time.process_time() - started, 1)
        fit = {tile.name: _compare(tile, segment(net, tile.image)) for tile in few}
        result = {"few": [tile.name for tile in few], "pairs": len(made.images), "flags": flags}
        result |= {"steps": STEPS, "seconds": seconds, "tiles": found, "few again": fit}
        _keep(runs, task, name, seed, result)
        mean, again = (np.mean([one["aji"] for one in these.values()]) for these in (found, fit))
        _say(task, seed, f"{name}: AJI {mean:.3f}, on the few {again:.3f}", started)


def _compare(tile: Tile, found: Labels) -> dict[str, float]:
    alike = agreement(tile.labels, found)
    assert alike is not None  # every tile has nuclei
    return {"dice": alike.dice, "aji": alike.aji, "pq": alike.pq}


def _pairs(tiles: tuple[Tile, ...]) -> Pairs:
    return Pairs(np.stack([t.image for t in tiles]), np.stack([t.labels for t in tiles]))


def _say(task: Task, seed: int, what: str, started: float) -> None:
    seconds = time.process_time() - started
    print(f"{task.name}, seed {seed}, {what}, {seconds:.0f} s", flush=True)


def _path(runs: Path, task: Task, arm: str, seed: int) -> Path:
    return runs / f"{task.name}-{seed}-{arm}.json"


def _keep(runs: Path, task: Task, arm: str, seed: int, result: dict[str, Any]) -> None:
    path = _path(runs, task, arm, seed)
    part = path.with_suffix(".part")
    part.write_text(json.dumps({"task": task.name, "arm": arm, "seed": seed} | result, indent=1))
    part.replace(path)


if __name__ == "__main__":
    main()
