"""Two stages of work at the same time: one item is finished while the next one is begun."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def overlapped(items: Iterable[T], finish: Callable[[T], R]) -> Generator[R]:
    """Iterate over finished items, in order. Each is finished in a thread.

    The next item is taken meanwhile, and no more than that. If taking an item raises, or the caller
    stops, the item in the thread is still finished. What ``finish`` raises is raised here, in place
    of its result, and no further item is begun.

    Parameters
    ----------
    items : iterable
        Iterated in the caller's thread.
    finish : callable
        Called with one item at a time.
    """
    with ThreadPoolExecutor(1, "pixcell-finish") as thread:
        running: Future[R] | None = None
        for item in items:
            if running is not None:
                before, running = running, None
                yield before.result()
            running = thread.submit(finish, item)
        if running is not None:
            yield running.result()
