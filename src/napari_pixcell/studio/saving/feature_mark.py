"""The open file of features, as a session remembers it: by its path and its content."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_pixcell.errors import PixCellError
from napari_pixcell.serialization import from_json, to_json
from napari_pixcell.slides.content import content_key
from napari_pixcell.untrusted import check_regular


@dataclass(frozen=True)
class FeatureMark:
    """A file of features of a slide.

    Parameters
    ----------
    path : Path
        Absolute.
    content : str
        Its :func:`~napari_pixcell.slides.content.content_key`.
    shown : bool
        Whether its patches are shown on the slide.
    relative : str
        Path from the session's folder, which survives a move of both; empty on another drive.
    """

    path: Path
    content: str
    shown: bool = True
    relative: str = ""

    def find(self, folder: Path) -> Path | None:
        """Return the file if it is still there and unchanged.

        Parameters
        ----------
        folder : Path
            Of the session.
        """
        here = Path(os.path.normpath(folder / self.relative)) if self.relative else None
        for path in (here, self.path):
            with contextlib.suppress(OSError, ValueError, PixCellError):
                if path is not None and path.is_absolute() and path.is_file():
                    check_regular(path)
                    if content_key(path) == self.content:
                        return path
        return None

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON value, to which :func:`with_relative` adds the relative path."""
        return to_json(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> FeatureMark:
        """Convert a value of :meth:`to_dict` back.

        Raises
        ------
        PixCellError
            If it is damaged.
        """
        words = "The features of the session are damaged: {detail}."
        return from_json(cls, value, words, ignore_unknown=True)


def with_relative(value: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the JSON value of a mark with its path from a session's folder."""
    relative = ""
    with contextlib.suppress(ValueError):  # another drive
        relative = Path(os.path.relpath(value["path"], folder)).as_posix()
    return value | {"relative": relative}
