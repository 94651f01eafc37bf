"""TIFF and OME-TIFF, flat or pyramidal, by tifffile."""

from __future__ import annotations

import logging
import struct
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.corrupt import CorruptTiles, Undecodable, damaged
from napari_pixcell.slides.levels import ArrayLevel, Level, TiledLevel, to_rgb8
from napari_pixcell.slides.pixel_size import from_ome, from_resolution, in_um, plausible
from napari_pixcell.slides.slide import Slide, shape_ratios

MOST_PIXELS = 30_000 * 30_000  # of a level that can only be decoded as a whole
UNITS = {2: "inch", 3: "cm"}
logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # our error messages replace its log


def open_file(path: Path) -> Slide:
    """Open a TIFF.

    Raises
    ------
    PixCellError
        If it is damaged, cut short or has no RGB image.
    """
    import tifffile

    if _chain_is_broken(path):
        raise damaged(path.name)
    try:
        file = tifffile.TiffFile(path)
        colour = [s for s in file.series if _is_rgb(s)]
    except (tifffile.TiffFileError, ValueError, IndexError, KeyError, struct.error) as error:
        raise damaged(path.name) from error
    if not colour:
        file.close()
        raise PixCellError(
            f"“{path.name}” is not an RGB image, so it cannot be opened as a slide. Import a label "
            "image as a layout instead."
        )
    series = max(colour, key=lambda s: s.size)
    reader = Reader(file, path)
    try:
        levels = [reader.level(level, index) for index, level in enumerate(series.levels)]
    except PixCellError:
        file.close()
        raise
    mpp, source = _pixel_size(file, series)
    pairs, close = shape_ratios(levels), reader.close
    return Slide(path.name, levels, pairs, mpp, source, path, close=close, corrupt=reader.corrupt)


def _is_rgb(series: Any) -> bool:
    sizes = dict(zip(series.axes, series.shape, strict=True))
    samples = sizes.get("S", sizes.get("C", 0))
    others = [n for a, n in sizes.items() if a not in "YXSC"]
    kind = series.dtype is not None and series.dtype.kind in "u"
    # Without a sample axis it must be photometric RGB, unlike a three-channel fluorescence stack.
    colour = "S" in sizes or series.keyframe.photometric in (2, 6)
    return kind and colour and samples in (3, 4) and all(n == 1 for n in others)


def _pixel_size(file: Any, series: Any) -> tuple[float | None, str]:
    if file.is_ome:
        mpp = from_ome(file.ome_metadata, file.series.index(series))
        if mpp is not None:
            return mpp, "OME metadata"
    tags = series.keyframe.tags
    x, y = (_ratio(tags[code].value) if code in tags else 0.0 for code in (282, 283))
    if file.is_imagej:
        um = in_um(1.0, (file.imagej_metadata or {}).get("unit"))
        if um is not None and x > 0 and y > 0:
            mpp = plausible(um / x, um / y)
            return mpp, "ImageJ metadata" if mpp else ""
        return None, ""
    unit = UNITS.get(int(tags[296].value)) if 296 in tags else "inch"
    mpp = from_resolution(x, y, unit)
    return mpp, "the TIFF's resolution" if mpp else ""


def _ratio(value: Any) -> float:
    top, bottom = value
    return top / bottom if bottom else 0.0


