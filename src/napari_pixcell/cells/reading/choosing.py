"""Choice of one image, of several that a file describes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath, PureWindowsPath

from napari_pixcell.errors import PixCellError

NAMES_SHOWN = 5


def choose(file: str, names: Sequence[str], wanted: str) -> int:
    """Return the index of the image that has a name, or of the only one.

    Folders and suffixes are ignored, as is case.

    Raises
    ------
    PixCellError
        If there are several images and none, or more than one, has that name.
    """
    if len(names) < 2:
        return 0
    fitting = [place for place, name in enumerate(names) if wanted and _stem(name) == _stem(wanted)]
    if len(fitting) == 1:
        return fitting[0]
    shown = ", ".join(_name(name) for name in names[:NAMES_SHOWN])
    more = f" and {len(names) - NAMES_SHOWN:,} more" if len(names) > NAMES_SHOWN else ""
    raise PixCellError(
        f"{file} has the cells of {len(names):,} images ({shown}{more}). Choose one of them."
    )


def _name(name: str) -> str:
    return PureWindowsPath(name).name[:80]  # splits at either slash


def _stem(name: str) -> str:
    return PurePosixPath(_name(name)).stem.lower()
