"""Do synthetic pairs help a segmenter? Runs the evaluation on two tasks, and writes the README.

    cd benchmarks && python -m utility ../../shared/data

Results are stored in ``utility-runs`` (``--runs`` sets another folder). The same command resumes
from there. Several commands with different ``--tasks`` or ``--seeds`` can run at the same time.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari_pixcell.cells import segment_nuclei
from napari_pixcell.datasets.quality.agreement import agreement
from napari_pixcell.evaluation.arms import ARMS, USUAL_ARMS
from napari_pixcell.evaluation.request import SHARE, STEPS
from napari_pixcell.evaluation.results import MEASURES, TrainingResult, TrainingStore
from napari_pixcell.evaluation.rounds import Round, Trainings
from napari_pixcell.files import write_whole
from napari_pixcell.serialization import to_json
from utility.data import Task, tasks
from utility.report import BUILT_IN, POOL, write_readme, write_tables
from utility.synthetic import make_pairs, read_pairs

SEEDS = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Settings:
    """What is run, and how."""

    runs: Path
    arms: tuple[str, ...]
    steps: int
    share: float
    recipe: dict[str, Any]  # further values, for all pairs
    on_rest: bool  # test on the rest of the pool, to make choices
    at_once: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of openly licensed tissue")
    parser.add_argument("--runs", type=Path, default=Path("utility-runs"))
    parser.add_argument("--tasks", nargs="+", default=("breast", "unseen"))
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    arms = (*USUAL_ARMS, "pairs", POOL)
    names = f"some of: {', '.join((*ARMS, POOL))}; default: {', '.join(arms)}"
    parser.add_argument("--arms", nargs="+", default=arms, choices=(*ARMS, POOL), help=names)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--share", type=float, default=SHARE, help="of the pairs in a mixture")
    parser.add_argument(
        "--recipe", type=json.loads, default={}, help='more values of recipes: {"preset": "exact"}'
    )
    parser.add_argument(
        "--on-rest", action="store_true", help="test on the rest of the pool; README is not written"
    )
    parser.add_argument("--at-once", type=int, default=0, help="trainings; default: one a core")
    given = parser.parse_args()
    runs = given.runs.resolve()
    runs.mkdir(exist_ok=True)
    os.environ["PIXCELL_DATA_DIR"] = str(runs / "private")  # not in the user's folder
    settings = Settings(
        runs,
        tuple(given.arms),
        given.steps,
        given.share,
        given.recipe,
        given.on_rest,
        given.at_once,
    )
    for task in tasks(given.data):
        if task.name in given.tasks:
            for seed in given.seeds:
                run_seed(task, seed, settings)
    (write_tables if given.on_rest else write_readme)(runs)


def run_seed(task: Task, seed: int, settings: Settings) -> None:
    """Train the missing arms for one draw of the few tiles."""
    few, test = task.few(seed), task.rest(seed) if settings.on_rest else task.test
    started, made, flags = time.monotonic(), (), Counter[str]()
    name = f"{task.name}{'-rest' if settings.on_rest else ''}"
    if any(ARMS[arm].pairs != "none" for arm in settings.arms if arm != POOL):
        how = hashlib.sha256(json.dumps(settings.recipe, sort_keys=True).encode()).hexdigest()[:8]
        folder = settings.runs / f"{name}-{seed}{f'-{how}' if settings.recipe else ''}"
        rows = make_pairs(few, test, seed, folder, settings.recipe)
        flags = Counter(flag for row in rows for flag in row["flags"] or ["none"])
        made = read_pairs(folder)
        _say(name, seed, f"{len(rows)} pairs, flags: {dict(flags)}", started)
    results = [
        *train(Round(seed, few, made, test), [a for a in settings.arms if a != POOL], settings),
        *(
            replace(result, arm=POOL)
            for result in train(Round(seed, task.pool, (), test), ["strong"], settings)
            if POOL in settings.arms and not settings.on_rest
        ),
        _built_in(test, seed),
    ]
    for result in results:
        _say(name, seed, f"{result.arm}: AJI {result.mean():.3f}", started)
    value = {
        "task": name,
        "seed": seed,
        "few": [tile.name for tile in few],
        "groups": {tile.name: tile.group for tile in test},
        "pairs": len(made),
        "flags": flags,
        "settings": {"steps": settings.steps, "share": settings.share, "recipe": settings.recipe},
        "results": [to_json(result) for result in results],
    }
    write_whole(settings.runs / f"{name}-{seed}.json", json.dumps(value, indent=1))


def train(one: Round, arms: list[str], settings: Settings) -> list[TrainingResult]:
    """Return the results of the arms for one seed, running those that are not stored."""
    names = {tile: tile.name for tile in one.test}
    store = TrainingStore(settings.runs)
    trainings = Trainings([one], arms, settings.steps, settings.share, names, store)
    return trainings.run(at_once=settings.at_once)


def _built_in(test: Any, seed: int) -> TrainingResult:
    """Return the scores of the built-in method, which is not trained."""
    tiles = {}
    for tile in test:
        alike = agreement(tile.labels, segment_nuclei(tile.image))
        assert alike is not None  # every tile has nuclei
        tiles[tile.name] = {measure: getattr(alike, measure) for measure in MEASURES}
    return TrainingResult(BUILT_IN, seed, "", 0, 0.0, tiles)


def _say(task: str, seed: int, what: str, started: float) -> None:
    print(f"{task}, seed {seed}, {what}, {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
