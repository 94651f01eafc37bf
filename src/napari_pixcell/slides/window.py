"""What the window draws: pixels that are here already, at once; the others as soon as decoded.

napari reads a layer in the main thread, so that decoding there stops the window. A view waits for
missing tiles a few hundredths of a second, which is enough for most, and draws what is not decoded
by then enlarged from a coarser level, to be drawn again when it is. Only napari's own drawing is
answered so: whoever else reads these arrays (plugins, napari's saving, ``numpy.asarray``) waits for
the true pixels.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_pixcell.slides.levels import Level, TiledLevel

DRAWING = "napari.layers._scalar_field._slice"  # napari's module that reads what it draws
PATIENCE_S = 0.02  # a second drawing costs the window more than this
WHITE = 255


def _be_modest() -> None:
    """Let the window's own thread go first where all cores are busy (Linux knows how)."""
    with contextlib.suppress(AttributeError, OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


_pool = ThreadPoolExecutor(min(4, os.cpu_count() or 1), "slide-window", initializer=_be_modest)
Index = tuple[int, int]
Key = tuple[int, Index]  # level, tile


class SlideView:
    """The levels of a slide as a window looks at them.

    As long as nobody listens to ``ready`` nothing could draw the pixels that come later, so all
    reading waits.

    Parameters
    ----------
    levels : list of Level
        Of the slide, from the finest on.

    Attributes
    ----------
    levels : list of ViewLevel
        For a napari layer.
    ready : Signal
        A tile that was missing when last drawn is decoded; emitted in any thread.
    """

    ready = Signal()

    def __init__(self, levels: Sequence[Level]) -> None:
        self._sources = list(levels)
        self.levels = [ViewLevel(self, index) for index in range(len(levels))]
        self._overview: NDArray[np.uint8] | None = None
        self._waiting: dict[Key, Future[None]] = {}
        self._coarsely: set[Key] = set()
        # Tiles of the box drawn last: with a small cache, those that come could drive out those
        # that were here, and the drawing would never end.
        self._shown: set[Key] = set()
        self._held: dict[Key, NDArray[np.uint8]] = {}
        self._lock = threading.Lock()

    @property
    def busy(self) -> bool:
        """Whether tiles that were drawn coarsely are still being decoded."""
        return bool(self._waiting)

    def overview(self) -> NDArray[np.uint8]:
        """Give the coarsest level, decoded once: (h, w, 3) uint8, not to be written to."""
        if self._overview is None:
            self._overview = np.asarray(self._sources[-1])
            self._overview.flags.writeable = False
        return self._overview

    def now(self, index: int, top: int, bottom: int, left: int, right: int) -> NDArray[np.uint8]:
        """Read a box of a level as far as it is decoded, and have the rest decoded.

        Returns
        -------
        (bottom - top, right - left, 3) uint8
        """
        level = self._sources[index]
        if not isinstance(level, TiledLevel):  # in memory, or of one piece
            return level.read(top, bottom, left, right)
        out = np.empty((bottom - top, right - left, 3), np.uint8)
        tiles = level.indices(top, bottom, left, right)
        wait(self._decode(index, level, tiles), timeout=PATIENCE_S)
        coarsely: set[Key] = set()
        th, tw = level.tile
        for i, j in tiles:
            t, b = max(top, i * th), min(bottom, (i + 1) * th)
            l, r = max(left, j * tw), min(right, (j + 1) * tw)  # noqa: E741
            tile = self._have(index, level, (i, j))
            if tile is None:
                coarsely.add((index, (i, j)))
                part = self._coarse(index, t, b, l, r)
            else:
                part = tile[t - i * th : b - i * th, l - j * tw : r - j * tw]
            out[t - top : b - top, l - left : r - left] = part
        with self._lock:
            self._coarsely = {key for key in coarsely if key in self._waiting}
            late = any(key in self._held for key in coarsely)
        if late:  # decoded since it was looked for
            self.ready.emit()
        return out

    def _have(self, index: int, level: TiledLevel, tile: Index) -> NDArray[np.uint8] | None:
        held = self._held.get((index, tile))
        return level.cached(tile) if held is None else held

    def _coarse(
        self, index: int, top: int, bottom: int, left: int, right: int
    ) -> NDArray[np.uint8]:
        """Give a box inside one tile from the nearest coarser level that has it, by neighbours."""
        shape = self._sources[index].shape
        for coarser in range(index + 1, len(self._sources)):
            level = self._sources[coarser]
            fy, fx = (n / m for n, m in zip(level.shape[:2], shape[:2], strict=True))
            rows = ((np.arange(top, bottom) + 0.5) * fy).astype(int).clip(0, level.shape[0] - 1)
            columns = ((np.arange(left, right) + 0.5) * fx).astype(int).clip(0, level.shape[1] - 1)
            y, x = int(rows[0]), int(columns[0])
            if coarser == len(self._sources) - 1:
                patch = self.overview()[y : rows[-1] + 1, x : columns[-1] + 1]
            elif isinstance(level, TiledLevel):
                found = _cached(level, y, int(rows[-1]) + 1, x, int(columns[-1]) + 1)
                if found is None:
                    continue
                patch = found
            else:
                continue
            return patch.take(columns - x, axis=1).take(rows - y, axis=0)
        return np.full((bottom - top, right - left, 3), WHITE, np.uint8)

    def _decode(self, index: int, level: TiledLevel, tiles: list[Index]) -> list[Future[None]]:
        """Have the missing ones of these tiles decoded, and no others any more.

        Gives those that are new: one that was late before is not worth waiting for again.
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
                if key not in self._waiting and self._have(index, level, tile) is None:
                    self._waiting[key] = _pool.submit(self._fetch, level, key)
                    new.append(self._waiting[key])
        return new

    def _fetch(self, level: TiledLevel, key: Key) -> None:
        pixels = None
        try:
            pixels = level.fetch(key[1])
        finally:  # an error is the future's; the tile stays coarse
            with self._lock:
                self._waiting.pop(key, None)
                if pixels is not None and key in self._shown:
                    self._held[key] = pixels
                told = key in self._coarsely
                self._coarsely.discard(key)
            if told and pixels is not None:
                self.ready.emit()


class ViewLevel(Level):
    """One level of a :class:`SlideView`: an array-like of (h, w, 3) uint8."""

    def __init__(self, view: SlideView, index: int) -> None:
        source = view._sources[index]
        super().__init__((source.shape[0], source.shape[1]), source.chunks[:2])
        self.view = view
        self._source = source
        self._index = index

    def read(self, top: int, bottom: int, left: int, right: int) -> NDArray[np.uint8]:
        """Read a box that lies inside the level: (bottom - top, right - left, 3) uint8."""
        return self._source.read(top, bottom, left, right)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if self._index < len(self.view.levels) - 1 or dtype not in (None, np.uint8):
            return super().__array__(dtype, copy)
        overview = self.view.overview()  # napari keeps it for its thumbnail: the same memory
        return overview.copy() if copy else overview

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        if self._drawn() and isinstance(key, tuple) and len(key) == 3:
            rows, columns, samples = key
            if isinstance(rows, slice) and isinstance(columns, slice) and samples == slice(None):
                (top, bottom, down) = rows.indices(self.shape[0])
                (left, right, across) = columns.indices(self.shape[1])
                if down == across == 1 and top < bottom and left < right:
                    return self.view.now(self._index, top, bottom, left, right)
        return super().__getitem__(key)

    def _drawn(self) -> bool:
        """Whether napari reads this in the main thread to draw it, and will hear of the rest.

        Other readers are told apart by the module that asks. Should napari move its own, its
        drawing waits for the true pixels again, which is slow and never wrong.
        """
        asking = sys._getframe(2).f_globals.get("__name__")
        main = threading.current_thread() is threading.main_thread()
        return asking == DRAWING and main and len(self.view.ready) > 0


def _cached(
    level: TiledLevel, top: int, bottom: int, left: int, right: int
) -> NDArray[np.uint8] | None:
    """Read a small box if all of its tiles are decoded."""
    th, tw = level.tile
    out = np.empty((bottom - top, right - left, 3), np.uint8)
    for i, j in level.indices(top, bottom, left, right):
        tile = level.cached((i, j))
        if tile is None:
            return None
        t, b = max(top, i * th), min(bottom, (i + 1) * th)
        l, r = max(left, j * tw), min(right, (j + 1) * tw)  # noqa: E741
        out[t - top : b - top, l - left : r - left] = tile[
            t - i * th : b - i * th, l - j * tw : r - j * tw
        ]
    return out
