"""Claims of chunks by processes that share a folder, and no lock.

A claim only saves work: a chunk that two processes make is the same, and its part replaces the
other. A process renews its claims while it lives. Those that others see unchanged for a while are
taken over, by their own clock, because clocks of machines differ.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from napari_pixcell.datasets.parallel.chunks import Shard
from napari_pixcell.files import write_whole

LEASE = 60.0  # seconds after which a claim that was not renewed is taken over
RENEWED = 6  # times in that

T = TypeVar("T")


class Claims:
    """Claims chunks by files in a folder. Use it as a context manager.

    Parameters
    ----------
    folder : Path
    shard : Shard
        Begins at its share of the chunks, so that few are claimed twice.
    lease : float
        Seconds after which a claim of another process that was not renewed is taken over.
    """

    def __init__(self, folder: Path, shard: Shard, lease: float = LEASE) -> None:
        self._folder, self._shard, self.lease = folder, shard, lease
        self._token, self._count = uuid.uuid4().hex, 0
        self._own: set[str] = set()
        self._seen: dict[str, tuple[bytes, float]] = {}  # of others, and since when
        self._changes, self._ended = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)

    def __enter__(self) -> Claims:
        """Begin to renew claims."""
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Release all claims."""
        self._ended.set()
        self._thread.join()
        for name in list(self._own):
            self.release(name)

    def in_turn(self, chunks: Sequence[T]) -> list[T]:
        """Return chunks in the order in which this shard makes them."""
        start = self._shard.number * len(chunks) // self._shard.count
        return [*chunks[start:], *chunks[:start]]

    def take(self, name: str) -> bool:
        """Claim a chunk; return False if another process has claimed it, or has ended the work."""
        path = self._path(name)
        with self._changes:
            try:
                handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
            except FileNotFoundError:  # the whole folder
                return False
            except FileExistsError:
                if not self._is_stale(name):
                    return False
                write_whole(path, self._content(), sync=False)
            else:
                with open(handle, "wb") as file:  # noqa: PTH123  (a handle)
                    file.write(self._content().encode())
            self._own.add(name)
            return True

    def release(self, name: str) -> None:
        """End a claim."""
        with self._changes:
            self._own.discard(name)
            self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.claim"

    def _content(self) -> str:
        self._count += 1
        return f"{self._token} {self._count}"

    def _is_stale(self, name: str) -> bool:
        try:
            content = self._path(name).read_bytes()
        except OSError:  # it was released just now
            return False
        known, now = self._seen.get(name), time.monotonic()
        if known is None or known[0] != content:
            self._seen[name] = content, now
            return False
        return now - known[1] >= self.lease

    def _renew(self) -> None:
        while not self._ended.wait(max(self.lease / RENEWED, 0.1)):
            with self._changes, suppress(OSError):
                for name in self._own:
                    write_whole(self._path(name), self._content(), sync=False)
