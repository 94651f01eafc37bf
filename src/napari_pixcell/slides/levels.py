"""One resolution of a slide, as an array that decodes only what is read, and the tile cache."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from napari_pixcell.errors import PixCellError
from napari_pixcell.preferences import SLIDES_CACHE, megabytes
from napari_pixcell.slides.corrupt import CorruptTiles, Undecodable

ROWS_AT_ONCE = 512  # rows laid on white together, to bound memory
Key = tuple[int, int, int]  # level, row, column
Index = tuple[int, int]  # row and column of a tile
Part = tuple[Index, tuple[slice, slice], tuple[slice, slice]]  # of a tile, in box and tile
THREADS = min(4, os.cpu_count() or 1)
_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="slide-tiles")
_numbers = count()


def lower_priority() -> None:
    """Lower this thread's priority, so that the main thread comes first (Linux only)."""
    with contextlib.suppress(AttributeError, OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


def cache_bytes() -> int:
    """Return the size limit of the tile cache in bytes.

    See :data:`~napari_pixcell.preferences.SLIDES_CACHE`.
    """
    return megabytes(SLIDES_CACHE)


class TileCache:
    """Least-recently-used cache of decoded tiles, safe in several threads.

    Parameters
    ----------
    limit : int, optional
        Bytes of all tiles together. A single larger tile is still kept. Default:
        :func:`cache_bytes`, read again whenever a slide is opened.
    """

    def __init__(self, limit: int | None = None) -> None:
        self._lock = threading.Lock()
        self._tiles = self._empty(cache_bytes() if limit is None else limit)

    def _empty(self, limit: int) -> LRUCache[Key, NDArray[np.uint8]]:
        self.limit = limit
        most = max(1, limit)  # a tile larger than the limit counts as filling the cache
        return LRUCache(most, getsizeof=lambda tile: min(tile.nbytes, most))

    @property
    def nbytes(self) -> int:
        """Bytes of all cached tiles."""
        with self._lock:
            return sum(tile.nbytes for tile in self._tiles.values())

    def get(self, key: Key) -> NDArray[np.uint8] | None:
        """Return a tile, or None if it is not cached."""
        with self._lock:
            return self._tiles.get(key)

    def put(self, key: Key, tile: NDArray[np.uint8]) -> None:
        """Add a tile, evicting the least recently used ones if the limit requires it."""
        with self._lock:
            self._tiles[key] = tile

    def drop(self, level: int) -> None:
        """Remove the tiles of one level."""
        with self._lock:
            for key in [key for key in self._tiles if key[0] == level]:
                del self._tiles[key]

    def use_limit(self, limit: int) -> None:
        """Change the limit, evicting tiles if it is lower."""
        with self._lock:
            if limit == self.limit:
                return
            old, self._tiles = self._tiles, self._empty(limit)
            while old:  # the least recently used tile comes first, so the order stays
                key, tile = old.popitem()
                self._tiles[key] = tile


CACHE = TileCache()


def to_rgb8(
    pixels: NDArray[Any], bits: int = 16, *, premultiplied: bool = False
) -> NDArray[np.uint8]:
    """Convert (h, w, 3 or 4) pixels of any common type to RGB uint8, transparency on white.

    Parameters
    ----------
    bits : int
        How many bits of a 16-bit sample are used.
    premultiplied : bool
        Whether the colours were multiplied by alpha already.
    """
    if pixels.dtype == np.uint16:
        most = (1 << bits) - 1
        values = np.minimum(np.arange(1 << 16), most)
        table = values // 257 if bits == 16 else (values * 255 + most // 2) // most
        pixels = table.astype(np.uint8)[pixels]
    elif pixels.dtype == bool:
        pixels = pixels.astype(np.uint8) * 255
    elif pixels.dtype.kind == "f":
        pixels = np.rint(np.clip(np.nan_to_num(pixels), 0, 1) * 255).astype(np.uint8)
    elif pixels.dtype != np.uint8:
        pixels = np.clip(pixels, 0, 255).astype(np.uint8)
    if pixels.shape[-1] < 4:
        return np.ascontiguousarray(pixels)
    if pixels[..., 3].min(initial=255) == 255:
        return np.ascontiguousarray(pixels[..., :3])
    out = np.empty((*pixels.shape[:2], 3), np.uint8)
    for top in range(0, len(pixels), ROWS_AT_ONCE):
        part = pixels[top : top + ROWS_AT_ONCE].astype(np.uint16)
        rgb, alpha = part[..., :3], part[..., 3:]
        shown = rgb if premultiplied else (rgb * alpha + 127) // 255
        out[top : top + ROWS_AT_ONCE] = np.minimum(shown + (255 - alpha), 255)
    return out


class Level:
    """Array-like of one resolution, (h, w, 3) uint8, read by slicing.

    Parameters
    ----------
    shape : (h, w)
    chunk : (rows, columns)
        Unit of decoding.
    """

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(self, shape: tuple[int, int], chunk: tuple[int, int]) -> None:
        self.shape = (int(shape[0]), int(shape[1]), 3)
        self.chunks = (min(int(chunk[0]), self.shape[0]), min(int(chunk[1]), self.shape[1]), 3)
        self.size = self.shape[0] * self.shape[1] * 3

    def read(self, top: int, bottom: int, left: int, right: int) -> NDArray[np.uint8]:
        """Read a box inside the level as (bottom - top, right - left, 3) uint8."""
        raise NotImplementedError

    def read_white(self, top: int, bottom: int, left: int, right: int) -> NDArray[np.uint8]:
        """Read any box; pixels outside the level are white."""
        height, width, _ = self.shape
        if 0 <= top < bottom <= height and 0 <= left < right <= width:
            return self.read(top, bottom, left, right)
        out = np.full((bottom - top, right - left, 3), 255, np.uint8)
        t, b, l, r = max(top, 0), min(bottom, height), max(left, 0), min(right, width)  # noqa: E741
        if t < b and l < r:
            out[t - top : b - top, l - left : r - left] = self.read(t, b, l, r)
        return out

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        out = self.read(0, self.shape[0], 0, self.shape[1])
        return out if dtype is None else out.astype(dtype)

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        keys = list(key) if isinstance(key, tuple) else [key]
        for at in [i for i, k in enumerate(keys) if k is Ellipsis]:
            keys[at : at + 1] = [slice(None)] * (4 - len(keys))
        keys += [slice(None)] * (3 - len(keys))
        spans: list[tuple[int, int]] = []
        inner: list[slice | int] = []
        for k, n in zip(keys[:2], self.shape[:2], strict=True):
            picked = range(n)[k]  # raises IndexError outside
            if isinstance(picked, int):
                spans.append((picked, picked + 1))
                inner.append(0)
            else:
                low, high = sorted((picked[0], picked[-1])) if picked else (0, -1)
                spans.append((low, high + 1))
                inner.append(slice(None, None, picked.step))
        (top, bottom), (left, right) = spans
        if top == bottom or left == right:
            block = np.empty((bottom - top, right - left, 3), np.uint8)
        else:
            block = self.read(top, bottom, left, right)
        return block[(*inner, keys[2])]

    def __reduce__(self) -> Any:
        raise TypeError("A slide level holds an open file. Open the slide again instead.")


class TiledLevel(Level):
    """A level decoded tile by tile; tiles are kept in the shared cache.

    Parameters
    ----------
    shape : (h, w)
    tile : (rows, columns)
    fetch : callable (row, column) -> (rows, columns, 3) uint8
        Decodes one tile, cropped to the level, or raises :class:`Undecodable`. Must be thread-safe.
    corrupt : CorruptTiles, optional
        Counts tiles that cannot be decoded.
    index : int
        Index of this level in its slide, for ``corrupt``.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        tile: tuple[int, int],
        fetch: Callable[[int, int], NDArray[np.uint8]],
        corrupt: CorruptTiles | None = None,
        index: int = 0,
    ) -> None:
        super().__init__(shape, tile)
        self.tile = (int(tile[0]), int(tile[1]))
        self.decode = fetch
        self.computed = False  # from another level, which takes longer than decoding
        self.check: Callable[[], None] = lambda: None  # raises if the file has changed
        self.corrupt = CorruptTiles("slide") if corrupt is None else corrupt
        self.index = index
        self._number = next(_numbers)

    def fetch(self, index: Index) -> NDArray[np.uint8]:
        """Return a tile, decoded if it is not cached, or white if it cannot be decoded."""
        return self._fetch(index, keep=True)

    def _fetch(self, index: Index, keep: bool) -> NDArray[np.uint8]:
        key = (self._number, *index)
        tile = CACHE.get(key)
        if tile is not None:
            return tile
        if (self.index, *index) in self.corrupt:  # evicted from the cache, but still corrupt
            return self._white(index)
        self.check()
        try:
            tile = self.decode(*index)
        except Undecodable as error:
            self.corrupt.add(self.index, *index, error)
            tile = self._white(index)
        if keep:
            CACHE.put(key, tile)
        return tile

    def _white(self, index: Index) -> NDArray[np.uint8]:
        (th, tw), (height, width, _) = self.tile, self.shape
        shape = min(th, height - index[0] * th), min(tw, width - index[1] * tw), 3
        return np.full(shape, 255, np.uint8)

    def cached(self, index: Index) -> NDArray[np.uint8] | None:
        """Return a tile if it is cached."""
        return CACHE.get((self._number, *index))

    def indices(self, top: int, bottom: int, left: int, right: int) -> list[Index]:
        """Return the (row, column) of every tile that a box touches."""
        th, tw = self.tile
        return [
            (i, j)
            for i in range(top // th, (bottom - 1) // th + 1)
            for j in range(left // tw, (right - 1) // tw + 1)
        ]

    def overlaps(self, top: int, bottom: int, left: int, right: int) -> Iterator[Part]:
        """Iterate over the tiles that a box touches, with the shared part in box and tile."""
        th, tw = self.tile
        for i, j in self.indices(top, bottom, left, right):
            y, x = i * th, j * tw
            t, b = max(top, y), min(bottom, y + th)
            l, r = max(left, x), min(right, x + tw)  # noqa: E741
            in_box = slice(t - top, b - top), slice(l - left, r - left)
            yield (i, j), in_box, (slice(t - y, b - y), slice(l - x, r - x))

    def read(self, top: int, bottom: int, left: int, right: int) -> NDArray[np.uint8]:
        """Read a box inside the level as (bottom - top, right - left, 3) uint8."""
        out = np.empty((bottom - top, right - left, 3), np.uint8)
        missing: list[Part] = []
        for part in self.overlaps(top, bottom, left, right):
            tile = self.cached(part[0])
            if tile is None:
                missing.append(part)
            else:
                out[part[1]] = tile[part[2]]
        # All take from one iterator, so that none waits long for the others. The calling thread is
        # one of them, because handing over a task takes as long as decoding a small tile.
        rest, helpers = iter(missing), min(THREADS, len(missing) // 2) - 1
        others = [_pool.submit(self._decode, rest, out) for _ in range(helpers)]
        self._decode(rest, out)
        for other in others:
            other.result()
        return out

    def read_alone(
        self, top: int, bottom: int, left: int, right: int, keep: bool
    ) -> NDArray[np.uint8]:
        """Read a box in the calling thread, which may belong to the pool.

        Parameters
        ----------
        keep : bool
            Whether tiles are added to the cache.
        """
        out = np.empty((bottom - top, right - left, 3), np.uint8)
        self._decode(self.overlaps(top, bottom, left, right), out, keep)
        return out

    def _decode(self, parts: Iterable[Part], out: NDArray[np.uint8], keep: bool = True) -> None:
        for index, in_box, in_tile in parts:
            tile = self.fetch(index) if keep else self._fetch(index, keep=False)
            out[in_box] = tile[in_tile]

    def forget(self) -> None:
        """Remove this level's tiles from the cache."""
        CACHE.drop(self._number)


class ArrayLevel(Level):
    """A level over any array-like of shape (h, w, 3 or 4), such as numpy, zarr or dask arrays."""

    def __init__(self, array: Any) -> None:
        shape = tuple(array.shape)
        if len(shape) != 3 or shape[-1] not in (3, 4):
            raise PixCellError(
                f"An image of shape {' × '.join(map(str, shape))} is not an RGB image. Choose an "
                "RGB image layer or file."
            )
        chunks = getattr(array, "chunks", None) or (1024, 1024)
        chunk = [c if isinstance(c, int) else max(c) for c in chunks[:2]]
        super().__init__(shape[:2], (chunk[0], chunk[1]))
        self._array = array

    def read(self, top: int, bottom: int, left: int, right: int) -> NDArray[np.uint8]:
        """Read a box inside the level as (bottom - top, right - left, 3) uint8."""
        return to_rgb8(np.asarray(self._array[top:bottom, left:right]))
