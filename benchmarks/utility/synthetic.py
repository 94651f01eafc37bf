"""Synthetic pairs: layouts of the labelled tiles, styles of the target tissue.

No label of the target is used. Invented cells use outlines of the labelled tiles. The bundled
outlines come from the test images of the second task.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_pixcell.cells import StampLibrary, invent, measure, vary
from napari_pixcell.datasets.recipe.making import make_dataset
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.packed import PackedArray
from utility.data import Labels, Tile

PAIRS, PRESET = 32, "balanced"
# Pairs with these flags are excluded. Nearly all pairs of the demo family have some other flag: its
# images are soft, and styles of empty tissue do not match layouts full of cells.
USELESS = {"mask", "failed"}
MPP = 0.5


def layouts(tiles: tuple[Tile, ...], count: int, seed: int) -> Iterator[Labels]:
    """Return layouts of the labelled tiles: rotated, varied and invented, a third each."""
    rng = np.random.default_rng(seed)
    for index in range(count):
        labels = tiles[index % len(tiles)].labels
        way = index // len(tiles) % 3
        if way == 1:
            some = int(rng.integers(2**31))
            labels = vary(labels, MPP, some, jitter_um=1.5, drop=0.15, add=0.15).labels
        elif way == 2:
            recipe = measure(labels, MPP, seed=int(rng.integers(2**31)))
            outlines = StampLibrary.from_layout(labels, MPP)
            labels = invent(recipe, labels.shape, MPP, outlines).labels
        labels = np.rot90(labels, int(rng.integers(4)))
        yield np.ascontiguousarray(labels if rng.random() < 0.5 else labels[:, ::-1])


def make_pairs(
    few: tuple[Tile, ...], target: tuple[Tile, ...], seed: int, folder: Path
) -> list[dict[str, Any]]:
    """Generate the dataset of one seed with the demo family, or its missing pairs.

    Parameters
    ----------
    few : tuple of Tile
        Their labels become layouts.
    target : tuple of Tile
        Their images become styles.
    seed : int
    folder : Path
        Folder of the dataset. Images of the target are written next to it.

    Returns
    -------
    list of dict
        Rows of its pairs, see :meth:`napari_pixcell.datasets.store.dataset.Dataset.rows`.
    """
    tissue = folder.with_suffix(".tissue")
    tissue.mkdir(exist_ok=True)
    for tile in target:
        Image.fromarray(tile.image).save(tissue / f"{tile.name}.png")
    recipe = DatasetRecipe(
        folder.name,
        styles=({"from": "folder", "path": str(tissue), "mpp": MPP},),
        layouts=tuple(
            {"from": "labels", "labels": PackedArray.pack(labels.astype(np.uint16)).to_dict()}
            for labels in layouts(few, PAIRS, seed)
        ),
        pairing="random",
        first_seed=1000 * seed,
        pairs=PAIRS,
        preset=PRESET,
    )
    make_dataset(DatasetRequest(str(folder), recipe), Engine().run, lambda event: None)
    return list(Dataset(folder).rows())


def read_pairs(folder: Path) -> tuple[NDArray[np.uint8], Labels]:
    """Read the pairs that follow their masks: uint8 (N, 256, 256, 3), and int32 (N, 256, 256)."""
    dataset = Dataset(folder)
    rows = [row for row in dataset.rows() if not USELESS & set(row["flags"])]
    masks = [np.asarray(dataset.mask(row), np.int32) for row in rows]
    return np.stack([dataset.image(row) for row in rows]), np.stack(masks)
