"""Small Aperio slides with levels, made for a test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

ABOUT = "Aperio Image Library v11.2.1\r\n{0}x{1} (240x240) {2}|AppMag = 20|MPP = 0.4990"


def write_svs(path: Path, rgb: np.ndarray, compression: int, tile: int = 240) -> Path:
    """Write three levels and a thumbnail, as Aperio orders them.

    Parameters
    ----------
    compression : int
        7 is JPEG, 33003 JPEG 2000 in YCbCr, 33005 JPEG 2000 in RGB.
    """
    about = ABOUT.format(rgb.shape[1], rgb.shape[0], compression)
    plain = {"photometric": "rgb", "metadata": None, "description": about}
    with tifffile.TiffWriter(path) as writer:
        for step in (1, 2, 4):
            level = np.ascontiguousarray(rgb[::step, ::step])
            writer.write(level, tile=(tile, tile), compression=compression, **plain)
            if step == 1:
                writer.write(np.ascontiguousarray(rgb[::5, ::5]), compression="jpeg", **plain)
    return path


def damage(path: Path, page: int, tile: int) -> None:
    """Overwrite the start of one tile, where its markers are."""
    with tifffile.TiffFile(path) as file:
        found = file.pages[page]
        offset, count = found.dataoffsets[tile], found.databytecounts[tile]
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(bytes(min(count, 600)))


def leave_out(path: Path, page: int, tile: int) -> None:
    """Leave out one tile, as some scanners do; OpenSlide then reads the file."""
    with tifffile.TiffFile(path) as file:
        tag = file.pages[page].tags[325]
        counts = list(tag.value)
    counts[tile] = 0
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[page].tags[325].overwrite(counts)
