"""``.mat`` files of HoVer-Net, CoNSeP and Lizard."""

from __future__ import annotations

import struct
import zlib
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.layout import areas
from napari_pixcell.cells.reading.gathering import CellsFile
from napari_pixcell.cells.reading.label_arrays import cells_of
from napari_pixcell.errors import PixCellError
from napari_pixcell.untrusted import read_bounded

MOST_BYTES = 512 * 2**20  # uncompressed
MOST_PIXELS = 6_000**2
MAP = "inst_map"
TYPES = ("inst_type", "class")
NUMBERS = ("inst_uid", "id")
PIXEL_TYPES = "type_map"
NUMERIC = ("double", "single", "logical", *(f"{sign}int{n}" for sign in ("", "u") for n in (8, 16)))
NUMERIC += ("int32", "uint32", "int64", "uint64")
HEADER, TAG = 128, 8
COMPRESSED = 15


def read_mat(path: Path, split_touching: bool = False) -> CellsFile:
    """Read ``inst_map``, with ``inst_type`` as classes.

    Raises
    ------
    PixCellError
        If the file has no instance map, or is too large.
    """
    from scipy.io import loadmat, whosmat

    data = read_bounded(path, MOST_BYTES, "file of cells")
    _check_sizes(path.name, data)
    with path.open("rb") as file:
        shapes = {name: shape for name, shape, kind in whosmat(file) if kind in NUMERIC}
        if MAP not in shapes:
            raise PixCellError(
                f"“{path.name}” has no “{MAP}”, the instance map of HoVer-Net. Save the label "
                "image under this name, or as TIFF."
            )
        if prod(shapes[MAP]) > MOST_PIXELS:
            raise PixCellError(
                f"The map of “{path.name}” has more than {MOST_PIXELS:,} px. Save it as TIFF."
            )
        wanted = [one for one in (MAP, PIXEL_TYPES, *TYPES, *NUMBERS) if one in shapes]
        file.seek(0)
        found = loadmat(file, variable_names=wanted)
    values = np.asarray(found[MAP])
    return cells_of(path.name, values, None, _classes(found, values), split_touching)


def _check_sizes(name: str, data: bytes) -> None:
    """Check that nothing in a file decompresses to too many bytes."""
    order = "<" if data[126:128] == b"IM" else ">"
    at, left = HEADER, MOST_BYTES
    while at + TAG <= len(data):
        kind, size = struct.unpack_from(f"{order}II", data, at)
        if kind == COMPRESSED:
            decoder, packed = zlib.decompressobj(), data[at + TAG : at + TAG + size]
            while packed and left > 0:
                left -= len(decoder.decompress(packed, 2**20))
                packed = decoder.unconsumed_tail
            if left <= 0:
                raise PixCellError(
                    f"“{name}” is larger than {MOST_BYTES / 2**20:,.0f} MB uncompressed. Save only "
                    f"“{MAP}” and “{TYPES[0]}”."
                )
        at += TAG + size


def _classes(found: dict[str, Any], values: NDArray[Any]) -> dict[int, str]:
    """Return the class of each label, from one type a cell or one type a pixel."""
    if values.dtype.kind not in "iuf" or not np.isfinite(values).all():
        return {}
    whole = values.astype(np.int64)
    labels = areas(whole)[0] if whole.min(initial=0) >= 0 else whole[:0]
    types = next((np.ravel(found[one]) for one in TYPES if one in found), None)
    numbers = next((np.ravel(found[one]) for one in NUMBERS if one in found), labels)
    if types is None and np.shape(found.get(PIXEL_TYPES, 0)) == whole.shape:
        flat, first = np.unique(whole, return_index=True)
        numbers, types = flat, np.ravel(found[PIXEL_TYPES])[first]
    if types is not None and len(numbers) != len(types):
        # One type for each number, also for those that no pixel has
        numbers = np.arange(1, len(types) + 1)
        if len(labels) and labels.max() > len(types):
            return {}
    if types is None or types.dtype.kind not in "biuf" or not np.isfinite(types).all():
        return {}
    pairs = zip(numbers.tolist(), types.tolist(), strict=True)
    return {int(one): f"type {int(kind)}" for one, kind in pairs if int(one) and int(kind)}
