"""Arrays of a session in files of their own: layouts as label images, others as in requests."""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.slides.stored_picture import StoredPicture
from napari_pixcell.untrusted import check_array, inflate, parse_json


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
    """Decode a label image of :func:`layout_bytes` for painting: int32 if that is sufficient.

    Raises
    ------
    ValueError, IndexError, KeyError, TypeError, OSError
        If the bytes are no such image, or unpack to another size than they state.
    """
    from tifffile import COMPRESSION, TiffFile

    with TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        dtype = np.dtype(page.dtype)
        shape = check_array(page.shape, dtype)
        packed = page.compression == COMPRESSION.ADOBE_DEFLATE
        plain = page.compression == COMPRESSION.NONE
        if len(shape) != 2 or 0 in shape or dtype.kind not in "iu" or page.is_tiled:
            raise ValueError("not a label image")
        if not (packed or plain) or page.predictor != 1:
            raise ValueError("not a label image of a session")
        height, width = shape
        rows, parts = max(1, min(int(page.rowsperstrip), height)), []
        if len(page.dataoffsets) != math.ceil(height / rows):
            raise ValueError("its strips are incomplete")
        for top, start, count in zip(
            range(0, height, rows), page.dataoffsets, page.databytecounts, strict=True
        ):
            part, size = data[start : start + count], min(rows, height - top) * width
            parts.append(inflate(part, size * dtype.itemsize) if packed else part)
        labels = np.frombuffer(b"".join(parts), dtype.newbyteorder(file.byteorder)).reshape(shape)
    fits = labels.max() < 2**31 and labels.min() >= -(2**31)
    return labels.astype(np.int32) if fits else labels.astype(dtype)


def packed_bytes(packed: PackedArray) -> bytes:
    """Encode a packed array: a line of JSON, then its compressed bytes."""
    head = json.dumps({"dtype": packed.dtype, "shape": list(packed.shape)})
    return head.encode() + b"\n" + base64.b64decode(packed.data)


def packed_from(data: bytes) -> PackedArray:
    """Decode a packed array.

    Raises
    ------
    ValueError, KeyError, TypeError, PixCellError
        If the bytes are no packed array, or unpack to another size than they state.
    """
    head, _, rest = data.partition(b"\n")
    about = parse_json(head, "array")
    dtype = np.dtype(str(about["dtype"]))
    if dtype.kind not in "biuf":
        raise ValueError("not an array of numbers")
    shape = check_array(about["shape"], dtype)
    inflate(rest, math.prod(shape) * dtype.itemsize)
    return PackedArray(dtype.name, shape, base64.b64encode(rest).decode("ascii"))


def packed_side(packed: PackedArray | None) -> Side | None:
    """Return the side of an array that never changes."""
    if packed is None:
        return None
    return Side(("packed", id(packed)), ".array", lambda: packed_bytes(packed), packed)
