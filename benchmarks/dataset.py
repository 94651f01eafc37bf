"""Cost of a dataset pair (generation, checks, writing), and memory over many pairs.

    python benchmarks/dataset.py [--pairs 24] [--steps 20] [--drawn 2000]

The cost is measured with the demo family on fields of view of the sample slide with their own
cells. Checks and writing happen in a thread beside generation, so that their shares of the time may
overlap with it. Memory is measured with an engine that draws instead of running networks, because
ten thousand real pairs take hours. Everything else is the product's code. Prints resident memory
after a fifth of the pairs and after all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

os.environ.setdefault("PIXCELL_DATA_DIR", tempfile.mkdtemp(prefix="dataset-"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from drawn_engine import DrawnEngine, drawn_recipe

from napari_pixcell.datasets.quality import Checker
from napari_pixcell.datasets.recipe import making
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.datasets.store.pair_files import PairFiles
from napari_pixcell.engine.events import Event, Progress
from napari_pixcell.slides.samples import SAMPLE_SLIDE


class Watch:
    """Seconds spent in a method, which is wrapped while this object exists."""

    def __init__(self, owner: Any, name: str) -> None:
        self.seconds, self.calls = 0.0, 0
        inner: Callable[..., Any] = getattr(owner, name)

        def timed(*arguments: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return inner(*arguments, **named)
            finally:
                self.seconds += time.perf_counter() - started
                self.calls += 1

        setattr(owner, name, timed)


def costs(pairs: int, steps: int) -> dict[str, Any]:
    """Generate pairs with the demo family, and print where the time went."""
    from napari_pixcell.engine.engine import Engine

    recipe = DatasetRecipe(
        "Costs",
        styles=({"from": "slide", "slide": str(SAMPLE_SLIDE), "most": 4},),
        layouts=({"from": "style"},),
        seeds=max(1, pairs // 16),
        steps=steps,
    )
    folder, engine = tempfile.mkdtemp(prefix="pairs-"), Engine()
    # The first pairs load the model and the libraries for the checks.
    request = DatasetRequest(folder, recipe, 2)
    making.make_dataset(request, engine.run, lambda event: None)
    checking = Watch(Checker, "judge")
    writing = Watch(PairFiles, "write")
    started = time.perf_counter()
    making.make_dataset(DatasetRequest(folder), engine.run, lambda event: None)
    whole = time.perf_counter() - started
    size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    count = len(list(Dataset(folder).rows()))
    return {
        "pairs timed": writing.calls,
        "seconds per pair": round(whole / writing.calls, 3),
        "checks, % of the time": round(100 * checking.seconds / whole, 1),
        "writing, % of the time (goal: under 10)": round(100 * writing.seconds / whole, 1),
        "kB per pair": round(size / count / 1000, 1),
    }


def memory(pairs: int) -> dict[str, Any]:
    """Write many drawn pairs, and print how memory grew after the first fifth."""
    recipe, process = drawn_recipe(seeds=-(-pairs // 6)), psutil.Process()
    grown: dict[int, float] = {}

    def note(event: Event) -> None:
        if isinstance(event, Progress) and event.total and event.done % max(1, pairs // 5) == 0:
            grown[event.done] = process.memory_info().rss / 1e6

    folder, engine = tempfile.mkdtemp(prefix="drawn-"), DrawnEngine()
    engine.asked = deque(maxlen=1)  # or it would keep all requests
    started = time.perf_counter()
    making.make_dataset(DatasetRequest(folder, recipe), engine.run, note)
    seconds = time.perf_counter() - started
    first, last = grown[pairs // 5], grown[max(grown)]
    return {
        "drawn pairs": max(grown),
        "drawn pairs per second, checked and written": round(max(grown) / seconds, 1),
        "memory after a fifth, MB": round(first, 1),
        "memory after all, MB": round(last, 1),
        "growth, %": round(100 * (last / first - 1), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=24)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--drawn", type=int, default=2000)
    options = parser.parse_args()
    figures = {"machine": f"{platform.machine()}, {os.cpu_count()} cores"}
    figures |= costs(options.pairs, options.steps)
    figures |= memory(options.drawn)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
