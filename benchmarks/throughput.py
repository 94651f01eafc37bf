"""Pairs a second of a dataset before and after batches and overlapping, and what each stage costs.

    python benchmarks/throughput.py [--pairs 16] [--rounds 3] [--steps 20] [--block 2 4 8]
    python benchmarks/throughput.py --passes          # images of a pass: 1, 2, 3, 4, 8

The demo family makes pairs of fields of view of the sample slide, with their own cells and all
checks. “Series” is how datasets were made before: pair by pair, each one generated, checked and
written before the next, with SciPy's smoothing. Each round runs all ways one after another on the
same pairs, so that a busy machine slows all of them. The ratios are medians over the rounds.

Stages are seconds of CPU time of their thread a pair: generation and embedding in the caller's,
segmentation, scores, copy search and writing in the other one. With more than one thread in torch,
the time of its other threads is not part of a stage. “On idle cores” is the ratio that these times
give if each of the two threads has a core to itself: it does not depend on other programs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

os.environ.setdefault("PIXCELL_DATA_DIR", tempfile.mkdtemp(prefix="throughput-"))

import torch
from skimage.filters import gaussian

from napari_pixcell.cells import segmentation
from napari_pixcell.datasets.quality import checker
from napari_pixcell.datasets.quality.copies import RealTiles
from napari_pixcell.datasets.recipe import block_work, making
from napari_pixcell.datasets.recipe.pair_making import PairMaker
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.store.pair_files import PairFiles
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.request_values import BatchRequest, GenerateRequest
from napari_pixcell.slides.samples import SAMPLE_SLIDE

STAGES = {
    "generate": (PairMaker, "generate"),
    "embed": (checker.Checker, "measure"),
    "check": (checker.Checker, "judge"),
    "segment": (checker.Checker, "_outlined"),
    "copy search": (RealTiles, "nearest_each"),
    "write": (PairFiles, "write"),
}
# Stages that lie within another one.
WITHIN = {"generate": ("embed",), "check": ("segment",)}


class Watch:
    """Seconds of CPU time of the calling thread in each stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def timed(self, stage: str, inner: Callable[..., Any]) -> Callable[..., Any]:
        """Return a method that counts its time."""

        def outer(*arguments: Any, **named: Any) -> Any:
            begun = time.thread_time()
            try:
                return inner(*arguments, **named)
            finally:
                self.seconds[stage] += time.thread_time() - begun

        return outer

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the stages while the block runs."""
        with ExitStack() as stack:
            for stage, (owner, name) in STAGES.items():
                timed = self.timed(stage, getattr(owner, name))
                stack.enter_context(patch.object(owner, name, timed))
            yield

    def per_pair(self, pairs: int) -> dict[str, float]:
        """Return milliseconds a pair; a stage without those that lie within it."""
        own = {
            stage: seconds - sum(self.seconds[inner] for inner in WITHIN.get(stage, ()))
            for stage, seconds in self.seconds.items()
        }
        own["scores"] = own.pop("check", 0.0)
        return {stage: round(1000 * seconds / pairs, 1) for stage, seconds in own.items()}


def recipe(pairs: int, steps: int) -> DatasetRecipe:
    """Return a recipe of the sample slide's tissue with its own cells."""
    return DatasetRecipe(
        "Throughput",
        styles=({"from": "slide", "slide": str(SAMPLE_SLIDE), "most": 4},),
        layouts=({"from": "style"},),
        pairing="random",
        pairs=pairs,
        steps=steps,
    )


@contextmanager
def series() -> Iterator[None]:
    """Do one thing after another, as datasets were made before."""

    def finished_one_by_one(items: Any, finish: Any) -> Iterator[Any]:
        yield from map(finish, items)

    with (
        patch.object(block_work, "overlapped", finished_one_by_one),
        patch.object(segmentation, "smoothed", gaussian),
    ):
        yield


def made(engine: Engine, asked: DatasetRecipe, block: int, watch: Watch) -> float:
    """Make a dataset, and return the seconds from the first pair to the last."""
    begun: list[float] = []

    def emit(event: Any) -> None:
        if not begun and getattr(event, "message", "").startswith("Pair"):
            begun.append(time.perf_counter())

    with tempfile.TemporaryDirectory(prefix="pairs-") as folder, watch.running():
        request = DatasetRequest(str(Path(folder) / "data"), asked)
        making.make_dataset(request, engine.run, emit, block=lambda family: block)
        return time.perf_counter() - begun[0]


def throughput(pairs: int, rounds: int, steps: int, blocks: list[int]) -> dict[str, Any]:
    """Return pairs a second of all ways, their ratios to the series, and the stages."""
    engine, asked = Engine(), recipe(pairs, steps)
    ways: dict[str, tuple[int, bool]] = {"series": (1, True), "overlapping": (1, False)}
    ways |= {f"blocks of {block}": (block, False) for block in blocks}
    with series():
        made(engine, recipe(2, 1), 1, Watch())  # loads models and libraries
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    watches = {way: Watch() for way in ways}
    for _ in range(rounds):
        for way, (block, in_series) in ways.items():
            with ExitStack() as stack:
                if in_series:
                    stack.enter_context(series())
                seconds[way].append(made(engine, asked, block, watches[way]))
            print(f"{way}: {seconds[way][-1]:.1f} s", file=sys.stderr, flush=True)
    found = {}
    stages = {way: watch.per_pair(pairs * rounds) for way, watch in watches.items()}
    for way, (_, in_series) in ways.items():
        ratios = [a / b for a, b in zip(seconds["series"], seconds[way], strict=True)]
        found[way] = {
            "pairs a second": round(pairs / statistics.median(seconds[way]), 3),
            "ratio to the series": round(statistics.median(ratios), 2),
            "ratios": [round(ratio, 2) for ratio in ratios],
            "on idle cores": round(idle(stages["series"], True) / idle(stages[way], in_series), 2),
            "CPU ms a pair": stages[way],
        }
    return found


def idle(stages: dict[str, float], in_series: bool) -> float:
    """Return the milliseconds a pair if both threads have a core to themselves."""
    caller = stages["generate"] + stages["embed"]
    other = sum(stages.values()) - caller
    return caller + other if in_series else max(caller, other)


def passes(rounds: int, steps: int) -> dict[str, Any]:
    """Return seconds of CPU time an image by the number of images in a pass."""
    engine, counts = Engine(), (1, 2, 3, 4, 8)
    with tempfile.TemporaryDirectory(prefix="pairs-") as folder:
        asked: list[GenerateRequest] = []

        def run(request: Any, *arguments: Any, **named: Any) -> None:
            if isinstance(request, GenerateRequest):
                asked.append(request)
            engine.run(request, *arguments, **named)

        making.make_dataset(DatasetRequest(folder + "/data", recipe(8, 1)), run, lambda event: None)
    requests = [replace(one, steps=steps) for one in asked]
    seconds: dict[int, list[float]] = {count: [] for count in counts}
    for _ in range(rounds):
        for count in counts:
            batch = BatchRequest(tuple(requests[:count]), count)
            begun = time.process_time()
            engine.run(batch, lambda event: None)
            seconds[count].append((time.process_time() - begun) / count)
    return {str(count): round(statistics.median(found), 3) for count, found in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--block", type=int, nargs="*", default=[2, 4, 8])
    parser.add_argument("--passes", action="store_true")
    options = parser.parse_args()
    figures: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "threads of torch": torch.get_num_threads(),
    }
    if options.passes:
        figures["CPU seconds an image, by images in a pass"] = passes(options.rounds, options.steps)
    else:
        figures |= throughput(options.pairs, options.rounds, options.steps, options.block)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
