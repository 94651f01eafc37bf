"""What a Zarr says of its arrays, checked before a library allocates or decompresses anything.

Both versions of the format are read. Slides and layouts share this.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from napari_pixcell.errors import PixCellError
from napari_pixcell.untrusted import check_array

GROUP_FILES = ("zarr.json", ".zattrs", ".zgroup")
FILES = (*GROUP_FILES, ".zarray")
MOST_CHUNK, MOST_SHARD = 256 * 2**20, 8 * 2**30  # bytes; a part of a shard can be read
SPARE = 2**20  # bytes that a chunk may have above its pixels
ZSTD, ZSTD_BLOCK = b"\x28\xb5\x2f\xfd", 128 * 1024
# Others, such as pickle, may run code.
SAFE = "bytes blosc zstd gzip zlib lz4 crc32c transpose shuffle sharding_indexed".split()
SHARDED = "sharding_indexed"
METRES = {"meter": 1.0, "centimeter": 1e-2, "millimeter": 1e-3, "micrometer": 1e-6}
METRES |= {"nanometer": 1e-9, "picometer": 1e-12, "angstrom": 1e-10, "inch": 0.0254}


@dataclass(frozen=True)
class ArrayFacts:
    """An array as its metadata describes it.

    Attributes
    ----------
    chunk_bytes : int
        Bytes of a chunk, decompressed; of a shard if chunks are sharded.
    codecs : tuple of str
        Names of all codecs, those within shards included.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunk_bytes: int
    codecs: tuple[str, ...]


def is_zarr(folder: Path) -> bool:
    """Whether a folder holds a Zarr group or array."""
    return any(os.path.lexists(folder / name) for name in FILES)  # raises for no name


def zarr_folder(path: Path) -> Path:
    """Return the folder of a Zarr if a path is one of its metadata files, else the path."""
    return path.parent if path.name in FILES and is_zarr(path.parent) else path


def attributes_of(told: Any) -> dict[str, Any]:
    """Return the OME attributes in the metadata of a group, of either version."""
    told = told if isinstance(told, dict) else {}
    told = told.get("attributes", {}) if "zarr_format" in told else told
    inner = told.get("ome", told) if isinstance(told, dict) else {}
    return inner if isinstance(inner, dict) else {}


def checked_array(name: str, part: str, told: dict[str, Any], what: str) -> ArrayFacts:
    """Check the metadata of an array, ``zarr.json`` or ``.zarray``.

    Parameters
    ----------
    name, part : str
        Names of the Zarr and the array, for errors.
    what : str
        What the array should be, such as “a label image”.

    Raises
    ------
    PixCellError
        If it is no array of numbers, or its chunks are too large or encoded in unusual ways.
    """
    codecs = told.get("codecs") or [told.get("compressor"), *(told.get("filters") or ())]
    found = _checked_codecs(name, codecs)
    grid = told.get("chunk_grid") or {}
    chunks = told.get("chunks") or grid.get("configuration", {}).get("chunk_shape")
    try:
        dtype = np.dtype(told.get("dtype") or told.get("data_type"))
        if dtype.kind not in "biuf":
            raise ValueError("not numbers")
        chunks = check_array(chunks, dtype, MOST_SHARD if SHARDED in found else MOST_CHUNK)
        shape = check_array(told.get("shape"), dtype, 2**62)
    except (TypeError, ValueError) as error:
        raise PixCellError(
            f"“{part}” of “{name}” is not {what}: {str(error)[:80]}. Export it again."
        ) from error
    if min(chunks, default=1) < 1 or len(chunks) != len(shape):
        raise PixCellError(f"The chunks of “{name}” do not match its shape. Export it again.")
    return ArrayFacts(shape, dtype, prod(chunks) * dtype.itemsize, tuple(found))


def _checked_codecs(name: str, codecs: Any) -> list[str]:
    """Return the names of codecs, inner ones included, that are safe."""
    found: list[str] = []
    for codec in codecs if isinstance(codecs, list) else []:
        if codec is None:
            continue
        kind = codec.get("name", codec.get("id"))
        if kind not in SAFE:
            raise PixCellError(
                f"“{name}” is encoded by “{str(kind)[:40]}”, which is not read because it is "
                "unusual. Save it again with zstd or blosc."
            )
        inner = codec.get("configuration")
        inner = inner if isinstance(inner, dict) else {}
        check_array(inner.get("chunk_shape", []), np.int64, MOST_CHUNK)
        found.append(kind)
        found += _checked_codecs(name, inner.get("codecs"))
        found += _checked_codecs(name, inner.get("index_codecs"))
    return found


def is_oversized(data: bytes, size: int, codecs: Sequence[str]) -> bool:
    """Whether a chunk has, or decompresses to, more than its pixels need.

    Parameters
    ----------
    size : int
        Bytes of the chunk, decompressed.
    codecs : sequence of str
        Names of its codecs.
    """
    return len(data) > largest_file(size) or _unpacked(data, codecs, size + SPARE) > size + SPARE


def is_cut_short(data: bytes, codecs: Sequence[str]) -> bool:
    """Whether a chunk lacks its end, which Blosc would read from beyond it.

    The decoders of the other codecs notice it themselves.
    """
    if "blosc" not in codecs or SHARDED in codecs:
        return False
    return len(data) < 16 or int(struct.unpack_from("<I", data, 12)[0]) > len(data)


def largest_file(size: int) -> int:
    """Return the most bytes that a chunk of ``size`` bytes may have as it is stored."""
    return size + size // 8 + SPARE


def _unpacked(data: bytes, codecs: Sequence[str], most: int) -> int:
    """Return the bytes to which a chunk decompresses, as far as its first codec shows them."""
    if SHARDED in codecs:
        return 0  # several chunks, which are small
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


def pixel_sizes(
    scales: dict[str, Any], level: dict[str, Any], axes: str
) -> tuple[float | None, float | None]:
    """Return the µm per pixel of a level in x and y, None if unknown.

    Parameters
    ----------
    scales : dict
        An entry of ``multiscales``.
    level : dict
        An entry of its ``datasets``.
    axes : str
        Its axes, such as “cyx”.
    """
    described = scales.get("axes")
    sizes: list[float | None] = []
    for axis in "xy":
        place = axes.find(axis)
        one = described[place] if isinstance(described, list) and place >= 0 else None
        unit = METRES.get(str(one.get("unit")).lower()) if isinstance(one, dict) else None
        factor = scale_of(scales, level, place)
        sizes.append(None if unit is None or factor is None else unit * 1e6 * factor)
    return sizes[0], sizes[1]


def scale_of(scales: dict[str, Any], level: dict[str, Any], place: int) -> float | None:
    """Return the scale of a level along the axis at a place; None if none is stated."""
    if place < 0:
        return None
    factors = [
        one["scale"][place]
        for told in (level, scales)
        for one in _list(told.get("coordinateTransformations"))
        if isinstance(one, dict) and one.get("type") == "scale"
    ]
    if not factors:
        return None
    return float(np.prod([float(factor) for factor in factors]))


def axes_of(scales: dict[str, Any]) -> str:
    """Return the first letters of the axes of an entry of ``multiscales``, such as “tczyx”."""
    return "".join(_letter(one) for one in _list(scales.get("axes")))


def _letter(axis: Any) -> str:
    return (str(axis.get("name", "")) if isinstance(axis, dict) else str(axis)).lower()[:1]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
