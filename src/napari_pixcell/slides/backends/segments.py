"""Strips and tiles of TIFF pages, read under a lock and decoded outside it."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.backends.colours import JPEGS, Colours
from napari_pixcell.slides.corrupt import CorruptTiles, Undecodable, damaged
from napari_pixcell.slides.levels import TiledLevel

JPEG_2000 = (33003, 33004, 33005, 34712)
LARGEST_SEGMENT = 500 * 2**20  # bytes decoded at once
LARGEST_TILE = 64 * 2**20  # bytes of thin strips that form one tile
ROWS_AT_ONCE = 256  # rows of thin strips that form one tile
FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
Decode = Callable[[int], NDArray[Any]]


class Reader:
    """An open TIFF, and the tiles of it that turn out to be corrupt."""

    def __init__(self, file: Any, path: Path) -> None:
        self.file = file
        self.name = path.name
        self.size = path.stat().st_size
        self.corrupt = CorruptTiles(path.name)
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self.file.close()

    def bytes(self, offset: int, count: int) -> bytes:
        """Read a segment without decoding it."""
        with self._lock:
            handle = self.file.filehandle
            if handle.closed:
                raise PixCellError(f"“{self.name}” was closed. Open it again.")
            handle.seek(offset)
            return bytes(handle.read(count))

    def check_end(self, page: Any) -> None:
        """Raise PixCellError if the file ends before the data of a page, or lists too little."""
        needed = 1
        if page.is_tiled:
            needed = -(-page.imagelength // page.tilelength) * -(-page.imagewidth // page.tilewidth)
        elif 0 < page.rowsperstrip < page.imagelength:
            needed = -(-page.imagelength // page.rowsperstrip)
        if page.planarconfig == 2:
            needed *= page.samplesperpixel
        count = min(len(page.dataoffsets), len(page.databytecounts))
        if count < needed:
            raise damaged(self.name)
        try:  # in 64 bits; a damaged file may also list fractions, texts or larger numbers
            starts, sizes = (
                np.array(numbers[:count]).astype(np.int64, casting="safe")
                for numbers in (page.dataoffsets, page.databytecounts)
            )
        except (TypeError, ValueError, OverflowError) as error:
            raise damaged(self.name) from error
        if not sizes.any() or starts.min() < 0 or sizes.min() < 0:
            raise damaged(self.name)
        if (sizes > self.size).any() or (starts > self.size - sizes).any():
            raise damaged(self.name)

    def tiled(self, page: Any, number: int, colours: Colours | None = None) -> TiledLevel:
        """Return the level of a page, the ``number``-th of its slide."""
        return self.level([page], number, colours or Colours())

    def level(self, pages: Sequence[Any], number: int, colours: Colours) -> TiledLevel:
        """Return a level of one colour page, or of three grey ones.

        Raises
        ------
        PixCellError
            If the file is cut short, or a part of it that is decoded at once is too large.
        """
        for page in pages:
            self.check_end(page)
        page = pages[0]
        height, width = page.imagelength, page.imagewidth
        planes = page.samplesperpixel if page.planarconfig == 2 else 1
        rows, parts = _shape(page)
        columns = page.tilewidth if page.is_tiled else width
        samples = 1 if page.planarconfig == 2 else page.samplesperpixel
        raw = _RawRows(self, page) if _is_raw(page) and len(pages) == planes == 1 else None
        if raw is not None:
            rows, parts = min(ROWS_AT_ONCE, height), 1
        elif rows * columns * samples * page.dtype.itemsize > LARGEST_SEGMENT:
            raise PixCellError(
                f"“{self.name}” is too large to be read without tiles. Save it as a tiled TIFF."
            )
        across = -(-width // columns)
        down = -(-height // rows)
        decoders = [raw.read] if raw is not None else [_decoder(self, one) for one in pages]
        each = across * down

        def piece(row: int, column: int) -> NDArray[Any]:
            index = row * across + column
            read = [decode(index + plane * each) for decode in decoders for plane in range(planes)]
            return read[0] if len(read) == 1 else np.concatenate(read, axis=-1)

        def fetch(row: int, column: int) -> NDArray[np.uint8]:
            first, last = row * parts, min((row + 1) * parts, down)
            h = min(rows * parts, height - row * rows * parts)
            w = min(columns, width - column * columns)
            read = [piece(part, column) for part in range(first, last)]
            try:
                whole = read[0] if len(read) == 1 else np.concatenate(read)
                pixels = colours.convert(whole[:h, :w])
            except (ValueError, IndexError) as error:
                raise Undecodable("damaged data") from error
            if pixels.shape != (h, w, 3):
                raise Undecodable(f"a tile of shape {pixels.shape}")
            return pixels

        return TiledLevel(
            (height, width), (rows * parts, columns), fetch, corrupt=self.corrupt, index=number
        )


def _shape(page: Any) -> tuple[int, int]:
    """Return the rows of a segment, and how many segments form one tile."""
    if page.is_tiled:
        return page.tilelength, 1
    rows = min(max(1, page.rowsperstrip), page.imagelength)
    strip = rows * page.imagewidth * page.samplesperpixel * page.dtype.itemsize
    return rows, max(1, min(ROWS_AT_ONCE // rows, LARGEST_TILE // max(1, strip)))


def _is_raw(page: Any) -> bool:
    """Whether the rows of a page lie uncompressed one after another."""
    plain = int(page.compression) == 1 and page.predictor == 1 and page.fillorder == 1
    whole = page.bitspersample in (8, 16) and page.planarconfig == 1
    return bool(plain and whole and not page.is_tiled and page.is_contiguous)


class _RawRows:
    """Uncompressed rows, read without decoding the strip that they lie in."""

    def __init__(self, reader: Reader, page: Any) -> None:
        self.reader, self.start = reader, page.dataoffsets[0]
        self.shape = page.imagelength, page.imagewidth, page.samplesperpixel
        self.dtype = np.dtype(page.dtype).newbyteorder(page.parent.byteorder)
        self.row = page.imagewidth * page.samplesperpixel * self.dtype.itemsize
        if self.start + self.row * page.imagelength > reader.size:
            raise damaged(reader.name)

    def read(self, index: int) -> NDArray[Any]:
        top = index * ROWS_AT_ONCE
        count = min(ROWS_AT_ONCE, self.shape[0] - top)
        data = self.reader.bytes(self.start + top * self.row, count * self.row)
        try:
            pixels = np.frombuffer(data, self.dtype).reshape(count, *self.shape[1:])
        except ValueError as error:
            raise Undecodable("cut short") from error
        return pixels.astype(self.dtype.newbyteorder("="), copy=False)


def _decoder(reader: Reader, page: Any) -> Decode:
    """Return a function that decodes a segment of a page: (rows, columns, samples)."""
    # Load all tags now, because tifffile reads some from the shared handle on first use.
    tables, decode, compression = page.jpegtables, page.decode, int(page.compression)
    offsets, counts = tuple(page.dataoffsets), tuple(page.databytecounts)
    rows, columns = (page.tilelength, page.tilewidth) if page.is_tiled else (0, page.imagewidth)
    samples = 1 if page.planarconfig == 2 else page.samplesperpixel
    strip, dtype, length = _shape(page)[0], page.dtype, page.imagelength
    rows = rows or strip
    white = np.iinfo(dtype).max

    def read(index: int) -> NDArray[Any]:
        if not counts[index]:  # sparse files omit empty tiles
            high = min(rows, length - index * rows) if not page.is_tiled else rows
            return np.full((max(high, 1), columns, samples), white, dtype)
        data = reader.bytes(offsets[index], counts[index])
        claimed = _claimed(data, compression)
        if claimed is not None and claimed[0] * claimed[1] > 2 * rows * columns:
            raise Undecodable(f"a tile of {claimed[1]} × {claimed[0]} px")
        try:
            found = decode(data, index, jpegtables=tables)[0]
            pixels: NDArray[Any] = found.reshape(found.shape[-3:])
        except Exception as error:  # each codec raises its own exceptions
            raise Undecodable("damaged data") from error
        return pixels

    return read


def _claimed(data: bytes, compression: int) -> tuple[int, int] | None:
    """Return the height and width that JPEG or JPEG 2000 data claims, if it does."""
    try:
        if compression in JPEG_2000:
            at = data.find(b"\xff\x4f\xff\x51")
            if at < 0:
                return None
            x, y, left, top = struct.unpack_from(">4I", data, at + 8)
            (components,) = struct.unpack_from(">H", data, at + 40)
            return max(0, y - top) * max(1, components // 4), max(0, x - left)
        if compression not in JPEGS:
            return None
        at = 2
        while at + 9 <= len(data):
            if data[at] != 0xFF:
                return None
            if data[at + 1] in FRAMES:
                return struct.unpack_from(">2H", data, at + 5)
            filled = data[at + 1] == 0xFF
            at += 1 if filled else 2 + struct.unpack_from(">H", data, at + 2)[0]
    except struct.error:
        return None
    return None
