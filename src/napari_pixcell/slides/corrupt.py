"""Tiles that cannot be decoded: white, logged and counted, so that the rest can be worked with."""

from __future__ import annotations

import logging
import threading

from psygnal import Signal

log = logging.getLogger(__name__)
MOST_LOGGED = 20


class Undecodable(Exception):
    """A backend could not decode one tile; never leaves ``slides``."""


class CorruptTiles:
    """The corrupt tiles met so far in one slide.

    Parameters
    ----------
    name : str
        Of the slide, for the log.

    Attributes
    ----------
    found : Signal
        One more was met; emitted in the thread that read it.
    """

    found = Signal()

    def __init__(self, name: str) -> None:
        self.name = name
        self._tiles: set[tuple[int, int, int]] = set()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._tiles)

    def __contains__(self, tile: tuple[int, int, int]) -> bool:
        return tile in self._tiles

    def known(self) -> list[tuple[int, int, int]]:
        """Give the level, row and column of each."""
        with self._lock:
            return sorted(self._tiles)

    def add(self, level: int, row: int, column: int, reason: BaseException) -> None:
        """Count a tile, and log it unless it is known or many were logged."""
        tile = (level, row, column)
        with self._lock:
            if tile in self._tiles:
                return
            self._tiles.add(tile)
            count = len(self._tiles)
        if count <= MOST_LOGGED:
            log.warning(
                "%s: the tile in row %d, column %d of level %d cannot be decoded (%s); it is white",
                self.name,
                row,
                column,
                level,
                reason.__cause__ or reason,
            )
        if count == MOST_LOGGED:
            log.warning("%s: further corrupt tiles are counted and not logged", self.name)
        self.found.emit()
