"""Fingerprints of files and pixels, by content and never by name.

Those of files raise OSError if the file cannot be read.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CHUNK = 65536  # bytes at each end of a file

# Single-file formats. In others (MRXS, VMS, DICOM, OME-TIFF sets) the pixels may lie in
# neighbouring files, so that the opened file alone cannot identify them.
ONE_FILE = (".svs", ".ndpi", ".scn", ".bif", ".svslide", ".tif", ".tiff", ".png", ".jpg", ".jpeg")


def content_key(path: Path) -> str:
    """Return a fingerprint of a file's size and both ends: 32 hexadecimal digits.

    It survives moves and copies and contains no name.
    """
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(CHUNK))
        file.seek(max(0, size - CHUNK))
        digest.update(file.read(CHUNK))
    return digest.hexdigest()[:32]


def file_stamp(path: Path) -> str:
    """Return a fingerprint of a file in its current state: 64 hexadecimal digits.

    Unlike :func:`content_key` it includes the modification time, so it also changes when the
    middle of the file is overwritten, as in an uncompressed TIFF.
    """
    changed = path.stat().st_mtime_ns
    return hashlib.sha256(f"{content_key(path)} {changed}".encode()).hexdigest()


def slide_stamp(path: Path) -> str | None:
    """Return the :func:`file_stamp` of a slide, or None for formats of several files."""
    name = path.name.lower()
    return file_stamp(path) if name.endswith(ONE_FILE) and ".ome." not in name else None


def pixels_stamp(pixels: NDArray[np.uint8]) -> str:
    """Return a fingerprint of (h, w, 3) uint8 pixels: 64 hexadecimal digits."""
    digest = hashlib.sha256(f"{pixels.shape} {pixels.dtype}".encode())
    digest.update(pixels.tobytes())
    return digest.hexdigest()
