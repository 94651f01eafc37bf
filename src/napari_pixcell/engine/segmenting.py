"""Cells of a region by Cellpose: its network tile by tile, then outlines from what that gave."""

from __future__ import annotations

import hashlib
import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_pixcell.cells.combining import without_small
from napari_pixcell.cells.methods import SegmentMethod
from napari_pixcell.engine.request import SegmentRequest
from napari_pixcell.models.loading_segmenter import LoadedSegmenter

# Side in px that Cellpose's network reads, and the diameter in px that it resizes cells to.
TILE = 256
DIAMETER = 30.0
# Tiles of one pass on a card; elsewhere one, so that progress and cancel come as often as can be.
AT_ONCE = 8
# What Cellpose does unless it is told otherwise: steps along the flows, largest and smallest cell.
STEPS, LARGEST_PART, SMALLEST_PX = 200, 0.4, 15
# MB of outputs that are kept: those of one search of 8192² px, or of 60 of 1024² px.
MOST_MB = 1024

OnTile = Callable[[int, int], None]
Key = tuple[object, ...]


@dataclass(eq=False)
class Outputs:
    """What Cellpose's network says of a picture, and what was drawn from it last.

    Parameters
    ----------
    flows : array, float32, (2, height, width)
        Towards the centre of each cell, down and right.
    cellprob : array, float32, (height, width)
        Logit of being in a cell.
    steps : int
        Along the flows, as many as the diameter asks for.
    """

    flows: NDArray[np.float32]
    cellprob: NDArray[np.float32]
    steps: int
    _drawn: tuple[float, NDArray[Any], NDArray[Any] | None] | None = None

    @property
    def size(self) -> int:
        """Bytes, the cells drawn last among them."""
        return self.flows.nbytes + self.cellprob.nbytes + 4 * self.cellprob.size

    def outline(self, how: SegmentMethod, mpp: float, device: torch.device) -> NDArray[np.int32]:
        """Draw the cells, as Cellpose does with these thresholds.

        Where only the flow threshold or the smallest area changes, the flows are not followed
        again.

        Parameters
        ----------
        how : SegmentMethod
            Thresholds.
        mpp : float
            Pixel size in µm.
        device : torch.device
            Where to follow the flows.

        Returns
        -------
        array, int32, (height, width)
            Instance label image; 0 is background.
        """
        from cellpose.utils import fill_holes_and_remove_small_masks

        with warnings.catch_warnings():
            # Torch tells Cellpose, not the user, of a check that it leaves out.
            warnings.filterwarnings("ignore", "Sparse invariant checks")
            cells = self._regular(how, device)
        cells = fill_holes_and_remove_small_masks(cells, min_size=SMALLEST_PX)
        return without_small(cells.astype(np.int32), mpp, how.smallest_um2)

    def _regular(self, how: SegmentMethod, device: torch.device) -> NDArray[Any]:
        """Give the cells whose shape agrees with the flows well enough."""
        from cellpose.dynamics import compute_masks, flow_error

        if self._drawn is None or self._drawn[0] != how.cellprob_threshold:
            cells = compute_masks(
                self.flows,
                self.cellprob,
                niter=self.steps,
                cellprob_threshold=how.cellprob_threshold,
                flow_threshold=0,  # that comes below, so that another one costs nothing
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
        return names.astype(cells.dtype)[cells]


class KeptOutputs:
    """The outputs of the last searches, up to ``MOST_MB`` in all, to draw cells from once more."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, Outputs] = OrderedDict()

    def get(self, key: Key) -> Outputs | None:
        """Give the outputs of a search, see :func:`search_key`."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def keep(self, key: Key, outputs: Outputs) -> None:
        """Keep outputs; the oldest go where there are too many, these if they are too large."""
        self._kept[key] = outputs
        while self._kept and self.size > MOST_MB * 2**20:
            self._kept.popitem(last=False)

    @property
    def size(self) -> int:
        """Bytes of what is kept."""
        return sum(outputs.size for outputs in self._kept.values())

    def clear(self) -> None:
        """Forget all of them."""
        self._kept.clear()


def read_cells(segmenter: LoadedSegmenter, request: SegmentRequest, on_tile: OnTile) -> Outputs:
    """Look for cells with Cellpose's network (Pachitariu, Rariden and Stringer, 2025).

    Parameters
    ----------
    segmenter : LoadedSegmenter
        The model.
    request : SegmentRequest
        Pixels, their size, and diameter of the cells.
    on_tile : callable
        Told (tiles done, tiles in all), first with none done; whatever it raises ends the search.

    Returns
    -------
    Outputs
        To draw cells from with any thresholds.
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
    return Outputs(
        np.reshape(flows, (2, height, width)).astype(np.float32, copy=False),
        np.reshape(cellprob, (height, width)).astype(np.float32, copy=False),
        int(STEPS / rescale),
    )


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


def search_key(request: SegmentRequest, sha256: str) -> Key:
    """Name all that the outputs depend on, ``sha256`` being the hash of the model's file.

    Equal pixels are packed in the same way, so that they need not be unpacked.
    """
    pixels = request.pixels
    packed = hashlib.sha256(pixels.data.encode("ascii")).hexdigest()
    return packed, pixels.shape, sha256, request.how.diameter, request.mpp
