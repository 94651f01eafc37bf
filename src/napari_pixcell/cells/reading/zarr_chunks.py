"""Checks of the files of a Zarr array before a library decompresses them."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from napari_pixcell.errors import PixCellError
from napari_pixcell.zarr_files import FILES, is_cut_short, is_oversized, largest_file

MOST_FILES = 100_000
DESCRIBING = (*FILES, ".zmetadata")


def check_chunks(name: str, folder: Path, size: int, codecs: Sequence[str]) -> None:
    """Check that the chunks of an array are plain files that do not fill the memory.

    Parameters
    ----------
    name : str
        Name of the Zarr, for errors.
    size : int
        Bytes of a chunk, decompressed.
    codecs : sequence of str
        Names of its codecs.

    Raises
    ------
    PixCellError
        If there are pipes, too many files, or chunks that decompress to more than their pixels.
    """
    count = 0
    for parent, _, names in os.walk(folder):
        for one in names:
            count += 1
            path = Path(parent) / one
            if not stat.S_ISREG(path.stat().st_mode):
                raise PixCellError(f"“{one}” of “{name}” is not a file. Copy the Zarr again.")
            large = path.stat().st_size > largest_file(size)
            if one not in DESCRIBING and not large:
                data = path.read_bytes()
                large = is_oversized(data, size, codecs)
                if is_cut_short(data, codecs):
                    raise PixCellError(f"“{one}” of “{name}” is cut short. Copy the Zarr again.")
            if large or count > MOST_FILES:
                raise PixCellError(
                    f"“{name}” has more or larger chunks than its shape needs. Copy it again."
                )
