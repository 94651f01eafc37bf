"""The tissue of the two tasks: labelled tiles for training, and tiles for the test."""

from __future__ import annotations

import csv
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_pixcell.evaluation.tiles import LabelledTile

TILE = 256
FEW = 4  # labelled tiles in “few”
FEWEST_NUCLEI = 20  # a tile with fewer is unlikely to be labelled
# First running number of each of the 11 patients of TNBC v1.1, who have 7, 3, 5, 8, 4, 3, 3, 4, 6,
# 4 and 3 fields. The repackaged numbers are assumed to follow that order, as the images suggest.
FIRST_OF_PATIENT = (1001, 1008, 1011, 1016, 1024, 1028, 1031, 1034, 1038, 1044, 1048)
UNSEEN_BY_DEMO = ("1009", "1022", "1034", "1045")  # HELD_OUT in training/common.py
SOURCE_LOOK, TARGET_LOOK = "purple_on_white", "purple_on_purple_lowmag"

Labels = NDArray[np.int32]
Tiles = tuple[LabelledTile, ...]


@dataclass(frozen=True)
class Task:
    """A segmentation task: a pool of labelled tiles, and the target tissue."""

    name: str
    pool: Tiles
    test: Tiles

    def few(self, seed: int) -> Tiles:
        """Draw the few labelled tiles of one seed, from as many groups as possible."""
        order = np.random.default_rng(seed).permutation(len(self.pool))
        taken: dict[str, int] = {}
        ranked = []
        for index in order:
            group = self.pool[index].group
            ranked.append((taken.get(group, 0), len(ranked), index))
            taken[group] = taken.get(group, 0) + 1
        return tuple(self.pool[index] for _, _, index in sorted(ranked)[:FEW])

    def rest(self, seed: int) -> Tiles:
        """Return the other tiles of the pool, on which choices are made instead of on the test."""
        few = {tile.name for tile in self.few(seed)}
        return tuple(tile for tile in self.pool if tile.name not in few)


def tasks(data: Path) -> tuple[Task, Task]:
    """Read both tasks from the folder of openly licensed tissue.

    Raises
    ------
    SystemExit
        If the folder does not contain it.
    """
    return breast(data / "tnbc_naylor_subset"), unseen_stain(data / "dsb2018_stained")


def breast(folder: Path) -> Task:
    """Return the breast task at 0.5 µm/px: a few patients are labelled, others are the target.

    The target is the four fields held out from the training of the demo family. The pool contains
    no field of their patients.
    """
    tiles = []
    for row in _rows(folder):
        image, labels = _read(folder, row["file"])
        name = row["file"].removesuffix(".png")
        patient = f"patient {bisect_right(FIRST_OF_PATIENT, int(name))}"
        half = np.asarray(Image.fromarray(image).reduce(2))
        tiles.append(LabelledTile(name, patient, half, np.ascontiguousarray(labels[::2, ::2])))
    test = tuple(tile for tile in tiles if tile.name in UNSEEN_BY_DEMO)
    patients = {tile.group for tile in test}
    rest = [tile for tile in tiles if tile.group not in patients]
    return Task("breast", _worth_labelling(rest), test)


def unseen_stain(folder: Path) -> Task:
    """Return the task of unseen tissue: one look is labelled, another is the target.

    The demo family never saw it. Looks are the groups, because images of one look may come from one
    slide. Their pixel size is not published, so they are not resampled.
    """
    looks: dict[str, list[LabelledTile]] = {SOURCE_LOOK: [], TARGET_LOOK: []}
    for row in _rows(folder):
        if row["look"] in looks:
            image, labels = _read(folder, row["file"])
            left = (image.shape[1] - TILE) // 2
            part = np.s_[:TILE, left : left + TILE]
            tile = LabelledTile(row["file"][:8], row["look"], image[part], labels[part])
            looks[row["look"]].append(tile)
    pool, test = (_worth_labelling(looks[look]) for look in (SOURCE_LOOK, TARGET_LOOK))
    return Task("unseen", pool, test)


def _worth_labelling(tiles: list[LabelledTile]) -> Tiles:
    return tuple(tile for tile in tiles if nuclei_in(tile) >= FEWEST_NUCLEI)


def nuclei_in(tile: LabelledTile) -> int:
    """Return the number of labelled nuclei."""
    return len(np.unique(tile.labels)) - 1


def _rows(folder: Path) -> list[dict[str, str]]:
    if not (folder / "index.csv").exists():
        raise SystemExit(f"{folder.parent} has no {folder.name}. Pass the data folder.")
    with (folder / "index.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def _read(folder: Path, name: str) -> tuple[NDArray[np.uint8], Labels]:
    image = np.asarray(Image.open(folder / "images" / name).convert("RGB"))
    labels = np.asarray(Image.open(folder / "labels" / name)).astype(np.int32)
    return image, labels
