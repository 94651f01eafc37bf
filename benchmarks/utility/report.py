"""Tables of the figures of all runs, for README.md."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from utility.training import ARMS

README = Path(__file__).with_name("README.md")
MEASURES = {"dice": "Dice", "aji": "AJI", "pq": "PQ"}
BUILT_IN = "built-in method, untrained"
# Arms that are compared tile by tile and seed by seed.
COMPARISONS = (
    ("few real + synthetic", "few real"),
    ("few real, strong augmentation", "few real"),
    ("few real + synthetic", "few real, strong augmentation"),
    ("few real + synthetic", "all of the pool"),
)

Scores = NDArray[np.float64]


class Runs:
    """Return the scores of each arm, (seeds, tiles, measures), for seeds that have all arms."""

    def __init__(self, results: list[dict]) -> None:
        self.arms: dict[str, Scores] = {}
        arms_of = Counter(one["seed"] for one in results)
        results = [one for one in results if one["seed"] == 0 or arms_of[one["seed"]] == len(ARMS)]
        self.trained = [one for one in results if one["arm"] != BUILT_IN]
        for arm in (*ARMS, BUILT_IN):
            mine = sorted((one for one in results if one["arm"] == arm), key=lambda r: r["seed"])
            if mine:
                self.arms[arm] = np.array([_table(one["tiles"]) for one in mine])

    def table(self) -> list[str]:
        """Return a row for each arm: the mean over tiles and seeds, and the range of the seeds."""
        lines = [f"| trained on | {' | '.join(MEASURES.values())} |", "| --- | --- | --- | --- |"]
        for arm, values in self.arms.items():
            seeds = values.mean(axis=1)
            cells = []
            for column in seeds.T:
                spread = f" ({column.min():.2f}–{column.max():.2f})" if len(column) > 1 else ""
                cells.append(f"{column.mean():.3f}{spread}")
            lines.append(f"| {arm} | {' | '.join(cells)} |")
        return lines

    def comparisons(self) -> list[str]:
        """Return a row for each comparison of AJI, paired by tile and seed."""
        lines = [
            "| AJI of | compared with | difference | per seed | tiles improved |",
            "| --- | --- | --- | --- | --- |",
        ]
        column = list(MEASURES).index("aji")
        for one, other in COMPARISONS:
            if one in self.arms and other in self.arms:
                gain = (self.arms[one] - self.arms[other])[..., column]
                seeds = ", ".join(f"{value:+.3f}" for value in gain.mean(axis=1))
                better = int((gain.mean(axis=0) > 0).sum())
                lines.append(
                    f"| {one} | {other} | {gain.mean():+.3f} | {seeds} | "
                    f"{better} of {gain.shape[1]} |"
                )
        return lines

    def notes(self) -> str:
        """Return the duration of a training and the flags of the pairs, in words."""
        seconds = np.median([one["seconds"] for one in self.trained])
        sets = {one["seed"]: one for one in self.trained}.values()
        flags: Counter[str] = Counter()
        for one in sets:
            flags.update(one["flags"])
        said = ", ".join(f"{flag} {count}" for flag, count in flags.most_common())
        return (
            f"{len(sets)} seeds. Core seconds per training and test: {seconds:.0f}. "
            f"Flags of the pairs: {said}; used: {sum(one['pairs'] for one in sets)}."
        )


def write_readme(folder: Path, readme: Path = README) -> None:
    """Write the tables of the results in a folder between the marks of the README."""
    results = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    text = readme.read_text()
    for task in {one["task"] for one in results}:
        runs = Runs([one for one in results if one["task"] == task])
        if not runs.trained:
            continue
        block = "\n".join([*runs.table(), "", *runs.comparisons(), "", runs.notes()])
        marks = f"<!-- {task} -->", f"<!-- /{task} -->"
        new = f"{marks[0]}\n{block}\n{marks[1]}"
        text = re.sub(f"{marks[0]}.*?{marks[1]}", lambda _, new=new: new, text, flags=re.S)
    readme.write_text(text)


def _table(tiles: dict[str, dict[str, float]]) -> list[list[float]]:
    return [[tiles[name][measure] for measure in MEASURES] for name in sorted(tiles)]
