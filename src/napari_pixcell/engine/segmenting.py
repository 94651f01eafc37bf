"""Cells of a region by Cellpose, tile by tile."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.request import SegmentRequest
from napari_pixcell.models.loading_segmenter import LoadedSegmenter

# Side in px that Cellpose's network reads, and the diameter in px that it resizes cells to.
TILE = 256
DIAMETER = 30.0
# Tiles of one pass on a card; elsewhere one, so that progress and cancel come as often as can be.
AT_ONCE = 8

OnTile = Callable[[int, int], None]


def find_cells(
    segmenter: LoadedSegmenter, request: SegmentRequest, on_tile: OnTile
) -> NDArray[np.int32]:
    """Find the cells of a region with Cellpose (Pachitariu, Rariden and Stringer, 2025).

    Parameters
    ----------
    segmenter : LoadedSegmenter
        The model.
    request : SegmentRequest
        Pixels, their size, and thresholds.
    on_tile : callable
        Told (tiles done, tiles in all), first with none done; whatever it raises ends the search.

    Returns
    -------
    array, int32, (height, width)
        Instance label image; 0 is background.
    """
    pixels, how = request.pixels.unpack(), request.how
    diameter = how.diameter / request.mpp if how.diameter is not None else None
    total, done = count_tiles(pixels.shape[:2], diameter), 0

    def count(_network: Any, inputs: tuple[Any, ...], _output: Any) -> None:
        nonlocal done
        done += len(inputs[0])
        on_tile(done, total)

    on_tile(0, total)
    # Cellpose says nothing while it works; its network is an ordinary module, which does.
    hook = segmenter.model.net.register_forward_hook(count)
    try:
        with warnings.catch_warnings():
            # Torch tells Cellpose, not the user, of a check that it leaves out.
            warnings.filterwarnings("ignore", "Sparse invariant checks")
            masks = segmenter.model.eval(
                pixels,
                batch_size=AT_ONCE if segmenter.device.type == "cuda" else 1,
                channel_axis=-1,
                diameter=diameter,
                flow_threshold=how.flow_threshold,
                cellprob_threshold=how.cellprob_threshold,
            )[0]
    finally:
        hook.remove()
    labels: NDArray[np.int32] = np.reshape(masks, pixels.shape[:2]).astype(np.int32)
    return labels


def count_tiles(shape: tuple[int, ...], diameter: float | None) -> int:
    """Count the tiles that Cellpose cuts a picture into: overlapping, with a margin about it.

    Parameters
    ----------
    shape : (height, width)
        Of the picture.
    diameter : float, optional
        Of its cells, in px, which the picture is resized by.
    """
    from cellpose.transforms import get_pad_yx, make_tiles

    resized = DIAMETER / diameter if diameter else 1.0
    height, width = (int(side * resized) for side in shape)
    top, bottom, left, right = get_pad_yx(height, width, min_size=(TILE, TILE))
    empty = np.zeros((1, height + top + bottom, width + left + right), np.float32)
    tiles = make_tiles(empty, bsize=TILE)[0]
    return int(tiles.shape[0] * tiles.shape[1])
