"""Arrays of a session that get files of their own."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.slides.stored_picture import StoredPicture
from napari_pixcell.studio.saving.arrays import packed_bytes


@dataclass(frozen=True, eq=False)
class Side:
    """An array that gets a file of its own."""

    key: Hashable  # identifies its content: the same key means the same array
    suffix: str
    # Returns its bytes; called in another thread, and only if the key has no file yet
    encode: Callable[[], bytes]
    owner: object = None  # kept alive while the key is in use, if the key contains its id


@dataclass(frozen=True, eq=False)
class Stored:
    """A picture too large for memory, in the cache folder."""

    picture: StoredPicture
    kept: bool  # copied into the session, else only named


def packed_side(packed: PackedArray | None) -> Side | None:
    """Return the side of an array that never changes."""
    if packed is None:
        return None
    return Side(("packed", id(packed)), ".array", lambda: packed_bytes(packed), packed)
