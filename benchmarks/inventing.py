"""Time of stamps and invented layouts, compared with a rejection loop; prints one JSON object.

    python benchmarks/inventing.py [--rounds 3] [--cells 1000 10000 50000]

Stamping: each of 200 outlines is drawn once at a random position of a 1024 × 1024 layout with 2,000
nuclei. Its label is given (as by a brush) or determined (one more than the largest).

Inventing: one recipe (4,000 cells per mm² of 36 µm², clustering 0.4) on images of growing size,
with `invent` and with a loop. The loop draws an outline of the same sizes, angles and elongations,
tries random positions, and uses the first that fits. Like `invent`, it checks only the outline's
box. It makes no clusters. "crowded" has 9,000 cells per mm² of 45 µm², where the loop gives up
after 200 positions per cell. The two alternate; prints medians.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from napari_pixcell.cells import Recipe, default_library, invent
from napari_pixcell.cells.editing import place
from napari_pixcell.cells.inventing.invent import _sizes
from napari_pixcell.cells.inventing.measuring import measure

MPP, PLACES = 0.5, 200
USUAL = Recipe(density=4000, clustering=0.4)
CROWDED = Recipe(density=9000, area_um2=45, clustering=0.2)


def stamp_ms(given: bool) -> list[float]:
    """Return the milliseconds per stamp on a full layout, drawing included."""
    labels = invent(Recipe(density=7640, area_um2=30, clustering=0.2), (1024, 1024), MPP).labels
    library, rng, took = default_library(), np.random.default_rng(0), []
    for label in range(5000, 5000 + PLACES):
        y, x = rng.uniform(0, 1024, 2)
        start = time.perf_counter()
        outline = library.draw(int(rng.integers(len(library))), MPP, area_um2=36, angle=1.0)
        place(labels, outline, (y, x), label=label if given else None)
        took.append((time.perf_counter() - start) * 1000)
    return took


def plain_loop(recipe: Recipe, side: int) -> tuple[np.ndarray, int]:
    """Place cells at random positions. Return the labels and the number of requested cells."""
    rng, library = np.random.default_rng(recipe.seed), default_library()
    wanted = round(recipe.density * (side * MPP) ** 2 / 1e6)
    labels, placed = np.zeros((side, side), np.int32), 0
    for area, elongation, angle in zip(*_sizes(recipe, wanted, MPP, rng), strict=True):
        for _ in range(PLACES):
            index = int(rng.choice(library.alike(elongation)))
            outline = library.draw(index, MPP, area_um2=area, angle=angle, elongation=elongation)
            if place(labels, outline, tuple(rng.uniform(0, side, 2)), label=placed + 1):
                placed += 1
                break
    return labels, wanted


def ours(recipe: Recipe, side: int) -> tuple[np.ndarray, int]:
    """Invent with the product's function."""
    invented = invent(recipe, (side, side), MPP)
    return invented.labels, invented.wanted


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cells", type=int, nargs="+", default=[1000, 10_000, 50_000])
    options = parser.parse_args()
    load = os.getloadavg()
    ours(USUAL, 64)  # warm up: imports and the library of stamps
    report: dict[str, Any] = {}
    for given in (True, False):
        took = np.array([stamp_ms(given) for _ in range(options.rounds)])
        words = "label given" if given else "label determined"
        report[f"a stamp, ms, {words}"] = {
            "median": round(float(np.median(took)), 3),
            "95 %": round(float(np.percentile(took, 95)), 3),
        }
    jobs = [(f"{cells:,} cells", USUAL, cells) for cells in options.cells]
    jobs.append(("2,000 cells, crowded", CROWDED, 2000))
    makers: dict[str, Callable[[Recipe, int], tuple[np.ndarray, int]]] = {
        "invent": ours,
        "plain loop": plain_loop,
    }
    for name, recipe, cells in jobs:
        side = round((cells / recipe.density) ** 0.5 * 1000 / MPP)
        times: dict[str, list[float]] = {maker: [] for maker in makers}
        for _ in range(options.rounds if cells <= 10_000 else 1):
            for maker, make in makers.items():
                start = time.perf_counter()
                labels, wanted = make(recipe, side)
                times[maker].append(time.perf_counter() - start)
                place_in = report.setdefault(f"{name}, {side} px", {})
                place_in[maker] = {
                    "seconds": round(statistics.median(times[maker]), 2),
                    "placed of requested": f"{labels.max()}/{wanted}",
                    "clustering reached": round(measure(labels, MPP).clustering, 2),
                }
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    about = {"machine": machine, "load before": load, "load after": os.getloadavg()}
    print(json.dumps(about | {"rounds": options.rounds} | report, indent=1))


if __name__ == "__main__":
    main()
