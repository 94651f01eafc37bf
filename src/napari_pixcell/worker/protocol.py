"""The protocol between the napari process and its worker.

Each message is one line of JSON over the worker's stdin and stdout. The worker confirms each one of
the client with ``heard`` as soon as it has read it. Arrays travel separately, in blocks of memory
that both processes share and the client owns, so that a killed worker leaves nothing behind:

- The large arrays of a request lie in an :class:`ArrayBlock`. The worker copies them and confirms
  with ``received``, and the client removes the block. Records of the results refer to these arrays
  by number instead of repeating them.
- The images of the results use the slots of an :class:`ImageBlock`. A slot belongs to the worker
  until it sends an image in it, then to the client until it sends ``free``. A variant or a layout
  waits for a slot; a preview without one is dropped. For an image too large for memory, only its
  folder is sent.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.engine import events
from napari_pixcell.engine.packed import ArraysApart, PackedArray, arrays_apart
from napari_pixcell.engine.record import Record
from napari_pixcell.engine.reproducing import ReproduceRequest
from napari_pixcell.engine.request_values import BatchRequest, GenerateRequest, SegmentRequest
from napari_pixcell.models.families import get_family
from napari_pixcell.slides.stored_picture import StoredPicture, is_stored
from napari_pixcell.worker.blocks import SharedBlock
from napari_pixcell.worker.requests import AnyRequest

SLOTS = 6
# Larger images get fewer slots.
LARGE = 16 * 2**20
SLOTS_OF_LARGE = 2
INLINE = 2**16  # bytes; smaller arrays of a request are part of its JSON
ALIGNMENT = 64  # bytes
RECEIVED = "received"  # the arrays of a request were copied
HEARD = "heard"  # a message was read
READY = "ready"  # the worker has started


def write_line(stream: IO[bytes], message: dict[str, Any]) -> None:
    """Send one message as a line of JSON."""
    stream.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")
    stream.flush()


# -- shared memory -------------------------------------------------------------------------


class ArrayBlock(SharedBlock):
    """The arrays of a request, one after another.

    Attributes
    ----------
    message : dict
        Tells the worker where the arrays lie, see :func:`read_arrays`.

    Raises
    ------
    OSError
        If there is not enough shared memory.
    """

    def __init__(self, arrays: list[PackedArray]) -> None:
        offsets = [0]
        for array in arrays:
            offsets.append(offsets[-1] + math.ceil(array.nbytes / ALIGNMENT) * ALIGNMENT)
        super().__init__(offsets[-1])
        placed = list(zip(arrays, offsets[:-1], strict=True))
        for array, offset in placed:
            self.view(offset, array.shape, array.dtype)[...] = array.view()
        self.message = {
            "block": self.name,
            "arrays": [[array.dtype, list(array.shape), offset] for array, offset in placed],
        }


def read_arrays(message: dict[str, Any]) -> list[PackedArray]:
    """Copy the arrays out of an :class:`ArrayBlock`, given its message."""
    block = SharedBlock(1, message["block"])
    try:
        return [
            PackedArray.pack(block.view(offset, tuple(shape), dtype))
            for dtype, shape, offset in message["arrays"]
        ]
    finally:
        block.close()


class ImageBlock(SharedBlock):
    """A block of shared memory, divided into slots of one image each.

    Parameters
    ----------
    slot_bytes : int
        Size of the largest image.
    name : str, optional
        Of an existing block to attach to; by default a new block is created.
    """

    def __init__(self, slot_bytes: int, name: str | None = None) -> None:
        self.slot_bytes = slot_bytes
        self.slots = SLOTS if slot_bytes < LARGE else SLOTS_OF_LARGE
        super().__init__(slot_bytes * self.slots, name)

    def put(self, slot: int, image: NDArray[Any]) -> None:
        self.view(slot * self.slot_bytes, image.shape, image.dtype)[...] = image

    def take(self, slot: int, shape: tuple[int, ...], dtype: Any = np.uint8) -> NDArray[Any]:
        return self.view(slot * self.slot_bytes, shape, np.dtype(dtype)).copy()


# -- requests and events -------------------------------------------------------------------


def pack_request(request: AnyRequest) -> tuple[dict[str, Any], ArrayBlock | None, ArraysApart]:
    """Return a request as JSON, its large arrays in shared memory, and those arrays.

    Without shared memory, all arrays are part of the JSON.
    """
    with arrays_apart(ArraysApart(least=INLINE)) as apart:
        value = request.to_dict()
    if not apart.arrays:
        return value, None, apart
    try:
        return value, ArrayBlock(apart.arrays), ArraysApart(apart.arrays)
    except OSError:
        return request.to_dict(), None, ArraysApart()


def slot_bytes(request: AnyRequest) -> int:
    """Return the size in bytes of the largest image among the results of a request."""
    from napari_pixcell.evaluation.request import EvaluateRequest  # with the first request
    from napari_pixcell.verification.request import VerifyRequest

    if isinstance(request, DatasetRequest | EvaluateRequest | VerifyRequest):
        return 1  # they send no images
    if isinstance(request, BatchRequest):
        return max(map(slot_bytes, request.requests))
    if isinstance(request, ReproduceRequest):
        return slot_bytes(request.record.request)
    if isinstance(request, SegmentRequest):
        height, width = request.pixels.shape[:2]
        return height * width * np.dtype(np.int32).itemsize
    tile = get_family(request.family).tile
    height, width = tile, tile
    if isinstance(request, GenerateRequest) and request.size is not None:
        height, width = request.size
        if is_stored(request.size):  # only previews travel
            height = width = events.PREVIEW_SIDE
    return height * width * 3


def image_of(event: events.Event) -> NDArray[Any] | None:
    """Return the image that travels with an event, or None."""
    match event:
        case events.Preview():
            return event.image
        case events.Variant():
            return None if isinstance(event.image, StoredPicture) else event.image
        case events.SegmentedLayout():
            return event.labels
    return None


def event_from_message(message: dict[str, Any], image: NDArray[Any] | None) -> events.Event:
    """Build an event from its :func:`napari_pixcell.engine.events.summary` and its image."""
    match message["event"]:
        case "preview" if image is not None:
            return events.Preview(message["index"], image)
        case "variant":
            folder = message.get("folder")
            picture = StoredPicture(Path(folder)) if image is None and folder else image
            if picture is not None:
                record = Record.from_dict(message["record"])
                return events.Variant(message["index"], picture, record)
        case "layout" if image is not None:
            return events.SegmentedLayout(image, LayoutSource.from_dict(message["source"]))
        case "embedding":
            return events.Embedding(np.asarray(message["values"], np.float32), message["encoder"])
    return events.event_of(message)
