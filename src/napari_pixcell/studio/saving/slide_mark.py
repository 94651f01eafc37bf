"""How a session recognises its slide: by its path and its content."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_pixcell.errors import PixCellError
from napari_pixcell.serialization import from_json, to_json
from napari_pixcell.slides.content import content_key, has_content


@dataclass(frozen=True)
class SlideMark:
    """A slide as a session remembers it."""

    name: str
    path: Path | None  # its file; None for a layer without a file
    # Hash of the file, see content_key; without a file, of the pixels of
    # the coarsest level
    content: str
    shape: tuple[int, int]  # (height, width): size of level 0 in px
    mpp: float | None  # pixel size of level 0 in µm

    @classmethod
    def of(cls, slide: Any) -> SlideMark:
        """Return the mark of an open slide. This reads its file or its pixels.

        Raises
        ------
        OSError
            If the file cannot be read.
        """
        path = Path(slide.path).absolute() if slide.path is not None else None
        content = content_key(path) if path is not None else _pixels_key(slide)
        return cls(slide.name, path, content, slide.shape, slide.mpp)

    def is_same(self, other: SlideMark) -> bool:
        """Return True if both marks belong to one slide, wherever its file is."""
        if self.shape != other.shape:
            return False
        if self.content == other.content:
            return True
        pairs = (self, other), (other, self)  # one may be of an earlier version
        return any(a.path is not None and b.is_at(a.path) for a, b in pairs)

    def find(self, folder: Path, relative: str) -> Path | None:
        """Return the slide's file, if it is where it was relative to the session, or absolutely."""
        here = Path(os.path.normpath(folder / relative)) if relative else None
        for path in (here, folder.parent / self.path.name if self.path else None, self.path):
            if path is not None and self.is_at(path):
                return path
        return None

    def is_at(self, path: Path) -> bool:
        try:
            return path.exists() and has_content(path, self.content)
        except OSError:
            return False

    def to_dict(self, folder: Path) -> dict[str, Any]:
        """Convert to a JSON value for a session in ``folder``."""
        relative = ""
        if self.path is not None:
            with contextlib.suppress(ValueError):  # another drive
                relative = Path(os.path.relpath(self.path, folder)).as_posix()
        return to_json(self) | {"relative": relative}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> SlideMark:
        """Convert a value of :meth:`to_dict` back.

        Raises
        ------
        PixCellError
            If it is damaged.
        """
        mark = from_json(cls, value, "The slide is damaged: {detail}.", ignore_unknown=True)
        sizes = (*mark.shape, 1.0 if mark.mpp is None else mark.mpp)
        if not all(0 < size < math.inf for size in sizes):  # NaN is not
            raise PixCellError("The slide is damaged: its sizes are not positive numbers.")
        return mark


def _pixels_key(slide: Any) -> str:
    """Identify a slide without a file by its coarsest level: 32 hexadecimal digits."""
    level = slide.levels[-1]
    pixels = np.asarray(level[:, :])
    digest = hashlib.sha256(f"{slide.shape} {pixels.shape}".encode())
    digest.update(np.ascontiguousarray(pixels).tobytes())
    return digest.hexdigest()[:32]
