"""How the napari process and its worker talk.

Each message is one line of JSON over the worker's stdin and stdout; images travel beside it, in
slots of a block of shared memory that the client owns, so that a killed worker leaves nothing
behind. A slot belongs to the worker until it sends an image in it, then to the client until it
says ``free``. A variant or a layout waits for a slot; a preview without one is dropped. Of a
picture that is too large for memory only the folder is sent.
"""

from __future__ import annotations

import json
from multiprocessing import resource_tracker, shared_memory
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.datasets.recipe.request import AnyRequest, DatasetRequest
from napari_pixcell.engine.events import (
    PREVIEW_SIDE,
    Embedding,
    Event,
    Failure,
    Finished,
    Notice,
    Preview,
    Progress,
    SegmentedLayout,
    Trained,
    Variant,
)
from napari_pixcell.engine.record import Record
from napari_pixcell.engine.request import GenerateRequest, SegmentRequest
from napari_pixcell.models.catalogue import get_family
from napari_pixcell.slides.stored_picture import StoredPicture, is_stored

SLOTS = 6
# Of larger images fewer are on their way at once.
LARGE = 16 * 2**20
SLOTS_OF_LARGE = 2


def slot_bytes(request: AnyRequest) -> int:
    """Give the size of the largest image that answers a request."""
    if isinstance(request, DatasetRequest):
        return 1  # its pictures go to disk
    if isinstance(request, SegmentRequest):
        height, width = request.pixels.shape[:2]
        return height * width * np.dtype(np.int32).itemsize
    tile = get_family(request.family).tile
    height, width = tile, tile
    if isinstance(request, GenerateRequest) and request.size is not None:
        height, width = request.size
        if is_stored(request.size):  # only previews travel
            height = width = PREVIEW_SIDE
    return height * width * 3


def image_of(event: Event) -> NDArray[Any] | None:
    """Give the image that travels beside an event, if it has one."""
    match event:
        case Preview():
            return event.image
        case Variant():
            return None if isinstance(event.image, StoredPicture) else event.image
        case SegmentedLayout():
            return event.labels
    return None


def write_line(stream: IO[bytes], message: dict[str, Any]) -> None:
    """Send one message."""
    stream.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")
    stream.flush()


class ImageBlock:
    """A block of shared memory, cut into slots of one image each.

    Parameters
    ----------
    slot_bytes : int
        Size of the largest image.
    name : str, optional
        Of an existing block to attach to; without it a new one is made.
    """

    def __init__(self, slot_bytes: int, name: str | None = None) -> None:
        self.slot_bytes = slot_bytes
        self.slots = SLOTS if slot_bytes < LARGE else SLOTS_OF_LARGE
        self._owner = name is None
        size = slot_bytes * self.slots
        self._memory = shared_memory.SharedMemory(name, create=self._owner, size=size)
        if not self._owner:
            _leave_to_owner(self._memory)

    @property
    def name(self) -> str:
        """Name by which the other process attaches."""
        return self._memory.name

    def put(self, slot: int, image: NDArray[Any]) -> None:
        """Copy an image into a slot."""
        self._view(slot, image.shape, image.dtype)[...] = image

    def take(self, slot: int, shape: tuple[int, ...], dtype: Any = np.uint8) -> NDArray[Any]:
        """Copy an image out of a slot."""
        return self._view(slot, shape, np.dtype(dtype)).copy()

    def close(self) -> None:
        """Let go of the block; the owner also removes it."""
        self._memory.close()
        if self._owner:
            self._memory.unlink()

    def _view(self, slot: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        return np.ndarray(shape, dtype, self._memory.buf, slot * self.slot_bytes)


def _leave_to_owner(memory: shared_memory.SharedMemory) -> None:
    # Before Python 3.13 attaching also registers, and this process would remove the block
    # of the other one when it ends.
    name = getattr(memory, "_name", None)
    if name and name.startswith("/"):
        resource_tracker.unregister(name, "shared_memory")


def event_from_message(message: dict[str, Any], image: NDArray[Any] | None) -> Event:
    """Turn what :func:`napari_pixcell.engine.events.summary` gave back into its event."""
    match message["event"]:
        case "progress":
            return Progress(message["done"], message["total"], message["message"])
        case "notice":
            return Notice(message["message"])
        case "preview" if image is not None:
            return Preview(message["index"], image)
        case "variant":
            folder = message.get("folder")
            found = StoredPicture(Path(folder)) if image is None and folder else image
            if found is not None:
                return Variant(message["index"], found, Record.from_dict(message["record"]))
        case "layout" if image is not None:
            return SegmentedLayout(image, LayoutSource.from_dict(message["source"]))
        case "embedding":
            return Embedding(np.asarray(message["values"], np.float32), message["encoder"])
        case "trained":
            return Trained(**message["stain"])
        case "finished":
            return Finished(message["cancelled"])
        case "failure":
            return Failure(message["message"], message["details"])
    raise ValueError(f"unknown event {message['event']}")
