"""Files and pixels told apart by what is in them, never by their names."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CHUNK = 65536  # bytes at each end of a file

# Formats whose slide is one file. What the others show may lie in files beside the one that was
# opened (MRXS, VMS, DICOM, OME-TIFF sets), so that this one tells nothing about it.
ONE_FILE = (".svs", ".ndpi", ".scn", ".bif", ".svslide", ".tif", ".tiff", ".png", ".jpg", ".jpeg")


def content_key(path: Path) -> str:
    """Identify a file by its size and both ends: survives a move and a copy, holds no name.

    Returns
    -------
    str
        32 hexadecimal digits.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(CHUNK))
        file.seek(max(0, size - CHUNK))
        digest.update(file.read(CHUNK))
    return digest.hexdigest()[:32]


def file_stamp(path: Path) -> str:
    """Identify a file as it is now, without reading the whole of it.

    Unlike :func:`content_key` it changes when the file is written to in its middle, as an
    uncompressed TIFF can be: the time of the last change goes into it.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    changed = path.stat().st_mtime_ns
    return hashlib.sha256(f"{content_key(path)} {changed}".encode()).hexdigest()


def slide_stamp(path: Path) -> str | None:
    """Give the stamp of a slide's file; None where several files make up the slide.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    name = path.name.lower()
    return file_stamp(path) if name.endswith(ONE_FILE) and ".ome." not in name else None


def pixels_stamp(pixels: NDArray[np.uint8]) -> str:
    """Identify pixels: (h, w, 3) uint8; 64 hexadecimal digits."""
    digest = hashlib.sha256(f"{pixels.shape} {pixels.dtype}".encode())
    digest.update(pixels.tobytes())
    return digest.hexdigest()
