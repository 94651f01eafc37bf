"""Arrays of a session in files of their own: layouts as label images, others as in requests."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.slides.stored_picture import StoredPicture


@dataclass(frozen=True, eq=False)
class Side:
    """An array that gets a file of its own."""

    key: Hashable  # identifies its content: the same key means the same array
    suffix: str
    # Returns its bytes; called in another thread, and only if the key has no file yet
    encode: Callable[[], bytes]
    owner: object = None  # kept alive while the key is in use, if the key contains its id


@dataclass(frozen=True, eq=False)
class Stored:
    """A picture too large for memory, in the cache folder."""

    picture: StoredPicture
    kept: bool  # copied into the session, else only named


def layout_bytes(labels: NDArray[Any]) -> bytes:
    """Encode a label image as a compressed TIFF of the smallest sufficient type."""
    from tifffile import imwrite

    low, high = int(labels.min(initial=0)), int(labels.max(initial=0))
    dtype = labels.dtype if low < 0 else np.uint16 if high < 2**16 else np.uint32
    buffer = io.BytesIO()
    imwrite(
        buffer,
        labels.astype(dtype),
        compression="zlib",
        compressionargs={"level": 1},
        metadata=None,
        rowsperstrip=256,
    )
    return buffer.getvalue()


def layout_from(data: bytes) -> NDArray[Any]:
    """Decode a label image for painting: int32 if that is sufficient."""
    from tifffile import imread

    labels = np.asarray(imread(io.BytesIO(data)))
    fits = labels.max(initial=0) < 2**31 and labels.min(initial=0) >= -(2**31)
    return labels.astype(np.int32) if fits else np.array(labels)


def packed_bytes(packed: PackedArray) -> bytes:
    """Encode a packed array: a line of JSON, then its compressed bytes."""
    head = json.dumps({"dtype": packed.dtype, "shape": list(packed.shape)})
    return head.encode() + b"\n" + base64.b64decode(packed.data)


def packed_from(data: bytes) -> PackedArray:
    """Decode a packed array.

    Raises
    ------
    ValueError, KeyError
        If the bytes are no packed array.
    """
    head, _, rest = data.partition(b"\n")
    about = json.loads(head)
    text = base64.b64encode(rest).decode("ascii")
    return PackedArray(str(about["dtype"]), tuple(int(n) for n in about["shape"]), text)


def packed_side(packed: PackedArray | None) -> Side | None:
    """Return the side of an array that never changes."""
    if packed is None:
        return None
    return Side(("packed", id(packed)), ".array", lambda: packed_bytes(packed), packed)
