"""Pictures that are read in threads on demand, and cached within a memory limit."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray
from psygnal import Signal

from napari_pixcell.studio.background import Background

log = logging.getLogger(__name__)
K = TypeVar("K", bound=Hashable)
MOST_BYTES = 64_000_000
THREADS = 2
UNREADABLE: NDArray[np.uint8] = np.zeros((0, 0, 3), np.uint8)


class LazyPictures(Generic[K]):
    """Reads the pictures of the newest request in its order, and drops earlier requests.

    Parameters
    ----------
    background : Background
        Emits :attr:`came` in the main thread.
    read : callable
        Returns the picture of a key. It is called in several threads.
    most_bytes : int
        Size of the cache. The least recently used pictures leave it first.
    """

    came = Signal()  # new pictures are in the cache

    def __init__(
        self,
        background: Background,
        read: Callable[[K], NDArray[np.uint8]],
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._background = background
        self._read = read
        self._threads = ThreadPoolExecutor(THREADS, "pixcell-pictures")
        self._lock = threading.Lock()
        # A picture larger than the cache counts as the whole of it, and is kept alone.
        self._cache: LRUCache[K, NDArray[np.uint8]] = LRUCache(
            most_bytes, lambda picture: min(picture.nbytes, most_bytes)
        )
        self._wanted: deque[K] = deque()
        self._reading: set[K] = set()
        self._runners = 0
        self._announced = False
        self._closed = False

    @property
    def busy(self) -> bool:
        with self._lock:
            return self._runners > 0

    def get(self, key: K) -> NDArray[np.uint8] | None:
        """Return a picture: None if it is not read yet, :data:`UNREADABLE` if reading failed."""
        with self._lock:
            return self._cache.get(key)

    def want(self, keys: Iterable[K]) -> None:
        """Read these pictures in this order, in place of those requested before."""
        with self._lock:
            new = (key for key in keys if key not in self._cache and key not in self._reading)
            self._wanted = deque(() if self._closed else new)
            more = min(THREADS - self._runners, len(self._wanted))
            self._runners += max(0, more)
        for _ in range(more):
            self._threads.submit(self._run)

    def close(self) -> None:
        self._closed = True
        self.want(())
        self._threads.shutdown(wait=False)

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._wanted:
                    self._runners -= 1
                    return
                key = self._wanted.popleft()
                self._reading.add(key)
            try:
                picture = self._read(key)
            except Exception as error:  # files of other programs may raise anything
                log.warning("a picture cannot be read: %s", error)
                picture = UNREADABLE
            with self._lock:
                self._reading.discard(key)
                self._cache[key] = picture
                announce, self._announced = not self._announced, True
            if announce:  # once for all that arrive before the main thread has time
                self._background.post(self._announce)

    def _announce(self) -> None:
        with self._lock:
            self._announced = False
        self.came.emit()
