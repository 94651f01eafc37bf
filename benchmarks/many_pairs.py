"""A large dataset without its images: time and memory of joining, opening and listing its rows.

    python benchmarks/many_pairs.py [--pairs 1000000]

Rows are drawn as the parts of shards that ended in any order. Each step runs in a process of its
own, which prints its seconds and the peak of its memory. Images are not drawn: reading them takes
as long for each pair of a small dataset.
"""

from __future__ import annotations

import argparse
import base64
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from napari_pixcell.datasets.parallel.chunks import chunk_size, missing_chunks
from napari_pixcell.datasets.parallel.joining import join_dataset
from napari_pixcell.datasets.parallel.shard_making import complete_pairs
from napari_pixcell.datasets.store.checks import SCORES
from napari_pixcell.datasets.store.dataset import PER_FOLDER, Dataset, Description, PairSettings
from napari_pixcell.datasets.store.embeddings import KeptEmbeddings
from napari_pixcell.datasets.store.pair_files import PairFiles
from napari_pixcell.datasets.store.parts import PARTS, part_path
from napari_pixcell.datasets.store.plan import Plan
from napari_pixcell.datasets.store.rows import as_line
from napari_pixcell.datasets.store.table import PairTable

EMBEDDING = base64.b64encode(bytes(256)).decode()  # 128 numbers of 16 bits


def drawn(folder: Path, pairs: int) -> Dataset:
    """Draw the parts of a dataset, of which every second half is joined later."""
    about = Description("Many", "demo", 0.5, (256, 256), PairSettings(20, 1.5), block=4)
    dataset = Dataset.create(folder, about)
    seeds = -(-pairs // 10_000)
    dataset.describe(plan=Plan(100, 100, seeds=seeds).to_dict(), pairs_per_folder=PER_FOLDER)
    draw_parts(dataset, odd=True)
    return dataset


def draw_parts(dataset: Dataset, odd: bool) -> None:
    (dataset.folder / PARTS).mkdir(exist_ok=True)
    size, plan = chunk_size(dataset), dataset.plan
    facts = {"weights": {"transformer": "0" * 64}, "device": "drawn"}
    for first in range(size * odd, len(plan), 2 * size):
        stop = min(first + size, len(plan))
        lines = [{"part": first, "stop": stop, "synthetic": True, "facts": facts}]
        for index in range(first, stop):
            pair, (image, mask) = plan[index], dataset.pair_names(index, False)
            row = {"index": index, "image": image, "mask": mask, "synthetic": True}
            row |= {"style": pair.style, "layout": pair.layout, "seed": pair.seed, "cells": 70}
            row |= {"scores": dict.fromkeys(SCORES, 0.5), "flags": [], "pixels": "0" * 64}
            row |= {"files": {image: "0" * 64, mask: "0" * 64}, "nuclei": None}
            lines += [{"row": row}]
            lines += [{"embedding": {"index": index, "synthetic": True, "embedding": EMBEDDING}}]
        part_path(dataset.folder, first).write_bytes(b"".join(map(as_line, lines)))


def opening(dataset: Dataset) -> None:
    assert PairFiles(dataset).count


def listing(dataset: Dataset) -> None:
    list(missing_chunks(dataset, complete_pairs(dataset)))


def joining(dataset: Dataset) -> None:
    join_dataset(dataset)


def table(dataset: Dataset) -> None:
    assert np.isfinite(PairTable(dataset).scores).all()


def embeddings(dataset: Dataset) -> None:
    assert not KeptEmbeddings(dataset.folder, len(dataset.plan)).damaged


STEPS = {step.__name__: step for step in (listing, joining, opening, table, embeddings)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--step", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        name, folder = options.step
        dataset, began = Dataset(folder), time.perf_counter()
        STEPS[name](dataset)
        seconds = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        cpu = resource.getrusage(resource.RUSAGE_SELF)
        figures = {"s": round(seconds, 1), "CPU s": round(cpu.ru_utime + cpu.ru_stime, 1)}
        print(json.dumps({"step": name} | figures | {"peak MB": round(peak)}), flush=True)
        return
    with tempfile.TemporaryDirectory(prefix="many-pairs-") as parent:
        dataset = drawn(Path(parent) / "data", options.pairs)
        print(f"{len(dataset.plan):,} pairs in chunks of {chunk_size(dataset)}", flush=True)

        def run(name: str) -> None:
            command = [sys.executable, __file__, "--step", name, str(dataset.folder)]
            subprocess.run(command, check=True)

        run("listing")
        run("joining")  # the odd half, which leaves the manifest in order
        draw_parts(dataset, odd=False)
        run("joining")  # the other half, which makes it sort all rows
        for name in ("opening", "table", "embeddings"):
            run(name)


if __name__ == "__main__":
    main()
