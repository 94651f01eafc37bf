"""Decoded tiles of all open slides: one cache for display, embedding and export."""

from __future__ import annotations

import threading

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from napari_pixcell.preferences import megabytes

CACHE_MB = 256.0
Key = tuple[int, int, int]  # level, row, column


def cache_bytes() -> int:
    """Return the size limit of the tile cache in bytes.

    ``PIXCELL_SLIDES_MB`` comes first, then the preference ``slides cache MB``, then 256 MB.
    Values that are not a number of megabytes are ignored.
    """
    return megabytes("PIXCELL_SLIDES_MB", "slides cache MB", CACHE_MB)


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
