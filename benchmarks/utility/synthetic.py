"""Synthetic pairs: layouts of the labelled tiles, styles of the target tissue.

No label of the target is used. Invented cells use outlines of the labelled tiles. The bundled
outlines come from the test images of the second task.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from napari_pixcell.cells import StampLibrary, invent, measure, vary
from napari_pixcell.datasets.recipe.making import make_dataset
from napari_pixcell.datasets.recipe.recipe import DatasetRecipe
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.datasets.store.dataset import Dataset
from napari_pixcell.engine.engine import Engine
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.evaluation.tiles import LabelledTile
from utility.data import Labels, Tiles

PAIRS, PRESET = 32, "balanced"
# Pairs with these flags are excluded. Nearly all pairs of the demo family have some other flag: its
# images are soft, and styles of empty tissue do not match layouts full of cells.
USELESS = {"mask", "failed"}
MPP = 0.5


def layouts(tiles: Tiles, count: int, seed: int) -> Iterator[Labels]:
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
    few: Tiles, target: Tiles, seed: int, folder: Path, more: dict[str, Any]
) -> list[dict[str, Any]]:
    """Generate the dataset of one seed with the demo family, or its missing pairs.

    Parameters
    ----------
    few : tuple of LabelledTile
        Their labels become layouts.
    target : tuple of LabelledTile
        Their images become styles.
    seed : int
    folder : Path
        Folder of the dataset. Images of the target are written next to it.
    more : dict
        Further values of the recipe, such as the preset.

    Returns
    -------
    list of dict
        Rows of its pairs, see :meth:`napari_pixcell.datasets.store.dataset.Dataset.rows`.
    """
    return combine(target, list(layouts(few, PAIRS, seed)), PAIRS, 1000 * seed, folder, more)


def combine(
    styles: Tiles,
    drawn: list[Labels],
    count: int,
    first_seed: int,
    folder: Path,
    more: dict[str, Any],
) -> list[dict[str, Any]]:
    """Generate pairs of random styles and layouts, and return their rows."""
    tissue = folder.with_suffix(".tissue")
    tissue.mkdir(parents=True, exist_ok=True)
    for tile in styles:
        Image.fromarray(tile.image).save(tissue / f"{tile.name}.png")
    recipe = {
        "napari-pixcell dataset recipe": 1,
        "name": folder.name,
        "styles": [{"from": "folder", "path": str(tissue), "mpp": MPP}],
        "layouts": [
            {"from": "labels", "labels": PackedArray.pack(labels.astype(np.uint16)).to_dict()}
            for labels in drawn
        ],
        "pairing": "random",
        "first_seed": first_seed,
        "pairs": count,
        "preset": PRESET,
        "colour_match": "full",
    }
    request = DatasetRequest(str(folder), DatasetRecipe.from_dict(recipe | more))
    make_dataset(request, Engine().run, lambda event: None)
    return list(Dataset(folder).rows())


def read_pairs(folder: Path) -> Tiles:
    """Read the pairs that follow their masks."""
    dataset = Dataset(folder)
    return tuple(
        LabelledTile(
            str(row["index"]), "", dataset.image(row), np.asarray(dataset.mask(row), np.int32)
        )
        for row in dataset.rows()
        if not USELESS & set(row["flags"])
    )
