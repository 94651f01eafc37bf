"""Arrays as plain JSON values, so that a request can carry its pixels by value."""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.errors import PixCellError
from napari_pixcell.serialization import use_own_form


@dataclass(frozen=True)
class PackedArray:
    """An array that can be compared, hashed and written as JSON.

    Parameters
    ----------
    dtype : str
        NumPy's name of the type. The bytes are little-endian.
    shape : tuple of int
        Shape of the array.
    data : str
        Its bytes in C order, zlib-compressed, base64.
    """

    dtype: str
    shape: tuple[int, ...]
    data: str

    @classmethod
    def pack(cls, array: NDArray[Any]) -> PackedArray:
        """Pack any numeric array."""
        array = np.ascontiguousarray(array)
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        data = base64.b64encode(zlib.compress(little.tobytes(), 6)).decode("ascii")
        return _shared(cls(array.dtype.name, tuple(array.shape), data))

    def unpack(self) -> NDArray[Any]:
        """Return the array, writable and native-endian."""
        dtype = np.dtype(self.dtype).newbyteorder("<")
        raw = zlib.decompress(base64.b64decode(self.data))
        return np.frombuffer(raw, dtype).reshape(self.shape).astype(self.dtype)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON value."""
        return {"dtype": self.dtype, "shape": list(self.shape), "zlib": self.data}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> PackedArray:
        """Read the result of :meth:`to_dict`, and check that the array is complete.

        Raises
        ------
        PixCellError
            If it is damaged.
        """
        try:
            new = cls(str(value["dtype"]), tuple(int(n) for n in value["shape"]), value["zlib"])
            return _shared(new, check=True)
        except (KeyError, TypeError, ValueError, zlib.error) as error:
            raise PixCellError(
                "An array in this record is damaged. Use a record that was not edited by hand."
            ) from error


use_own_form(PackedArray, PackedArray.to_dict, PackedArray.from_dict)

# A hundred variants of one job carry the same arrays, which should be in memory only once.
_known: WeakValueDictionary[int, PackedArray] = WeakValueDictionary()


def _shared(packed: PackedArray, check: bool = False) -> PackedArray:
    """Return an equal array that is already in memory, else this one, checked if asked for."""
    key = hash(packed)
    known = _known.get(key)
    if known is not None and known == packed:
        return known
    if check:
        packed.unpack()
    _known[key] = packed
    return packed
