"""Damaged files and corrupt tiles. Corrupt tiles are shown white, logged and counted."""

from __future__ import annotations

import logging
import threading

from psygnal import Signal

from napari_pixcell.errors import PixCellError

log = logging.getLogger(__name__)
MOST_LOGGED = 20


class Undecodable(Exception):
    """A tile that a backend cannot decode; never leaves ``slides``."""


def damaged(name: str) -> PixCellError:
    """Return the error for a file that is cut short or partly unreadable."""
    return PixCellError(
        f"“{name}” is damaged or cut short and cannot be read in full. Copy it again from its "
        "source."
    )


class NoTissueImage(PixCellError):
    """The error for an intact image that is not a slide, such as a mask; napari may open it."""


def unsupported(name: str, what: str, advice: str = "Save it as RGB with 8 bits.") -> PixCellError:
    """Return the error for an intact file that is stored in a way that cannot be read rightly."""
    return PixCellError(f"“{name}” {what}. {advice}")


class CorruptTiles:
    """The corrupt tiles of one slide, as far as it has been read.

    Attributes
    ----------
    found : Signal
        Emitted for each new corrupt tile, in the thread that read it.
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
        """Return the level, row and column of each."""
        with self._lock:
            return sorted(self._tiles)

    def add(self, level: int, row: int, column: int, reason: BaseException) -> None:
        """Count a corrupt tile; log the first ``MOST_LOGGED`` of a slide."""
        tile = (level, row, column)
        with self._lock:
            if tile in self._tiles:
                return
            self._tiles.add(tile)
            count = len(self._tiles)
        if count <= MOST_LOGGED:
            where = f"the tile in row {row}, column {column} of level {level}"
            why = reason.__cause__ or reason
            log.warning("%s: %s cannot be decoded (%s). It is shown white.", self.name, where, why)
        if count == MOST_LOGGED:
            log.warning("%s: further corrupt tiles are counted but not logged", self.name)
        self.found.emit()
