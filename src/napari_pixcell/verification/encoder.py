"""Checks of the tile encoder: embeddings as stored, their order, and how tiles are resized."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.optimize import linear_sum_assignment

from napari_pixcell.datasets.quality.looks import unit
from napari_pixcell.engine.tile_embedding import cut_tiles
from napari_pixcell.verification.bench import TILE, Bench
from napari_pixcell.verification.report import CheckRow, not_applicable
from napari_pixcell.verification.samples import GRID

EMBEDDINGS, ORDER, RESIZING = "Embeddings", "Order in the 4 × 4 grid", "Resizing of tiles"
RESIZED_PATCHES = 2  # patches whose tiles are also embedded resized in two ways
UNI_SIDE = 224  # px of UNI2-h's input
DIFFER = "The embeddings differ too much to be compared further."
AS_PUBLISHED = "row by row"
Grid = NDArray[np.int64]
# Arrangements that a grid can be mistaken for: (4, 4) numbers of tiles to the same, moved.
ARRANGEMENTS: dict[str, Callable[[Grid], Grid]] = {
    AS_PUBLISHED: lambda grid: grid,
    "column by column": lambda grid: grid.T,
    "from the right": lambda grid: grid[:, ::-1],
    "from the bottom": lambda grid: grid[::-1],
    "from the bottom right": lambda grid: grid[::-1, ::-1],
    "turned left": np.rot90,
    "turned right": lambda grid: np.rot90(grid, -1),
    "mirrored and turned": lambda grid: np.rot90(grid, 2).T,
}


def encoder_rows(bench: Bench) -> list[CheckRow]:
    """Embed the tiles of the patches, and compare them with what their authors stored."""
    ours = bench.embeddings
    dimension = ours.shape[-1]
    stored = np.stack([patch.read_embeddings(dimension) for patch in bench.patches])
    centre = stored.reshape(-1, dimension).mean(axis=0)
    # Whichever order they have, so that a wrong order does not look like another encoder.
    orders = [_matched(a - centre, b - centre) for a, b in zip(ours, stored, strict=True)]
    paired = np.stack([one[order] for one, order in zip(stored, orders, strict=True)])
    away = float(np.linalg.norm(ours - paired)) / max(float(np.linalg.norm(stored - centre)), 1e-9)
    agree = bench.row(
        "embeddings",
        EMBEDDINGS,
        away,
        f"{away:.1%} off",
        "The encoder does not make the embeddings that the generator was trained with: its "
        "weights, its precision or the colours of its input differ.",
        "Run “napari-pixcell models check”. If the files are whole, report this with the JSON.",
    )
    if agree.verdict == "FAIL":
        left = {"grid": ORDER, "resizing": RESIZING}
        return [agree, *(not_applicable(key, title, DIFFER) for key, title in left.items())]
    return [agree, _order(bench, ours - centre, stored - centre), _resizing(bench, ours, paired)]


def _matched(ours: NDArray[np.float32], stored: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return, for each of our embeddings, the index of the stored one that fits best."""
    return np.asarray(linear_sum_assignment(-(unit(ours) @ unit(stored).T))[1])


def _order(bench: Bench, ours: NDArray[np.float32], stored: NDArray[np.float32]) -> CheckRow:
    """Compare the stored embeddings with ours in every arrangement of the grid."""
    cosines = unit(ours) @ unit(stored).swapaxes(1, 2)  # (patches, ours, stored)
    places = np.arange(GRID**2).reshape(GRID, GRID)
    fits = {
        name: float(cosines[:, np.arange(GRID**2), arranged(places).ravel()].mean())
        for name, arranged in ARRANGEMENTS.items()
    }
    best = max(fits, key=lambda name: fits[name])
    share = fits[AS_PUBLISHED] / max(fits[best], 1e-9)
    return bench.row(
        "grid",
        ORDER,
        share,
        AS_PUBLISHED if share >= bench.figures.bounds("grid").good[0] else best,
        "The sixteen embeddings of a patch belong to other places than those they are used at, so "
        "large pictures are scrambled.",
        "Report this with the JSON: the order is not a setting.",
        fit=fits[AS_PUBLISHED],
    )


def _resizing(bench: Bench, ours: NDArray[np.float32], stored: NDArray[np.float32]) -> CheckRow:
    """Place our resizing and the authors' between bilinear (0) and bicubic (1).

    The difference of the embeddings of tiles that were resized in both ways is a direction. What
    else differs hardly lies along it.
    """
    encoder = bench.family.part("encoder")
    if encoder is None or encoder.network != "uni2-h":
        return not_applicable(
            "resizing", RESIZING, "The encoder takes tiles of 256 px as they are."
        )
    some = bench.patches[:RESIZED_PATCHES]
    tiles = np.concatenate([cut_tiles(patch.read_pixels(), TILE) for patch in some])
    plain, cubic = (
        bench.embed(np.stack([_resized(tile, how) for tile in tiles]))
        for how in (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)
    )
    away = (cubic - plain).ravel()
    size = max(float(away @ away), 1e-12)
    own, theirs = (
        float((values[: len(some)].reshape(plain.shape) - plain).ravel() @ away) / size
        for values in (ours, stored)
    )
    wrong = abs(own - theirs)
    return bench.row(
        "resizing",
        RESIZING,
        wrong,
        "bilinear" if own < 0.5 else "bicubic",
        "Tiles are resized in another way than for the stored embeddings, so all styles are "
        "slightly sharper or softer than those of the training.",
        "Report this with the JSON: the resizing is not a setting.",
        own=own,
        stored=theirs,
    )


def _resized(tile: NDArray[np.uint8], how: Image.Resampling) -> NDArray[np.float32]:
    """Resize a tile without rounding, which would have its own effect on the embedding."""
    channels = (Image.fromarray(tile[..., index].astype(np.float32)) for index in range(3))
    small = [np.asarray(one.resize((UNI_SIDE, UNI_SIDE), how)) for one in channels]
    return np.stack(small, axis=-1)
