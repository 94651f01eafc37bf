"""What a picture says of itself: its pixels, whether it is marked as synthetic, its record."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.marking import RECORD_KEY, RECORD_TAG, XMP_KEY, XMP_TAG
from napari_pixcell.engine.record import COMPOSITE_TYPE, SOURCE_TYPE

DESCRIPTION_TAG = 270
WORD = "SYNTHETIC"


@dataclass(frozen=True, eq=False)
class Marked:
    """A picture and its marks.

    Parameters
    ----------
    pixels : array
        (height, width, 3), or (height, width) of a mask.
    synthetic : bool
        Whether both the XMP's digital source type and the words for people say so.
    record : dict, optional
        JSON value; None where there is none that is JSON.
    """

    pixels: NDArray[Any]
    synthetic: bool
    record: dict[str, Any] | None


def read_marked_image(data: bytes, name: str) -> Marked:
    """Read the bytes of an image, PNG or TIFF by its name.

    Raises
    ------
    OSError, ValueError
        If they are no picture.
    """
    return _png(data) if name.endswith(".png") else _tiff(data)


def read_marked_mask(data: bytes, name: str) -> Marked:
    """Read the bytes of a mask; see :func:`read_marked_image`."""
    return _tiff(data)


def _png(data: bytes) -> Marked:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            pixels = np.asarray(image)
            text: dict[str, str] = getattr(image, "text", {})
    except SyntaxError as error:  # Pillow's word for a damaged PNG
        raise ValueError(str(error)) from error
    return Marked(
        pixels,
        _synthetic(text.get(XMP_KEY, ""), text.get("parameters", "")),
        _json(text.get(RECORD_KEY)),
    )


def _tiff(data: bytes) -> Marked:
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            tags = file.pages.first.tags
            xmp, words, record = (
                tags[number].value if number in tags else ""
                for number in (XMP_TAG, DESCRIPTION_TAG, RECORD_TAG)
            )
            pixels = file.pages.first.asarray()
    except (tifffile.TiffFileError, IndexError, RuntimeError) as error:
        raise ValueError(str(error)) from error
    xmp = xmp.decode(errors="replace") if isinstance(xmp, bytes) else xmp
    return Marked(pixels, _synthetic(xmp, words), _json(record or None))


def _synthetic(xmp: str, words: str) -> bool:
    return any(kind in xmp for kind in (SOURCE_TYPE, COMPOSITE_TYPE)) and WORD in words


def _json(text: str | bytes | None) -> dict[str, Any] | None:
    try:
        value = json.loads(text) if text is not None else None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
