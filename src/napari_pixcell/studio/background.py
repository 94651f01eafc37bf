"""Work in threads, with its results delivered in the main thread."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from napari_pixcell.errors import PixCellError

log = logging.getLogger(__name__)
T = TypeVar("T")


class Background:
    """A mailbox, a thread that computes, and one that talks to the worker.

    Whoever owns the main thread calls :meth:`pump`, a dock by a timer. Nothing here knows of Qt.
    """

    def __init__(self) -> None:
        self._inbox: deque[Callable[[], None]] = deque()
        self._compute = ThreadPoolExecutor(1, "pixcell-compute")
        # The worker's pipe may block while the worker starts: never in the main thread.
        self._talk = ThreadPoolExecutor(1, "pixcell-talk")
        self._running = 0
        self._lock = threading.Lock()

    @property
    def busy(self) -> bool:
        return self._running > 0 or bool(self._inbox)

    def post(self, callback: Callable[[], None]) -> None:
        """Have ``callback`` run by the next pump; may be called in any thread."""
        self._inbox.append(callback)

    def compute(
        self, work: Callable[[], T], done: Callable[[T], None], failed: Callable[[str], None]
    ) -> None:
        """Run ``work`` in a thread, then ``done`` or ``failed`` with a sentence in the main one."""
        self._count(1)

        def settle(future: Future[T]) -> None:
            def deliver() -> None:
                self._count(-1)
                if future.cancelled():
                    return
                error = future.exception()
                if error is None:
                    done(future.result())
                else:
                    failed(sentence(error))

            self.post(deliver)

        self._compute.submit(work).add_done_callback(settle)

    def talk(self, work: Callable[[], Any], failed: Callable[[str], None] | None = None) -> None:
        """Run ``work`` in the thread that talks to the worker, in turn; from any thread."""
        self._count(1)

        def settle(future: Future[Any]) -> None:
            self._count(-1)
            error = None if future.cancelled() else future.exception()
            if error is not None and failed is not None:
                self.post(lambda: failed(sentence(error)))

        self._talk.submit(work).add_done_callback(settle)

    def pump(self, seconds: float = 0.03) -> bool:
        """Run posted callbacks for about ``seconds`` at most; True if there were any."""
        end = time.perf_counter() + seconds
        any_came = False
        while self._inbox and (not any_came or time.perf_counter() < end):
            any_came = True
            self._inbox.popleft()()
        return any_came

    def _count(self, change: int) -> None:
        with self._lock:
            self._running += change

    def close(self) -> None:
        """Accept no more work, and drop what waits."""
        self._compute.shutdown(wait=False, cancel_futures=True)
        self._talk.shutdown(wait=False, cancel_futures=True)


def sentence(error: BaseException) -> str:
    """Return an error as a sentence for the user; unexpected ones are logged."""
    if isinstance(error, PixCellError):
        return str(error)
    log.error("unexpected error", exc_info=error)
    if isinstance(error, MemoryError):
        return "Not enough memory. Close other images and try again."
    if isinstance(error, OSError) and error.strerror:
        return f"A file cannot be read or written: {error.strerror}. Check the disk and try again."
    name = type(error).__name__
    return f"An unexpected error occurred ({name}). Try again. The log has the details."
