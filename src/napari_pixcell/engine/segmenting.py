"""Segmentation with Cellpose: its network tile by tile, then outlines from the network's output."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from cachetools import LRUCache
from numpy.typing import NDArray

from napari_pixcell.cells.combining import within_sizes
from napari_pixcell.cells.methods import SegmentMethod
from napari_pixcell.engine.request_values import SegmentRequest
from napari_pixcell.models.loading_segmenter import LoadedSegmenter

# Side in px of the network's input, and the cell diameter in px to which Cellpose resizes images.
TILE = 256
DIAMETER = 30.0
# Tiles per pass on a GPU. On a CPU one, so that progress and cancel are as frequent as possible.
AT_ONCE = 8
# Cellpose's defaults: steps along the flows, largest cell (fraction of the image), smallest cell.
STEPS, LARGEST_PART, SMALLEST_PX = 200, 0.4, 15
# MB of cached network outputs: one search of 8192² px, or 60 of 1024² px.
MOST_MB = 1024

OnTile = Callable[[int, int], None]
Key = tuple[object, ...]


@dataclass(eq=False)
class CellposeOutputs:
    """The output of Cellpose's network for one image, and the cells last drawn from it.

    Parameters
    ----------
    flows : array, float32, (2, height, width)
        Towards the centre of each cell, down and right.
    cellprob : array, float32, (height, width)
        Logit of the probability of being in a cell.
    steps : int
        Steps along the flows, according to the diameter.
    """

    flows: NDArray[np.float32]
    cellprob: NDArray[np.float32]
    steps: int
    _drawn: tuple[float, NDArray[Any], NDArray[Any] | None] | None = None

    @property
    def size(self) -> int:
        """Bytes, including the cells last drawn."""
        return self.flows.nbytes + self.cellprob.nbytes + 4 * self.cellprob.size

    def outline(self, how: SegmentMethod, mpp: float, device: torch.device) -> NDArray[np.int32]:
        """Draw the cells as Cellpose does with these thresholds: int32, (height, width).

        If only the flow threshold or the areas change, the flows are not followed again.
        ``mpp`` is the pixel size in µm. The flows are followed on ``device``.
        """
        from cellpose.utils import fill_holes_and_remove_small_masks

        with warnings.catch_warnings():
            # A note to Cellpose's authors about a check that torch skips.
            warnings.filterwarnings("ignore", "Sparse invariant checks")
            cells = self._consistent(how, device)
        cells = fill_holes_and_remove_small_masks(cells, min_size=SMALLEST_PX)
        return within_sizes(cells.astype(np.int32), mpp, how.smallest_um2, how.largest_um2)

    def _consistent(self, how: SegmentMethod, device: torch.device) -> NDArray[Any]:
        """Return the cells whose shape is consistent with the flows."""
        from cellpose.dynamics import compute_masks, flow_error

        if self._drawn is None or self._drawn[0] != how.cellprob_threshold:
            cells = compute_masks(
                self.flows,
                self.cellprob,
                niter=self.steps,
                cellprob_threshold=how.cellprob_threshold,
                flow_threshold=0,  # applied below, so that changing it costs nothing
                max_size_fraction=LARGEST_PART,
                device=device,
            )
            self._drawn = how.cellprob_threshold, cells, None
        threshold, cells, errors = self._drawn
        if how.flow_threshold <= 0 or not cells.any():
            return cells.copy()
        if errors is None:
            errors = flow_error(cells, self.flows, device)[0]
            self._drawn = threshold, cells, errors
        names = np.append(0, np.arange(1, len(errors) + 1) * ~(errors > how.flow_threshold))
        names[names > 0] = np.arange(1, np.count_nonzero(names) + 1)
        return np.take(names.astype(cells.dtype), cells)


def output_cache() -> LRUCache[Key, CellposeOutputs]:
    """Return an empty cache of network outputs, bounded by ``MOST_MB``; see :func:`search_key`."""
    return LRUCache(MOST_MB * 2**20, getsizeof=lambda outputs: outputs.size)


def run_cellpose(
    segmenter: LoadedSegmenter, request: SegmentRequest, on_tile: OnTile
) -> CellposeOutputs:
    """Run Cellpose's network on an image (Pachitariu, Rariden and Stringer, 2025).

    ``on_tile`` receives (tiles done, total tiles), first with none done. An exception raised in it
    ends the run.
    """
    pixels, how = request.pixels.unpack(), request.how
    diameter = how.diameter / request.mpp if how.diameter is not None else None
    total, done = count_tiles(pixels.shape[:2], diameter), 0

    def count(_network: Any, inputs: tuple[Any, ...], _output: Any) -> None:
        nonlocal done
        done += len(inputs[0])
        on_tile(done, total)

    on_tile(0, total)
    # Cellpose reports no progress, but its network is an ordinary module with hooks.
    hook = segmenter.model.net.register_forward_hook(count)
    try:
        _, (_, flows, cellprob), _ = segmenter.model.eval(
            pixels,
            batch_size=AT_ONCE if segmenter.device.type == "cuda" else 1,
            channel_axis=-1,
            diameter=diameter,
            compute_masks=False,
        )
    finally:
        hook.remove()
    height, width = pixels.shape[:2]
    rescale = DIAMETER / diameter if diameter else 1.0
    return CellposeOutputs(
        np.reshape(flows, (2, height, width)).astype(np.float32, copy=False),
        np.reshape(cellprob, (height, width)).astype(np.float32, copy=False),
        int(STEPS / rescale),
    )


def count_tiles(shape: tuple[int, ...], diameter: float | None) -> int:
    """Return the number of overlapping tiles, margin included, that Cellpose cuts an image into.

    An image of (height, width) is resized by the diameter of its cells, in px, if that is known.
    """
    from cellpose.transforms import get_pad_yx, make_tiles

    resized = DIAMETER / diameter if diameter else 1.0
    height, width = (int(side * resized) for side in shape)
    top, bottom, left, right = get_pad_yx(height, width, min_size=(TILE, TILE))
    empty = np.zeros((1, height + top + bottom, width + left + right), np.float32)
    tiles = make_tiles(empty, bsize=TILE)[0]
    return int(tiles.shape[0] * tiles.shape[1])


def search_key(request: SegmentRequest, sha256: str) -> Key:
    """Return a key of everything the outputs depend on; ``sha256`` is that of the model file.

    Equal pixels are packed alike, so the packed bytes are hashed.
    """
    pixels = request.pixels
    packed = hashlib.sha256(pixels.data.encode("ascii")).hexdigest()
    return packed, pixels.shape, sha256, request.how.diameter, request.mpp
