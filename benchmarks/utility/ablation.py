"""What limits the pairs? Replaces them, step by step, by labelled tissue like the test's.

    cd benchmarks && python -m utility.ablation ../../shared/data

Half of some tiles become the target, the other half the test. From each step of the ladder to the
next, one difference between pairs and labelled tiles of the target disappears. All steps but the
first and “own labels” use labels of the target. So nothing is chosen with it: it only tells where
help is lost.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from napari_pixcell.cells import segment_nuclei
from napari_pixcell.datasets.quality.agreement import agreement
from napari_pixcell.engine.engine import Engine
from napari_pixcell.evaluation.request import SHARE, STEPS
from napari_pixcell.evaluation.results import TrainingResult
from napari_pixcell.evaluation.rounds import Round
from napari_pixcell.evaluation.tiles import LabelledTile
from napari_pixcell.evaluation.verdict import difference, signed
from utility.__main__ import Settings, train
from utility.data import Task, Tiles, tasks
from utility.synthetic import PAIRS, combine, layouts, read_pairs

CONTROL = "nothing, as many steps"
# The target of breast has four tiles only, so the rest of its pool is used.
FROM_POOL = {"breast"}


def halves(task: Task, seed: int) -> tuple[Tiles, Tiles]:
    """Return the target and the test: every second tile each, in an order of the seed."""
    tiles = task.rest(seed) if task.name in FROM_POOL else task.test
    order = np.random.default_rng(seed).permutation(len(tiles))
    return tuple(tiles[i] for i in order[::2]), tuple(tiles[i] for i in order[1::2])


class Ladder:
    """The pairs of one seed and what takes their place.

    Parameters
    ----------
    few, target : tuple of LabelledTile
    seed : int
    folder : Path
        Of the datasets.
    """

    def __init__(self, few: Tiles, target: Tiles, seed: int, folder: Path) -> None:
        self.few, self.target, self.seed, self.folder = few, target, seed, folder

    @property
    def steps(self) -> dict[str, Callable[[], Tiles]]:
        """What is mixed with the few, by its words."""
        return {
            "pairs": self.pairs,
            "pairs with the layouts of the target": self.own_layouts,
            "tiles of the target, encoded and decoded": self.decoded,
            "tiles of the target": lambda: self.target,
            "tiles of the target, labelled by the built-in method": self.own_labels,
        }

    def pairs(self) -> Tiles:
        """Return pairs of layouts of the few and styles of the target."""
        drawn = list(layouts(self.few, PAIRS, self.seed))
        combine(self.target, drawn, PAIRS, 1000 * self.seed, self.folder / "pairs", {})
        return read_pairs(self.folder / "pairs")

    def own_layouts(self) -> Tiles:
        """Return pairs of each target tile's own layout and style."""
        made: list[LabelledTile] = []
        each = PAIRS // len(self.target)
        for index, tile in enumerate(self.target):
            folder = self.folder / tile.name
            first = 1000 * self.seed + each * index
            combine((tile,), [tile.labels], each, first, folder, {})
            made += read_pairs(folder)
        return tuple(made)

    def decoded(self) -> Tiles:
        """Return the target's tiles after the autoencoder, which bounds what can be generated."""
        vae = Engine().load("demo").vae
        made = []
        for tile in self.target:
            x = torch.from_numpy(tile.image.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
            with torch.inference_mode():
                y = vae.decode(vae.encode(x.to(vae.dtype)).latent_dist.mode()).sample[0]
            pixels = (y.float().clamp(-1, 1) + 1).mul(127.5).round().byte().permute(1, 2, 0)
            made.append(replace(tile, image=pixels.contiguous().numpy()))
        return tuple(made)

    def own_labels(self) -> Tiles:
        """Return the target's tiles with labels of the built-in method."""
        return tuple(replace(tile, labels=segment_nuclei(tile.image)) for tile in self.target)


def main() -> None:
    """Train all steps of the ladder, and print their table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of openly licensed tissue")
    parser.add_argument("--runs", type=Path, default=Path("utility-runs"))
    parser.add_argument("--tasks", nargs="+", default=("breast", "unseen"))
    parser.add_argument("--seeds", type=int, nargs="+", default=(1, 2, 3))
    parser.add_argument("--at-once", type=int, default=0, help="trainings; default: one a core")
    parser.add_argument("--only", nargs="+", default=(), help="steps that run; default: all")
    given = parser.parse_args()
    runs = given.runs.resolve()
    runs.mkdir(exist_ok=True)
    os.environ["PIXCELL_DATA_DIR"] = str(runs / "private")  # not in the user's folder
    settings = Settings(runs, (), STEPS, SHARE, {}, False, given.at_once)
    for task in tasks(given.data):
        if task.name in given.tasks:
            report(task, given.seeds, given.only, settings)


def report(task: Task, seeds: list[int], only: list[str], settings: Settings) -> None:
    """Print the table of one task."""
    results: list[TrainingResult] = []
    for seed in seeds:
        few, (target, test) = task.few(seed), halves(task, seed)
        ladder = Ladder(few, target, seed, settings.runs / f"{task.name}-ablation-{seed}")

        def run(words: str, made: Tiles, seed: int = seed, few: Tiles = few, test=test) -> None:
            arm = "mixed" if made else "strong-longer"
            [result] = train(Round(seed, few, made, test), [arm], settings)
            results.append(replace(result, arm=words))
            print(f"{task.name}, seed {seed}, {words}: AJI {result.mean():.3f}", flush=True)

        run(CONTROL, ())
        for words, make in ladder.steps.items():
            if not only or words in only:
                run(words, make())
        alike = [agreement(t.labels, segment_nuclei(t.image)) for t in target]
        said = np.mean([one.aji for one in alike if one])
        print(f"{task.name}, seed {seed}, labels of the built-in method: AJI {said:.3f}")
    groups = {tile.name: tile.group for tile in (*task.pool, *task.test)}
    print(f"\n## {task.name}\n\n| mixed with the few | AJI | more than nothing | per seed |")
    print("| --- | --- | --- | --- |")
    for words in dict.fromkeys(result.arm for result in results):
        mean = np.mean([result.mean() for result in results if result.arm == words])
        gain = difference(results, words, CONTROL, groups)
        each = ", ".join(map(signed, gain.seeds))
        print(f"| {words} | {mean:.3f} | {signed(gain.mean)} | {each} |")
    print(flush=True)


if __name__ == "__main__":
    main()
