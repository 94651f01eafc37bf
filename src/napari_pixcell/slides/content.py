"""Fingerprints of files and pixels, by content and never by name.

Those of files raise OSError if the file cannot be read.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.slides.zarr_content import zarr_key

CHUNK = 65536  # bytes at each end of a file
WHOLE = 4 * 2**20  # bytes of a file that is read whole
PART, PARTS = 16384, 96  # bytes and number of the parts of a larger file

# Single-file formats. In others (MRXS, VMS, DICOM, OME-TIFF sets) the pixels may lie in
# neighbouring files, so that the opened file alone cannot identify them.
ONE_FILE = (".svs", ".ndpi", ".scn", ".bif", ".svslide", ".tif", ".tiff", ".png", ".jpg", ".jpeg")


def content_key(path: Path) -> str:
    """Return a fingerprint of a file's size and content: 32 hexadecimal digits.

    Of a large file, both ends and many parts between them are read: slides of one scanner may
    share their size and their white margins. Of a Zarr, its metadata and the chunks of its smallest
    image are read. It survives moves and copies and contains no name.
    """
    if path.is_dir():
        return zarr_key(path)
    size = path.stat().st_size
    digest = hashlib.sha256(f"parts {size}".encode())
    with path.open("rb") as file:
        if size <= WHOLE:
            digest.update(file.read(WHOLE))
        else:
            last = size - PART
            for number in range(PARTS + 1):
                file.seek(number * last // PARTS)
                digest.update(file.read(PART))
    return digest.hexdigest()[:32]


def ends_key(path: Path) -> str:
    """Return a fingerprint of a file's size and both ends: 32 hexadecimal digits.

    It tells weights apart, and finds slides in what earlier versions stored.
    """
    if path.is_dir():
        return zarr_key(path)  # earlier versions had none
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(CHUNK))
        file.seek(max(0, size - CHUNK))
        digest.update(file.read(CHUNK))
    return digest.hexdigest()[:32]


def has_content(path: Path, key: str) -> bool:
    """Whether a file has a :func:`content_key`, or the :func:`ends_key` of earlier versions."""
    return key in (content_key(path), ends_key(path))


def file_stamp(path: Path) -> str:
    """Return a fingerprint of a file in its current state: 64 hexadecimal digits.

    Unlike :func:`ends_key` it includes the modification time, so it also changes when the
    middle of the file is overwritten, as in an uncompressed TIFF.
    """
    changed = path.stat().st_mtime_ns
    return hashlib.sha256(f"{ends_key(path)} {changed}".encode()).hexdigest()


def slide_stamp(path: Path, key: str | None = None) -> str | None:
    """Return a fingerprint of a slide in its current state, or None for formats of several files.

    It has 64 hexadecimal digits, over :func:`content_key` and the modification time. Reading the
    file once more is not needed if that key is known.
    """
    name = path.name.lower()
    if not name.endswith(ONE_FILE) or ".ome." in name:
        return None
    changed = path.stat().st_mtime_ns
    return hashlib.sha256(f"{key or content_key(path)} {changed}".encode()).hexdigest()


def pixels_stamp(pixels: NDArray[np.uint8]) -> str:
    """Return a fingerprint of (h, w, 3) uint8 pixels: 64 hexadecimal digits."""
    digest = hashlib.sha256(f"{pixels.shape} {pixels.dtype}".encode())
    digest.update(pixels.tobytes())
    return digest.hexdigest()
