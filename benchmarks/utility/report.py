"""Tables of the figures of all runs, for README.md."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from napari_pixcell.evaluation.arms import ARMS, CONTROLS, WITH_PAIRS
from napari_pixcell.evaluation.results import MEASURES, TrainingResult
from napari_pixcell.evaluation.verdict import difference, judge, signed
from napari_pixcell.serialization import from_json

README = Path(__file__).with_name("README.md")
POOL, BUILT_IN = "pool", "built-in"
WORDS = {name: arm.words for name, arm in ARMS.items()} | {
    POOL: "all of the pool, strong augmentation",
    BUILT_IN: "built-in method, untrained",
}


class Runs:
    """The results of a task, over all seeds that have all arms."""

    def __init__(self, seeds: list[dict[str, Any]]) -> None:
        seeds = sorted(seeds, key=lambda one: one["seed"])
        most = max(len(one["results"]) for one in seeds)
        self.seeds = [one for one in seeds if len(one["results"]) == most]
        self.results = [
            from_json(TrainingResult, result, "damaged: {detail}")
            for one in self.seeds
            for result in one["results"]
        ]
        self.groups = {name: group for one in seeds for name, group in one["groups"].items()}
        self.arms = list(dict.fromkeys(result.arm for result in self.results))

    def table(self) -> list[str]:
        """Return a row for each arm: the mean over tiles and seeds, and the range of the seeds."""
        lines = [
            f"| trained on | {' | '.join(MEASURES.values())} | core s |",
            "| --- " * (len(MEASURES) + 2) + "|",
        ]
        for arm in self.arms:
            results = [result for result in self.results if result.arm == arm]
            cells = []
            for measure in MEASURES:
                means = [result.mean(measure) for result in results]
                spread = f" ({min(means):.2f}–{max(means):.2f})" if len(means) > 1 else ""
                cells.append(f"{np.mean(means):.3f}{spread}")
            seconds = np.median([result.seconds for result in results])
            lines.append(f"| {WORDS[arm]} | {' | '.join(cells)} | {seconds:.0f} |")
        return lines

    def comparisons(self) -> list[str]:
        """Return a row for each comparison of AJI, paired by tile and seed."""
        lines = [
            "| AJI of | compared with | difference | 95 % interval | per seed | tiles improved |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        pairs = [(WITH_PAIRS, "few")]
        pairs += [(arm, one) for arm in self.arms for one in CONTROLS if arm not in CONTROLS]
        for arm, control in dict.fromkeys(pairs):
            if arm in self.arms and control in self.arms and arm != BUILT_IN:
                gain = difference(self.results, arm, control, self.groups)
                lines.append(
                    f"| {WORDS[arm]} | {WORDS[control]} | {signed(gain.mean)} | "
                    f"{signed(gain.low)} to {signed(gain.high)} | "
                    f"{', '.join(map(signed, gain.seeds))} | {gain.better} of {gain.tiles} |"
                )
        return lines

    def notes(self) -> str:
        """Return the answer, and the pairs of the seeds, in words."""
        flags: Counter[str] = Counter()
        for one in self.seeds:
            flags.update(one["flags"])
        said = ", ".join(f"{flag} {count}" for flag, count in flags.most_common())
        used = sum(one["pairs"] for one in self.seeds)
        answer = ""
        if WITH_PAIRS in self.arms and {*CONTROLS} & {*self.arms}:
            answer = f"{judge(self.results, self.groups).sentence} "
        return f"{answer}Flags of the pairs: {said}; used: {used}."

    @property
    def block(self) -> str:
        """Tables and notes."""
        return "\n".join([*self.table(), "", *self.comparisons(), "", self.notes()])


def write_readme(folder: Path, readme: Path = README) -> None:
    """Write the tables of the results in a folder between the marks of the README."""
    text = readme.read_text()
    for task, runs in _runs(folder).items():
        marks = f"<!-- {task} -->", f"<!-- /{task} -->"
        new = f"{marks[0]}\n{runs.block}\n{marks[1]}"
        text = re.sub(f"{marks[0]}.*?{marks[1]}", lambda _, new=new: new, text, flags=re.S)
    readme.write_text(text)


def write_tables(folder: Path) -> None:
    """Print the tables of the results in a folder."""
    for task, runs in _runs(folder).items():
        print(f"\n## {task}\n\n{runs.block}")


def _runs(folder: Path) -> dict[str, Runs]:
    seeds: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(folder.glob("*-*.json")):
        value = json.loads(path.read_text())
        seeds.setdefault(value["task"], []).append(value)
    return {task: Runs(found) for task, found in seeds.items()}
