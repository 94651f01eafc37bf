"""How a session knows its slide again: by where it lies, and by what is in it."""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_pixcell.slides.content import content_key


@dataclass(frozen=True)
class SlideMark:
    """A slide as a session remembers it.

    Parameters
    ----------
    name : str
        As shown.
    path : Path, optional
        Of its file; a layer that came from no file has none.
    content : str
        Of the file by its size and ends, see :func:`napari_pixcell.slides.content.content_key`;
        or of the pixels of the coarsest level.
    shape : (height, width)
        Of level 0.
    mpp : float, optional
        µm per px of level 0.
    """

    name: str
    path: Path | None
    content: str
    shape: tuple[int, int]
    mpp: float | None

    @classmethod
    def of(cls, slide: Any) -> SlideMark:
        """Look at an open slide; this reads from the disk, or pixels.

        Raises
        ------
        OSError
            If its file cannot be read.
        """
        path = Path(slide.path).absolute() if slide.path is not None else None
        content = content_key(path) if path is not None else _pixels_key(slide)
        return cls(slide.name, path, content, slide.shape, slide.mpp)

    def is_same(self, other: SlideMark) -> bool:
        """Whether two marks are of one slide, wherever it lies."""
        return self.content == other.content and self.shape == other.shape

    def find(self, folder: Path, relative: str) -> Path | None:
        """Look for the slide's file: by its place relative to the session, then where it was."""
        here = Path(os.path.normpath(folder / relative)) if relative else None
        for path in (here, folder.parent / self.path.name if self.path else None, self.path):
            if path is not None and self.is_at(path):
                return path
        return None

    def is_at(self, path: Path) -> bool:
        """Whether a file is the slide's."""
        try:
            return path.is_file() and content_key(path) == self.content
        except OSError:
            return False

    def to_dict(self, folder: Path) -> dict[str, Any]:
        """Give a JSON value for a session in ``folder``."""
        relative = ""
        if self.path is not None:
            with contextlib.suppress(ValueError):  # another drive
                relative = Path(os.path.relpath(self.path, folder)).as_posix()
        return {
            "name": self.name,
            "path": str(self.path) if self.path is not None else None,
            "relative": relative,
            "content": self.content,
            "shape": list(self.shape),
            "mpp": self.mpp,
        }

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> SlideMark:
        """Read what :meth:`to_dict` gave."""
        path, mpp = value.get("path"), value.get("mpp")
        height, width = (int(n) for n in value["shape"])
        return cls(
            str(value.get("name", "")),
            Path(path) if path else None,
            str(value["content"]),
            (height, width),
            None if mpp is None else float(mpp),
        )


def _pixels_key(slide: Any) -> str:
    """Identify a slide without a file by its coarsest level: 32 hexadecimal digits."""
    level = slide.levels[-1]
    pixels = np.asarray(level[:, :])
    digest = hashlib.sha256(f"{slide.shape} {pixels.shape}".encode())
    digest.update(np.ascontiguousarray(pixels).tobytes())
    return digest.hexdigest()[:32]
