"""Checks of the files of a Zarr array before a library decompresses them."""

from __future__ import annotations

import os
import stat
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

from napari_pixcell.errors import PixCellError

MOST_FILES = 100_000
SPARE = 2**20  # bytes that a chunk may have above its pixels
ZSTD, ZSTD_BLOCK = b"\x28\xb5\x2f\xfd", 128 * 1024
DESCRIBING = ("zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata")


def check_chunks(name: str, folder: Path, size: int, codecs: Sequence[str]) -> None:
    """Check that the chunks of an array are plain files that do not fill the memory.

    Parameters
    ----------
    name : str
        Name of the Zarr, for errors.
    size : int
        Bytes of a chunk, decompressed.
    codecs : sequence of str
        Names of its codecs.

    Raises
    ------
    PixCellError
        If there are pipes, too many files, or chunks that decompress to more than their pixels.
    """
    count = 0
    for parent, _, names in os.walk(folder):
        for one in names:
            count += 1
            path = Path(parent) / one
            if not stat.S_ISREG(path.stat().st_mode):
                raise PixCellError(f"“{one}” of “{name}” is not a file. Copy the Zarr again.")
            large = path.stat().st_size > size + size // 8 + SPARE
            if one not in DESCRIBING and not large:
                large = _unpacked(path, codecs, size + SPARE) > size + SPARE
            if large or count > MOST_FILES:
                raise PixCellError(
                    f"“{name}” has more or larger chunks than its shape needs. Copy it again."
                )


def _unpacked(path: Path, codecs: Sequence[str], most: int) -> int:
    """Return the bytes to which a chunk decompresses, as far as its first codec shows them."""
    if "sharding_indexed" in codecs:
        return 0  # several chunks, which are small
    data = path.read_bytes()
    try:
        if "blosc" in codecs:
            return int(struct.unpack_from("<I", data, 4)[0])
        if "lz4" in codecs:
            return int(struct.unpack_from("<I", data)[0])
        if "zstd" in codecs:
            return _unpacked_zstd(data)
    except struct.error:
        return 0  # damaged, which the decoder finds
    return _inflated(data, most) if {"gzip", "zlib"} & set(codecs) else 0


def _inflated(data: bytes, most: int) -> int:
    decoder, count = zlib.decompressobj(wbits=47), 0
    try:
        while data and count <= most:
            count += len(decoder.decompress(data, SPARE))
            data = decoder.unconsumed_tail
    except zlib.error:
        return 0
    return count


def _unpacked_zstd(data: bytes) -> int:
    """Return the size that a frame states, or the most that its blocks can have (RFC 8878)."""
    if not data.startswith(ZSTD):
        return 0
    flags = data[4]
    single = flags >> 5 & 1
    at = 5 + (1 - single) + (0, 1, 2, 4)[flags & 3]
    length = (single, 2, 4, 8)[flags >> 6]
    if length:
        stated = int.from_bytes(data[at : at + length], "little")
        return stated + 256 * (length == 2)
    count = 0
    while at + 3 <= len(data):
        block = int.from_bytes(data[at : at + 3], "little")
        count += ZSTD_BLOCK
        at += 3 + (1 if block >> 1 & 3 == 1 else block >> 3)
        if block & 1:
            break
    return count
