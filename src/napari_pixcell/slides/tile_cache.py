"""Decoded tiles of all open slides: one memory for the window, the encoder and the exporter."""

from __future__ import annotations

import threading
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.preferences import megabytes

CACHE_MB = 256.0
Key = tuple[int, int, int]  # level, row, column


def cache_bytes() -> int:
    """Give the memory that decoded tiles may take, in bytes.

    ``PIXCELL_SLIDES_MB`` comes first, then the preference ``slides cache MB``, then 256 MB; what
    is not a number of megabytes is passed over.
    """
    return megabytes("PIXCELL_SLIDES_MB", "slides cache MB", CACHE_MB)


class TileCache:
    """Decoded tiles, the least recently used dropped first.

    Parameters
    ----------
    limit : int, optional
        Bytes of all tiles together; one tile is kept even where it is larger. Default: what
        :func:`cache_bytes` gives, read again whenever a slide is opened.
    """

    def __init__(self, limit: int | None = None) -> None:
        self.limit = cache_bytes() if limit is None else limit
        self._tiles: OrderedDict[Key, NDArray[np.uint8]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes that are kept now."""
        return self._bytes

    def get(self, key: Key) -> NDArray[np.uint8] | None:
        """Give a tile, or None."""
        with self._lock:
            tile = self._tiles.get(key)
            if tile is not None:
                self._tiles.move_to_end(key)
            return tile

    def put(self, key: Key, tile: NDArray[np.uint8]) -> None:
        """Keep a tile."""
        with self._lock:
            old = self._tiles.pop(key, None)
            self._bytes += tile.nbytes - (0 if old is None else old.nbytes)
            self._tiles[key] = tile
            self._shrink()

    def drop(self, level: int) -> None:
        """Forget the tiles of one level."""
        with self._lock:
            for key in [k for k in self._tiles if k[0] == level]:
                self._bytes -= self._tiles.pop(key).nbytes

    def use_limit(self, limit: int) -> None:
        """Keep within another number of bytes from now on."""
        with self._lock:
            self.limit = limit
            self._shrink()

    def _shrink(self) -> None:
        while self._bytes > self.limit and len(self._tiles) > 1:
            self._bytes -= self._tiles.popitem(last=False)[1].nbytes


CACHE = TileCache()
