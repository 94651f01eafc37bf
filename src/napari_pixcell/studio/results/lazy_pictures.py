"""Pictures that are read in threads when somebody looks at them, and forgotten when many are."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_pixcell.studio.background import Background

log = logging.getLogger(__name__)
K = TypeVar("K", bound=Hashable)
MOST_BYTES = 64_000_000
THREADS = 2
UNREADABLE: NDArray[np.uint8] = np.zeros((0, 0, 3), np.uint8)


class LazyPictures(Generic[K]):
    """Reads what is wanted now, in its order; what was wanted before and not begun is left.

    Parameters
    ----------
    background : Background
        Brings :attr:`came` to the main thread.
    read : callable
        Gives the picture of a key, in any thread.
    most_bytes : int
        Above this the pictures that were not looked at for longest go.

    Attributes
    ----------
    came : Signal
        There are new ones to :meth:`get`.
    """

    came = Signal()

    def __init__(
        self,
        background: Background,
        read: Callable[[K], NDArray[np.uint8]],
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._background = background
        self._read = read
        self._most_bytes = most_bytes
        self._threads = ThreadPoolExecutor(THREADS, "pixcell-pictures")
        self._lock = threading.Lock()
        self._kept: OrderedDict[K, NDArray[np.uint8]] = OrderedDict()
        self._bytes = 0
        self._wanted: deque[K] = deque()
        self._reading: set[K] = set()
        self._runners = 0
        self._told = False
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether pictures are being read."""
        with self._lock:
            return self._runners > 0

    def get(self, key: K) -> NDArray[np.uint8] | None:
        """Give a picture; None where it is not there, :data:`UNREADABLE` where it cannot be."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def want(self, keys: Iterable[K]) -> None:
        """Read these, in this order, and leave what else was wanted."""
        with self._lock:
            kept, reading = self._kept, self._reading
            new = (key for key in keys if key not in kept and key not in reading)
            self._wanted = deque(() if self._closed else new)
            more = min(THREADS - self._runners, len(self._wanted))
            self._runners += max(0, more)
        for _ in range(more):
            self._threads.submit(self._run)

    def close(self) -> None:
        """Read no more."""
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
            except Exception as error:  # whatever is in the file of another program
                log.warning("a picture cannot be read: %s", error)
                picture = UNREADABLE
            self._keep(key, picture)

    def _keep(self, key: K, picture: NDArray[np.uint8]) -> None:
        with self._lock:
            self._reading.discard(key)
            self._kept[key] = picture
            self._bytes += picture.nbytes
            while self._bytes > self._most_bytes and len(self._kept) > 1:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
            tell, self._told = not self._told, True
        if tell:  # once for all that come until the main thread has time
            self._background.post(self._tell)

    def _tell(self) -> None:
        with self._lock:
            self._told = False
        self.came.emit()
