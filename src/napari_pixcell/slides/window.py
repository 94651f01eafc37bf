"""Progressive display: cached pixels are drawn at once, the others as soon as they are decoded.

napari reads a layer in the main thread, so decoding there freezes the window. A view waits a few
hundredths of a second for missing tiles, which is enough for most. It draws the rest enlarged from
a coarser level, and again once they are decoded. The coarsest level is decoded in a thread of its
own, because that of a file without levels needs the whole file. Only napari's own drawing is
answered this way. Other readers (plugins, napari's saving, ``numpy.asarray``) wait for the true
pixels.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_pixcell.slides.levels import Index, Level, TiledLevel, lower_priority
from napari_pixcell.slides.overview import Overview

DRAWING = "napari.layers._scalar_field._slice"  # napari's module that reads what it draws
HOLDING = "napari.layers._scalar_field.scalar_field"  # and the one that keeps the coarsest level
PATIENCE_S = 0.02  # less than a second drawing would cost
WHITE = 255


_pool = ThreadPoolExecutor(min(4, os.cpu_count() or 1), "slide-window", initializer=lower_priority)
Key = tuple[int, Index]  # level, tile


class SlideView:
    """The levels of a slide for progressive display in a napari layer.

    While nobody listens to ``ready``, nothing would draw late pixels, so all reads wait. napari
    reads a layer that it creates before anyone can listen; whoever will listen sets ``awaited``.

    Parameters
    ----------
    levels : list of Level
        Finest first.

    Attributes
    ----------
    levels : list of ViewLevel
        Data of the napari layer.
    awaited : bool
        Whether somebody is about to listen to ``ready``.
    ready : Signal
        Emitted in any thread when pixels that were missing in the last drawing are decoded.
    """

    ready = Signal()

    def __init__(self, levels: Sequence[Level]) -> None:
        self._sources = list(levels)
        self.levels = [ViewLevel(self, index) for index in range(len(levels))]
        self.awaited = False
        self.overview = Overview(self._sources[-1], self.ready.emit)
        self._waiting: dict[Key, Future[None]] = {}
        self._coarsely: set[Key] = set()
        # Tiles of the last box drawn. With a small cache, new tiles could evict these, and the
        # drawing would never be complete.
        self._shown: set[Key] = set()
        self._held: dict[Key, NDArray[np.uint8]] = {}
        self._lock = threading.Lock()

    @property
    def busy(self) -> bool:
        """Whether tiles that were drawn coarsely are still being decoded."""
        return bool(self._waiting)

    @property
    def watched(self) -> bool:
        """Whether late pixels will be drawn."""
        return self.awaited or len(self.ready) > 0

    def stop(self) -> None:
        """Stop decoding what was not drawn; the next drawing resumes."""
        self.awaited = False
        self.overview.stop()

    def now(self, index: int, top: int, bottom: int, left: int, right: int) -> NDArray[np.uint8]:
        """Read a box of a level from decoded tiles, and start decoding the others."""
        level = self._sources[index]
        if index == len(self._sources) - 1:
            return self.overview.now(PATIENCE_S)[top:bottom, left:right]
        if not isinstance(level, TiledLevel):  # in memory, or in one piece
            return level.read(top, bottom, left, right)
        out = np.empty((bottom - top, right - left, 3), np.uint8)
        tiles = level.indices(top, bottom, left, right)
        wait(self._decode(index, level, tiles), timeout=PATIENCE_S)
        coarsely: set[Key] = set()
        for at, (rows, columns), in_tile in level.overlaps(top, bottom, left, right):
            tile = self._decoded(index, level, at)
            if tile is None:
                coarsely.add((index, at))
                box = top + rows.start, top + rows.stop, left + columns.start, left + columns.stop
                out[rows, columns] = self._coarse(index, *box)
            else:
                out[rows, columns] = tile[in_tile]
        with self._lock:
            self._coarsely = {key for key in coarsely if key in self._waiting}
            late = any(key in self._held for key in coarsely)
        if late:  # decoded in the meantime
            self.ready.emit()
        return out

    def _decoded(self, index: int, level: TiledLevel, tile: Index) -> NDArray[np.uint8] | None:
        held = self._held.get((index, tile))
        return level.cached(tile) if held is None else held

    def _coarse(
        self, index: int, top: int, bottom: int, left: int, right: int
    ) -> NDArray[np.uint8]:
        """Return a box inside one tile, enlarged from the nearest coarser level that has it."""
        shape = self._sources[index].shape
        for coarser in range(index + 1, len(self._sources)):
            level = self._sources[coarser]
            fy, fx = (n / m for n, m in zip(level.shape[:2], shape[:2], strict=True))
            rows = ((np.arange(top, bottom) + 0.5) * fy).astype(int).clip(0, level.shape[0] - 1)
            columns = ((np.arange(left, right) + 0.5) * fx).astype(int).clip(0, level.shape[1] - 1)
            y, x = int(rows[0]), int(columns[0])
            if coarser == len(self._sources) - 1:
                patch = self.overview.now()[y : rows[-1] + 1, x : columns[-1] + 1]
            elif isinstance(level, TiledLevel):
                cached = _cached(level, y, int(rows[-1]) + 1, x, int(columns[-1]) + 1)
                if cached is None:
                    continue
                patch = cached
            else:
                continue
            return patch.take(columns - x, axis=1).take(rows - y, axis=0)
        return np.full((bottom - top, right - left, 3), WHITE, np.uint8)

    def _decode(self, index: int, level: TiledLevel, tiles: list[Index]) -> list[Future[None]]:
        """Start decoding the missing tiles among these, and cancel all others.

        Only new tasks are returned. A tile that was late before is not worth waiting for again.
        """
        new: list[Future[None]] = []
        with self._lock:
            self._shown = {(index, tile) for tile in tiles}
            self._held = {key: tile for key, tile in self._held.items() if key in self._shown}
            for key in [key for key in self._waiting if key not in self._shown]:
                if self._waiting[key].cancel():  # the view has moved on
                    del self._waiting[key]
            for tile in tiles:
                key = index, tile
                if key not in self._waiting and self._decoded(index, level, tile) is None:
                    self._waiting[key] = _pool.submit(self._fetch, level, key)
                    new.append(self._waiting[key])
        return new

    def _fetch(self, level: TiledLevel, key: Key) -> None:
        pixels = None
        try:
            pixels = level.fetch(key[1])
        finally:  # an error goes to the future, and the tile stays coarse
            with self._lock:
                self._waiting.pop(key, None)
                if pixels is not None and key in self._shown:
                    self._held[key] = pixels
                was_coarse = key in self._coarsely
                self._coarsely.discard(key)
            if was_coarse and pixels is not None:
                self.ready.emit()


class ViewLevel(Level):
    """One level of a :class:`SlideView`: array-like, (h, w, 3) uint8."""

    def __init__(self, view: SlideView, index: int) -> None:
        source = view._sources[index]
        super().__init__((source.shape[0], source.shape[1]), source.chunks[:2])
        self.view = view
        self._source = source
        self._index = index

    def read(self, top: int, bottom: int, left: int, right: int) -> NDArray[np.uint8]:
        """Read a box inside the level as (bottom - top, right - left, 3) uint8."""
        return self._source.read(top, bottom, left, right)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if self._index < len(self.view.levels) - 1 or dtype not in (None, np.uint8):
            return super().__array__(dtype, copy)
        # napari keeps this for its drawing and its thumbnail, so share the memory
        overview = self.view.overview
        pixels = overview.now(PATIENCE_S) if self._drawn(HOLDING) else overview.whole()
        return pixels.copy() if copy else pixels

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        if self._drawn(DRAWING) and isinstance(key, tuple) and len(key) in (2, 3):
            rows, columns, *samples = key
            slices = isinstance(rows, slice) and isinstance(columns, slice)
            if slices and samples in ([], [slice(None)]):
                (top, bottom, down) = rows.indices(self.shape[0])
                (left, right, across) = columns.indices(self.shape[1])
                if down == across == 1 and top < bottom and left < right:
                    return self.view.now(self._index, top, bottom, left, right)
        return super().__getitem__(key)

    def _drawn(self, module: str) -> bool:
        """Whether napari reads this in the main thread to draw it, and late pixels are drawn.

        The calling module identifies napari's drawing. If napari moves that module, drawing waits
        for the true pixels, which is slow but correct.
        """
        asking = sys._getframe(2).f_globals.get("__name__")
        main = threading.current_thread() is threading.main_thread()
        return asking == module and main and self.view.watched


def _cached(
    level: TiledLevel, top: int, bottom: int, left: int, right: int
) -> NDArray[np.uint8] | None:
    """Read a small box if all of its tiles are decoded."""
    out = np.empty((bottom - top, right - left, 3), np.uint8)
    for index, in_box, in_tile in level.overlaps(top, bottom, left, right):
        tile = level.cached(index)
        if tile is None:
            return None
        out[in_box] = tile[in_tile]
    return out
