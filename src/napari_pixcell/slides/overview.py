"""The small picture of a whole slide: levels that no file holds, and their decoding."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.slides.levels import CACHE, Index, Level, TiledLevel, lower_priority
from napari_pixcell.slides.resample import block_means

FACTOR = 4  # between a level and the one computed from it
TILE_PIXELS = 256 * 256
NEWS_S = 0.5  # between two announcements of what was decoded, each of which costs a redraw


def shrunk(parent: Level) -> TiledLevel:
    """Return a level ``FACTOR`` times coarser than its parent, averaged on demand.

    Its tiles cover whole tiles of the parent, so that each of these is decoded once. Tiles that
    the parent decodes are not cached: they would drive out what the user looks at.
    """
    factor = FACTOR
    height, width = -(-parent.shape[0] // factor), -(-parent.shape[1] // factor)
    wide = _side(parent.chunks[1], round(math.sqrt(TILE_PIXELS)))
    tile = _side(parent.chunks[0], max(1, TILE_PIXELS // min(wide, width))), wide

    def fetch(row: int, column: int) -> NDArray[np.uint8]:
        h, w = min(tile[0], height - row * tile[0]), min(tile[1], width - column * tile[1])
        y, x = row * tile[0] * factor, column * tile[1] * factor
        bottom, right = min(y + h * factor, parent.shape[0]), min(x + w * factor, parent.shape[1])
        block = _read_alone(parent, y, bottom, x, right)
        missing = (0, y + h * factor - bottom), (0, x + w * factor - right), (0, 0)
        if missing[0][1] or missing[1][1]:
            block = np.pad(block, missing, constant_values=255)
        return block_means(block, factor, factor)

    level = TiledLevel((height, width), tile, fetch)
    level.computed = True
    return level


def _side(parent: int, most: int) -> int:
    """Return a side of a tile, ``most`` px or little more, that covers whole tiles of a parent."""
    least = parent // math.gcd(parent, FACTOR)
    return least * max(1, most // least)


def _read_alone(parent: Level, top: int, bottom: int, left: int, right: int) -> NDArray[np.uint8]:
    if not isinstance(parent, TiledLevel):
        return parent.read(top, bottom, left, right)
    keep = parent.computed and parent.size <= CACHE.limit // 2
    return parent.read_alone(top, bottom, left, right, keep=keep)


class Overview:
    """All pixels of a level, decoded by one thread that starts with the first look.

    Closing the slide ends the thread, because reading then raises. So does :meth:`stop`, after
    which another look resumes.

    Parameters
    ----------
    level : Level
    arrived : callable
        Called in the thread now and then while pixels arrive that a look missed, and at the end.

    Attributes
    ----------
    early : bool
        Whether a look came before all pixels were there.
    """

    def __init__(self, level: Level, arrived: Callable[[], None]) -> None:
        self._level = level
        self._arrived = arrived
        self._pixels: NDArray[np.uint8] | None = None
        self._missing: dict[Index, None] = {}
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None
        self.early = False
        self._change = threading.Condition()

    @property
    def complete(self) -> bool:
        """True once all pixels are there."""
        return self._pixels is not None and not self._missing

    def now(self, patience: float = 0.0) -> NDArray[np.uint8]:
        """Return the pixels, read-only; those not yet decoded are white and will be filled in.

        Parameters
        ----------
        patience : float
            Seconds to wait if this look starts the decoding.
        """
        with self._change:
            idle = self._thread is None
            pixels = self._begin()
            if idle:
                self._change.wait_for(lambda: self._thread is None, patience)
            self.early = self.early or not self.complete
        view = pixels.view()
        view.flags.writeable = False
        return view

    def whole(self) -> NDArray[np.uint8]:
        """Return all pixels once they are decoded, read-only.

        Raises
        ------
        PixCellError
            If they cannot be read.
        """
        with self._change:
            self._error = None
            while not self.complete:
                self._begin()
                self._change.wait_for(lambda: self._thread is None)
                if self._error is not None:
                    raise self._error
        return self.now()

    def stop(self) -> None:
        """Stop decoding after the current tile."""
        with self._change:
            self._thread = None
            self._change.notify_all()

    def _begin(self) -> NDArray[np.uint8]:
        """Start decoding if that is needed, and return the pixels."""
        level = self._level
        if self._pixels is None and isinstance(level, TiledLevel):
            self._pixels = np.full(level.shape, 255, np.uint8)
            self._missing = dict.fromkeys(level.indices(0, level.shape[0], 0, level.shape[1]))
        elif self._pixels is None:  # in memory, or in one piece
            self._pixels = level.read(0, level.shape[0], 0, level.shape[1])
        if self._thread is None and self._missing and self._error is None:
            self._thread = threading.Thread(target=self._decode, name="slide-overview", daemon=True)
            self._thread.start()
        return self._pixels

    def _decode(self) -> None:
        lower_priority()
        this, told = threading.current_thread(), time.monotonic()
        while True:
            with self._change:
                index = next(iter(self._missing), None)
                if self._thread is not this or index is None:
                    break
            try:
                self._add(index)
            except Exception as error:
                with self._change:
                    self._error = error
                    break
            if self.early and time.monotonic() - told > NEWS_S:
                self._arrived()
                told = time.monotonic()
        with self._change:
            if self._thread is this:
                self._thread = None
                self._change.notify_all()
            early = self.early
        if early:
            self._arrived()

    def _add(self, index: Index) -> None:
        level, pixels = self._level, self._pixels
        assert isinstance(level, TiledLevel) and pixels is not None
        tile = level.fetch(index)
        y, x = index[0] * level.tile[0], index[1] * level.tile[1]
        pixels[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
        with self._change:
            self._missing.pop(index, None)
