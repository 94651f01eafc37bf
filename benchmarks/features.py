"""Opening and searching a large file of features, as ratios to reading it whole; prints JSON.

    python benchmarks/features.py [--rows 200000] [--folder FOLDER]

The file is written once as TRIDENT writes one: UNI2-h features in float16, a chunk for each row.
At 200,000 rows it takes 0.6 GB, and some minutes to write. ``whole`` are the seconds that h5py
takes to read all features; every other figure is a part of that. Each is the median of five, with
the file in the operating system's cache.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from napari_pixcell.engine.styles.features.file import FeatureFile, open_features
from napari_pixcell.engine.styles.features.neighbours import PatchNeighbours
from napari_pixcell.engine.styles.features.search import FeatureSearch
from napari_pixcell.models.catalogue import PIXCELL_256, PIXCELL_1024

SIZE, SIDE, ROUNDS, BLOCK = 1536, 512, 5, 4096


def write(path: Path, rows: int) -> None:
    if path.exists():
        return
    columns, generator = 500, np.random.default_rng(0)
    numbers = np.arange(rows)
    coords = np.stack([numbers % columns, numbers // columns], -1) * SIDE
    with h5py.File(path, "w") as file:
        for name, shape, kind in (("features", (rows, SIZE), "f2"), ("coords", (rows, 2), "i8")):
            file.create_dataset(name, shape, kind, chunks=(1, shape[1]), maxshape=(None, shape[1]))
        for first in range(0, rows, BLOCK):
            count = min(BLOCK, rows - first)
            file["features"][first : first + count] = generator.normal(size=(count, SIZE))
        file["coords"][:] = coords
        file["coords"].attrs["patch_size_level0"] = SIDE


def seconds(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def read_whole(path: Path) -> None:
    with h5py.File(path) as file:
        file["features"][()]


def opened(path: Path, then: Callable[[FeatureFile], object] = len) -> None:
    with open_features(path, PIXCELL_256) as features:
        then(features)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    path = options.folder / f"features-{options.rows}.h5"
    write(path, options.rows)
    middle = options.rows // 2
    whole = seconds(lambda: read_whole(path))
    parts = {
        "open": lambda: opened(path),
        "open, one row": lambda: opened(path, lambda one: one.rows([middle])),
        "open, all positions": lambda: opened(path, lambda one: one.coords),
        "open, a style of 4 × 4": lambda: opened(
            path, lambda one: PatchNeighbours(one).style(middle, PIXCELL_1024)
        ),
        "open, search": lambda: opened(
            path, lambda one: FeatureSearch(one).heat(one.rows([middle])).map()
        ),
    }
    ratios = {name: round(seconds(work) / whole, 5) for name, work in parts.items()}
    print(json.dumps({"rows": options.rows, "whole": round(whole, 3), "parts": ratios}, indent=1))


if __name__ == "__main__":
    main()
