"""Pairs per second written to a dataset and to each format, and memory over 10,000 pairs.

    python benchmarks/writing.py [PAIRS]

Uses images of 256 × 256 px with noise, which compress worse than tissue. Machines are noisy:
compare rates within one run. Memory is that of the whole process, with images of 32 px.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

import psutil
from drawn_dataset import labels_of, picture_of

from napari_pixcell.datasets.formats import FORMATS
from napari_pixcell.datasets.formats.converting import convert
from napari_pixcell.datasets.splits import Split
from napari_pixcell.datasets.store.dataset import (
    Dataset,
    DatasetLayout,
    DatasetStyle,
    Description,
    PairSettings,
)
from napari_pixcell.datasets.store.pair_files import PairFiles
from napari_pixcell.datasets.store.plan import Plan
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.record import Record, pixels_sha256
from napari_pixcell.engine.request_values import GenerateRequest, Source

MANY = 10_000
LARGE, SMALL = 256, 32


def empty(folder: Path, side: int, pairs: int, picture: str) -> Dataset:
    """Create a dataset of 4 styles and 10 layouts."""
    about = Description("Bench", "demo", 0.5, (side, side), PairSettings(20, 1.5), picture=picture)
    dataset = Dataset.create(folder, about)
    for number in range(4):
        dataset.add_style(DatasetStyle(number, f"Style {number}", f"slide-{number}", None))
    for number in range(10):
        labels = labels_of(number, side)
        dataset.add_layout(DatasetLayout(number, f"Layout {number}", f"layout-{number}", labels))
    dataset.describe(plan=Plan(4, 10, "random", pairs=pairs).to_dict())
    return dataset


def write(dataset: Dataset) -> float:
    """Write its pairs, and return the seconds without drawing them."""
    files, rows, taken = PairFiles(dataset), list(dataset.layout_rows()), 0.0
    for index in range(len(dataset.plan)):
        pair = dataset.plan[index]
        labels = dataset.layout(rows[pair.layout or 0]).labels
        image = picture_of(labels.astype("int32"), pair.seed)
        packed = PackedArray.pack(labels)
        source = Source("drawn")
        request = GenerateRequest("demo", None, packed, labels.shape, pair.seed, 1, source=source)
        record = replace(Record(request, licence="CC0"), sha256=pixels_sha256(image))
        begin = time.perf_counter()
        files.write(pair, image, labels, record, {"dice": 0.8}, ())
        taken += time.perf_counter() - begin
    return taken


def rates(folder: Path, pairs: int) -> None:
    """Print pairs per second, and their ratio to the first."""
    print(f"{pairs} pairs of {LARGE} × {LARGE} px          pairs/s   of PNG")
    first = 0.0
    datasets = {}
    for picture in ("png", "tiff"):
        datasets[picture] = empty(folder / picture, LARGE, pairs, picture)
        rate = pairs / write(datasets[picture])
        first = first or rate
        print(f"dataset written as {picture:20} {rate:8.0f} {rate / first:8.2f}")
    for name in FORMATS:
        begin = time.perf_counter()
        convert(datasets["png"], name, folder / name)
        rate = pairs / (time.perf_counter() - begin)
        print(f"PNG dataset converted to {name:14} {rate:8.0f} {rate / first:8.2f}")


def memory(folder: Path) -> None:
    """Print the memory of the process while it converts many pairs."""
    dataset = empty(folder / "many", SMALL, MANY, "png")
    with patch.object(os, "fsync"):  # how the dataset was written does not matter here
        write(dataset)
    process = psutil.Process()
    for name in ("stardist", "coco", "webdataset"):
        seen: list[tuple[int, float]] = []

        def look(done: int, total: int, seen: list[tuple[int, float]] = seen) -> None:
            if done % (total // 5) == 0 or done == 100:
                gc.collect()
                seen.append((done, process.memory_info().rss / 1e6))

        begin = time.perf_counter()
        done = convert(dataset, name, folder / f"many-{name}", Split(0.2), look)
        taken = time.perf_counter() - begin
        held = ", ".join(f"{megabytes:.1f} MB at {at:,}" for at, megabytes in seen)
        print(f"{name}, split: {held}; {sum(done.counts.values()):,} of {MANY:,} in {taken:.0f} s")


def main() -> None:
    """Measure."""
    with tempfile.TemporaryDirectory() as place:
        rates(Path(place), int(sys.argv[1]) if len(sys.argv) > 1 else 200)
        memory(Path(place))


if __name__ == "__main__":
    main()
