"""Embeddings of tissue, by the encoder of a loaded family."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_pixcell.errors import PixCellError
from napari_pixcell.models.loading import LoadedFamily

EMBEDDED_AT_ONCE = 16  # tiles per pass of the encoder

OnTiles = Callable[[int, int], None]


def embed_tissue(
    encoder: Any,
    models: LoadedFamily,
    pixels: NDArray[np.uint8],
    on_tiles: OnTiles = lambda done, total: None,
) -> NDArray[Any]:
    """Embed a tile, in parts if the family uses a grid, or a larger region.

    Parameters
    ----------
    encoder : nn.Module
        On the family's device.
    pixels : array, uint8 (height, width, 3)
        Tissue at the family's pixel size: a tile, or whole grid cells of one embedding each.
    on_tiles : callable
        Receives (tiles done, total tiles) between two batches.

    Returns
    -------
    array, float32
        (grid², dimension) of a tile, row by row from the top left; (rows, columns, dimension) of
        anything larger.

    Raises
    ------
    PixCellError
        If the pixels do not have such a size.
    """
    tile, grid = models.family.tile, models.family.grid
    side = tile // grid
    height, width = pixels.shape[:2]
    if min(height, width) < tile or height % side or width % side:
        raise PixCellError(
            f"The region has the shape {pixels.shape}, but an embedding needs {tile} × {tile} px "
            f"or more, in steps of {side} px."
        )
    rows, columns = height // side, width // side
    values = embed_tiles(encoder, models.device, cut_tiles(pixels, side), on_tiles)
    return values if pixels.shape == (tile, tile, 3) else values.reshape(rows, columns, -1)


def cut_tiles(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Cut an image into tiles, row by row: uint8 (tiles, side, side, 3)."""
    rows, columns = pixels.shape[0] // side, pixels.shape[1] // side
    tiles = pixels.reshape(rows, side, columns, side, 3).swapaxes(1, 2)
    return tiles.reshape(-1, side, side, 3)


def embed_tiles(
    encoder: Any,
    device: torch.device,
    tiles: NDArray[Any],
    on_tiles: OnTiles = lambda done, total: None,
) -> NDArray[Any]:
    """Embed tiles, 0 to 255, (count, side, side, 3): float32, (count, dimension)."""
    values = []
    for first in range(0, len(tiles), EMBEDDED_AT_ONCE):
        if first:
            on_tiles(first, len(tiles))
        part = torch.from_numpy(np.ascontiguousarray(tiles[first : first + EMBEDDED_AT_ONCE]))
        image = part.to(device).permute(0, 3, 1, 2).contiguous().float() / 255
        values.append(encoder(image).float().cpu().numpy())
    found: NDArray[Any] = np.concatenate(values)
    return found
