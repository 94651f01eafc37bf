"""Datasets of drawn cells, written by the product itself without any model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.store.checks import Checks
from napari_pixcell.datasets.store.dataset import (
    Dataset,
    DatasetLayout,
    DatasetStyle,
    Description,
    PairSettings,
)
from napari_pixcell.datasets.store.lock import locked
from napari_pixcell.datasets.store.nuclei import DifferingNuclei
from napari_pixcell.datasets.store.pair_files import PairFiles
from napari_pixcell.datasets.store.plan import Plan
from napari_pixcell.datasets.store.rows import as_line
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.record import Record, pixels_sha256
from napari_pixcell.engine.request_values import GenerateRequest, Source

SIDE = 48
DRAWN_CHECKS = Checks(least_dice=0.5, least_style=0.5)


def labels_of(number: int, side: int = SIDE) -> NDArray[np.int32]:
    """Draw a layout of a few separate discs."""
    rng = np.random.default_rng(number)
    rows, columns = np.mgrid[:side, :side]
    labels = np.zeros((side, side), np.int32)
    for cell in range(1, 5):
        y, x = rng.integers(6, side - 6, 2)
        disc = (rows - y) ** 2 + (columns - x) ** 2 <= 16
        near = (rows - y) ** 2 + (columns - x) ** 2 <= 36
        if not labels[near].any():
            labels[disc] = cell
    return labels


def picture_of(labels: NDArray[np.int32], seed: int) -> NDArray[np.uint8]:
    """Draw purple cells on pink, with noise from the seed."""
    rng = np.random.default_rng(seed)
    image = np.where(labels[..., None] > 0, (90, 60, 140), (235, 190, 215))
    return np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8)


def make_dataset(
    folder: Path,
    styles: int = 2,
    layouts: int = 3,
    groups: int = 2,
    pairs: int | None = None,
    picture: str = "png",
    side: int = SIDE,
) -> Dataset:
    """Write a dataset of each style with each layout, or of its first ``pairs``.

    Every fifth pair is flagged. Styles come from ``groups`` slides, and two layouts share a group.
    """
    dataset = Dataset.create(
        folder,
        Description(
            "Drawn",
            "demo",
            0.5,
            (side, side),
            PairSettings(20, 1.5),
            DRAWN_CHECKS,
            picture=picture,
            licence="CC0",
        ),
    )
    rng = np.random.default_rng(0)
    for number in range(styles):
        embedding = rng.normal(size=(1, 1, 8)).astype(np.float32)
        dataset.add_style(
            DatasetStyle(number, f"Style {number}", f"slide-{number % groups}", embedding)
        )
    for number in range(layouts):
        dataset.add_layout(
            DatasetLayout(
                number, f"Layout {number}", f"layout-{number // 2}", labels_of(number, side)
            )
        )
    dataset.describe(plan=Plan(styles, layouts).to_dict())
    with locked(folder):
        write_pairs(dataset, pairs)
    return dataset


def write_pairs(dataset: Dataset, pairs: int | None = None) -> None:
    """Write the missing pairs."""
    files, layouts = PairFiles(dataset), list(dataset.layout_rows())
    styles = [dataset.style(row) for row in dataset.style_rows()]
    for index in range(pairs if pairs is not None else len(dataset.plan)):
        if files.done[index]:
            continue
        pair = dataset.plan[index]
        labels = dataset.layout(layouts[pair.layout or 0]).labels
        image = picture_of(labels.astype(np.int32), pair.seed)
        request = GenerateRequest(
            "demo",
            PackedArray.pack(styles[pair.style].embedding[0]),
            PackedArray.pack(labels),
            labels.shape,
            pair.seed,
            1,
            source=Source("drawn"),
        )
        record = replace(Record(request, licence="CC0"), sha256=pixels_sha256(image))
        flags = ("mask",) if index % 5 == 4 else ()
        scores = {"dice": 0.3 if flags else 0.6 + 0.001 * index, "style": 0.8}
        files.write(pair, image, labels, record, scores, flags)


def judge(folder: Path, index: int, partial: int, missing: int, extra: NDArray[np.uint8]) -> None:
    """Store that two nuclei of a pair are not placed, and that its image has extra ones."""
    path = folder / "manifest.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    (row,) = (row for row in rows if row["index"] == index)
    found = DifferingNuclei(np.array([partial]), np.array([missing]), extra)
    cells = row["cells"]
    shares = {"placed": cells - 2, "partial": 1, "missing": 1, "extra": int(extra.max())}
    row["nuclei"] = found.to_row()
    row["scores"] |= {name: count / cells for name, count in shares.items()}
    path.write_bytes(b"".join(map(as_line, rows)))
