"""Large datasets: time and memory of every step that goes through all pairs.

    python benchmarks/many_pairs.py [--pairs 1000000] [--files 100000] [--workers 1] [--twin]

Rows are drawn as the parts of shards that ended in any order, without images. For checks and
conversions, --files pairs with small images are drawn: a hundred of them, and links to their files.
So their seeds do not agree, but each file is read, decoded and compared. Each step runs in a
process of its own. It prints its seconds, those of all cores, and the memory of its largest process
at its peak.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_pixcell.datasets.formats.converting import convert
from napari_pixcell.datasets.formats.selection import Selection
from napari_pixcell.datasets.parallel.chunks import chunk_size, missing_chunks
from napari_pixcell.datasets.parallel.joining import join_dataset
from napari_pixcell.datasets.parallel.shard_making import complete_pairs
from napari_pixcell.datasets.processes import Processes
from napari_pixcell.datasets.report.writing import write_report
from napari_pixcell.datasets.splits import Split
from napari_pixcell.datasets.store.checks import SCORES
from napari_pixcell.datasets.store.completeness import check_dataset
from napari_pixcell.datasets.store.dataset import (
    LAYOUTS,
    MANIFEST,
    PER_FOLDER,
    STYLES,
    Dataset,
    DatasetLayout,
    DatasetStyle,
    Description,
    PairSettings,
)
from napari_pixcell.datasets.store.embeddings import KeptEmbeddings
from napari_pixcell.datasets.store.pair_files import PairFiles
from napari_pixcell.datasets.store.parts import PARTS, part_path
from napari_pixcell.datasets.store.plan import Plan
from napari_pixcell.datasets.store.rows import as_line
from napari_pixcell.datasets.store.table import PairTable
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.record import Record, pixels_sha256
from napari_pixcell.engine.request_values import GenerateRequest, Source

WORKERS = 1
SIDE = 48  # px
DRAWN = 100
EMBEDDING = base64.b64encode(bytes(256)).decode()  # 128 numbers of 16 bits


def drawn(folder: Path, pairs: int, twin: bool) -> Dataset:
    """Draw the parts of a dataset, of which every second half is joined later.

    A twin has a style and a layout for each pair, others a hundred.
    """
    about = Description("Many", "demo", 0.5, (256, 256), PairSettings(20, 1.5), block=4)
    dataset = Dataset.create(folder, about)
    plan = Plan(100, 100, seeds=-(-pairs // 10_000))
    if twin:
        plan = Plan(pairs, pairs, "matched", matches=tuple(range(pairs)))
    with (folder / STYLES).open("wb") as styles, (folder / LAYOUTS).open("wb") as layouts:
        for number in range(plan.styles):
            named = {"number": number, "name": f"Slide 1, tile {number}", "group": f"{number % 50}"}
            look = dict.fromkeys(("lightness", "a", "b", "contrast", "sharpness"), 0.5)
            source = {"region": [512 * number, 0, 512, 512], "mpp": 0.25}
            style = {"file": f"styles/{number:06}.npy", "look": look, "source": source}
            styles.write(as_line(named | style))
            layout = {"file": f"layouts/{number:06}.tif", "cells": 70, "style": number}
            layouts.write(as_line(named | layout | {"made": {"method": "builtin"}}))
    dataset.describe(plan=plan.to_dict(), pairs_per_folder=PER_FOLDER)
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


def with_files(folder: Path, pairs: int) -> Dataset:
    """Draw a dataset whose pairs have files: those of the first hundred, or links to them."""
    about = Description("Files", "demo", 0.5, (SIDE, SIDE), PairSettings(20, 1.5), block=4)
    dataset = Dataset.create(folder, about)
    rng = np.random.default_rng(0)
    layouts = [rng.integers(0, 2, (6, 6)).cumsum().reshape(6, 6).repeat(8, 0).repeat(8, 1)] * 10
    for number in range(10):
        embedding = rng.normal(size=(1, 1, 128)).astype(np.float32)
        dataset.add_style(DatasetStyle(number, f"{number}", f"slide-{number % 5}", embedding))
        dataset.add_layout(DatasetLayout(number, f"{number}", f"l-{number}", layouts[number]))
    styles = [dataset.style(row).embedding for row in dataset.style_rows()]
    plan = Plan(10, 10, seeds=pairs // DRAWN)
    dataset.describe(plan=plan.to_dict(), pairs_per_folder=PER_FOLDER)
    files = PairFiles(dataset)
    for index in range(DRAWN):
        pair, image = plan[index], rng.integers(0, 255, (SIDE, SIDE, 3)).astype(np.uint8)
        labels = layouts[pair.layout or 0]
        arrays = PackedArray.pack(styles[pair.style][0]), PackedArray.pack(labels)
        request = GenerateRequest(
            "demo", *arrays, labels.shape, pair.seed, 1, source=Source("drawn")
        )
        record = replace(Record(request, licence="CC0"), sha256=pixels_sha256(image))
        files.write(pair, image, labels, record, {}, ())
    first = list(dataset.rows())
    with (folder / MANIFEST).open("ab") as manifest:
        for index in range(DRAWN, pairs):
            row, (image, mask) = first[index % DRAWN], dataset.pair_names(index, False)
            for old, new in zip((row["image"], row["mask"]), (image, mask), strict=True):
                (folder / new).parent.mkdir(parents=True, exist_ok=True)
                os.link(folder / old, folder / new)
            hashes = dict(zip((image, mask), row["files"].values(), strict=True))
            own = {"index": index, "image": image, "mask": mask, "seed": plan[index].seed}
            manifest.write(as_line(row | own | {"files": hashes, "synthetic": True}))
    return dataset


def opening(dataset: Dataset) -> None:
    assert PairFiles(dataset).count


def listing(dataset: Dataset) -> None:
    list(missing_chunks(dataset, complete_pairs(dataset)))


def joining(dataset: Dataset) -> None:
    join_dataset(dataset)


def table(dataset: Dataset) -> None:
    with Processes(WORKERS) as processes:
        assert np.isfinite(PairTable(dataset, processes).scores).all()


def embeddings(dataset: Dataset) -> None:
    assert not KeptEmbeddings(dataset.folder, len(dataset.plan)).damaged


def reporting(dataset: Dataset) -> None:
    with Processes(WORKERS) as processes:
        write_report(dataset, dataset.folder / "report.html", processes=processes)


def selecting(dataset: Dataset) -> None:
    """Choose the pairs to convert, and split them."""
    with Processes(WORKERS) as processes:
        for _ in Selection(dataset, Split(0.2), processes).tasks():
            pass


def checking(dataset: Dataset) -> None:
    assert check_dataset(dataset, workers=WORKERS).pairs == len(dataset.plan)


def webdataset(dataset: Dataset) -> None:
    convert(dataset, "webdataset", dataset.folder.parent / "tar", workers=WORKERS)


def coco(dataset: Dataset) -> None:
    convert(dataset, "coco", dataset.folder.parent / "coco", workers=WORKERS)


ROWS = (opening, table, embeddings, reporting, selecting)
FILES = (opening, checking, webdataset, coco)
ALL = (listing, joining, *ROWS, *FILES)
STEPS = {step.__name__: step for step in ALL}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--twin", action="store_true", help="a style and a layout for each pair")
    parser.add_argument("--step", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        name, folder = options.step
        global WORKERS
        WORKERS = options.workers
        dataset, began = Dataset(folder), time.perf_counter()
        STEPS[name](dataset)
        seconds = time.perf_counter() - began
        used = [resource.getrusage(of) for of in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        cpu = sum(one.ru_utime + one.ru_stime for one in used)
        peak = max(one.ru_maxrss for one in used) / 1024
        figures = {"s": round(seconds, 1), "CPU s": round(cpu, 1), "peak MB": round(peak)}
        print(json.dumps({"step": name} | figures), flush=True)
        return

    def run(name: str, dataset: Dataset) -> None:
        command = [sys.executable, __file__, "--step", name, str(dataset.folder)]
        subprocess.run([*command, "--workers", str(options.workers)], check=True)

    with tempfile.TemporaryDirectory(prefix="many-pairs-") as parent:
        if options.pairs:
            dataset = drawn(Path(parent) / "data", options.pairs, options.twin)
            print(f"{len(dataset.plan):,} rows in chunks of {chunk_size(dataset)}", flush=True)
            run("listing", dataset)
            run("joining", dataset)  # the odd half, which leaves the manifest in order
            draw_parts(dataset, odd=False)
            run("joining", dataset)  # the other half, which makes it sort all rows
            for step in ROWS:
                run(step.__name__, dataset)
        if options.files:
            dataset = with_files(Path(parent) / "files", options.files)
            print(f"{len(dataset.plan):,} pairs with files", flush=True)
            for step in FILES:
                run(step.__name__, dataset)


if __name__ == "__main__":
    main()