class Reader:
    """An open TIFF; segments are read under a lock and decoded outside it."""

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

    def level(self, level: Any, index: int) -> Level:
        """Return a level of a series, the ``index``-th of its slide."""
        page = level.keyframe
        for one in level.pages:
            if one is not None:
                self.check_end(one)
        if page.is_tiled and len(level.pages) == 1 and page.axes == "YXS":
            return self.tiled(page, index)
        sizes = dict(zip(level.axes, level.shape, strict=True))
        if sizes["Y"] * sizes["X"] > MOST_PIXELS:
            raise PixCellError(
                f"“{self.name}” is too large to be read without tiles. Save it as a tiled TIFF."
            )
        return _WholeLevel(self, level, (sizes["Y"], sizes["X"]))

    def check_end(self, page: Any) -> None:
        """Raise PixCellError if the file ends before the data of a page."""
        segments = zip(page.dataoffsets, page.databytecounts, strict=False)
        if any(offset + count > self.size for offset, count in segments):
            raise damaged(self.name)

    def tiled(self, page: Any, number: int) -> TiledLevel:
        """Return the level of a tiled page, the ``number``-th of its slide."""
        height, width = page.shape[:2]
        th, tw = page.tilelength, page.tilewidth
        across = -(-width // tw)
        # Load all tags now, because tifffile reads some from the shared handle on first use.
        tables, decode = page.jpegtables, page.decode
        offsets, counts = tuple(page.dataoffsets), tuple(page.databytecounts)

        def fetch(row: int, column: int) -> NDArray[np.uint8]:
            index = row * across + column
            h, w = min(th, height - row * th), min(tw, width - column * tw)
            offset, count = offsets[index], counts[index]
            if not count:  # sparse files omit empty tiles
                return np.full((h, w, 3), 255, np.uint8)
            data = self.bytes(offset, count)
            try:
                tile = decode(data, index, jpegtables=tables)[0]
                pixels = to_rgb8(tile.reshape(tile.shape[-3:])[:h, :w])
            except Exception as error:  # each codec raises its own exceptions
                raise Undecodable("damaged data") from error
            if pixels.shape != (h, w, 3):
                raise Undecodable(f"a tile of shape {pixels.shape}")
            return pixels

        return TiledLevel((height, width), (th, tw), fetch, corrupt=self.corrupt, index=number)

    def bytes(self, offset: int, count: int) -> bytes:
        """Read a segment without decoding it."""
        with self._lock:
            handle = self.file.filehandle
            if handle.closed:
                raise PixCellError(f"“{self.name}” was closed. Open it again.")
            handle.seek(offset)
            return bytes(handle.read(count))

    def whole(self, level: Any) -> NDArray[np.uint8]:
        """Decode a level that has no usable tiles."""
        with self._lock:
            if self.file.filehandle.closed:
                raise PixCellError(f"“{self.name}” was closed. Open it again.")
            try:
                pixels = level.asarray()
            except Exception as error:  # each codec raises its own exceptions
                raise damaged(self.name) from error
        pixels = pixels.reshape([n for n in level.shape if n > 1])
        axes = [a for a, n in zip(level.axes, level.shape, strict=True) if n > 1]
        last = next(i for i, a in enumerate(axes) if a in "SC")
        return to_rgb8(np.moveaxis(pixels, last, -1))


class _WholeLevel(ArrayLevel):
    """A level without usable tiles, decoded as a whole when first read."""

    def __init__(self, reader: Reader, level: Any, shape: tuple[int, int]) -> None:
        Level.__init__(self, shape, (1024, 1024))
        self._source = (reader, level)
        self._once = threading.Lock()
        self._array: NDArray[np.uint8] | None = None

    def read(self, top: int, bottom: int, left: int, right: int) -> NDArray[np.uint8]:
        """Read a box inside the level as (bottom - top, right - left, 3) uint8."""
        with self._once:
            if self._array is None:
                reader, level = self._source
                self._array = reader.whole(level)
            return self._array[top:bottom, left:right]


def _chain_is_broken(path: Path) -> bool:
    """Whether a directory of the TIFF lies beyond the end of the file, as in a truncated copy."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(16)
        order = "<" if head[:2] == b"II" else ">"
        big = head[2:4] in (b"+\0", b"\0+")
        word, number, entry = ("Q", "Q", 20) if big else ("I", "H", 12)
        start = 8 if big else 4
        width, lead = struct.calcsize(word), struct.calcsize(number)
        if len(head) < start + width:
            return True
        (offset,) = struct.unpack(order + word, head[start : start + width])
        seen: set[int] = set()
        if not offset:
            return True
        while offset and offset not in seen:
            seen.add(offset)
            file.seek(offset)
            raw = file.read(lead)
            if offset >= size or len(raw) < lead:
                return True
            after = offset + lead + struct.unpack(order + number, raw)[0] * entry
            file.seek(after)
            raw = file.read(width)
            if len(raw) < width:
                return True
            (offset,) = struct.unpack(order + word, raw)
    return False
