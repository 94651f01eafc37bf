"""Arrays as plain JSON values, so that a request can carry its pixels by value.

An array is compressed only when it is written as JSON, to a record or a file. On their way to the
worker and back, arrays travel through shared memory: see :func:`arrays_apart`.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.errors import PixCellError
from napari_pixcell.serialization import use_own_form
from napari_pixcell.untrusted import check_array

MOST_UNCOMPRESSED = 64 * 2**20  # bytes; larger arrays are compressed at once to save memory
MOST_READ = 512 * 2**20  # bytes of an array that a record may hold
READ_AT_ONCE = 2**20  # bytes decompressed at once while an array is checked
DTYPES = {"bool", *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64))}
DTYPES |= {"float16", "float32", "float64"}

_HASH = re.compile("[0-9a-f]{64}")
WITHHELD = (
    "The start image is not in this record, which names it by its hash. Choose the slide or image "
    "it was read from: rerun RECORD --slide FILE."
)


class PackedArray:
    """An array that can be compared, hashed and written as JSON. It cannot be changed.

    It holds either its values or, to save memory, their compressed text. One that is *withheld*
    holds only the hash of its values: tissue that does not leave the machine.

    Parameters
    ----------
    dtype : str
        NumPy's name of the type. The bytes are little-endian.
    shape : tuple of int
        Shape of the array.
    data : str, optional
        Its bytes in C order, zlib-compressed, base64.
    array : array, optional
        Its values instead, which must not change any more.
    sha256 : str, optional
        Hash of its bytes instead, if they are withheld.
    """

    __slots__ = ("__weakref__", "_array", "_data", "_digest", "dtype", "shape")

    def __init__(
        self,
        dtype: str,
        shape: tuple[int, ...],
        data: str | None = None,
        array: NDArray[Any] | None = None,
        sha256: str | None = None,
    ) -> None:
        self.dtype, self.shape = dtype, shape
        self._data, self._array, self._digest = data, array, sha256

    @classmethod
    def pack(cls, array: NDArray[Any]) -> PackedArray:
        """Pack a copy of any numeric array."""
        copy = np.array(array, array.dtype.newbyteorder("<"), order="C", copy=True)
        packed = _shared(cls(array.dtype.name, tuple(array.shape), array=copy))
        if copy.nbytes > MOST_UNCOMPRESSED:
            packed._compress()
        return packed

    @property
    def data(self) -> str:
        """Its bytes in C order, zlib-compressed, base64."""
        return self._data or self._compress()

    def _compress(self) -> str:
        array = self._array
        if array is None:  # another thread was faster
            assert self._data is not None
            return self._data
        data = base64.b64encode(zlib.compress(array.data, 6)).decode("ascii")
        self._data = data
        self._array = None  # only now: other threads may be reading it
        return data

    def view(self) -> NDArray[Any]:
        """Return the array, native-endian and read-only."""
        array = self._array
        if array is None:
            if self._data is None:
                raise PixCellError(WITHHELD)
            array = _decompressed(self._data, self.dtype, self.shape)
        array = array.astype(self.dtype, copy=False).view()
        array.flags.writeable = False
        return array

    def unpack(self) -> NDArray[Any]:
        """Return the array, writable and native-endian."""
        return self.view().copy()

    @property
    def nbytes(self) -> int:
        """Size of the array in bytes."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PackedArray):
            return NotImplemented
        if self is other:
            return True
        if (self.dtype, self.shape) != (other.dtype, other.shape):
            return False
        return self.sha256 == other.sha256

    def __hash__(self) -> int:
        return hash((self.dtype, self.shape, self.sha256))

    @property
    def sha256(self) -> str:
        """Hash of its bytes in C order, little-endian."""
        if self._digest is None:
            array = self._array  # another thread may be compressing it
            if array is not None:
                self._digest = hashlib.sha256(array.data).hexdigest()
            else:
                assert self._data is not None
                self._digest = _digest_of(self._data, self.nbytes)
        return self._digest

    @property
    def withheld(self) -> bool:
        """Whether only its hash is known."""
        return self._array is None and self._data is None

    def without_values(self) -> PackedArray:
        """Return it with its hash only."""
        return PackedArray(self.dtype, self.shape, sha256=self.sha256)

    def __repr__(self) -> str:
        return f"PackedArray({self.dtype}, {self.shape})"

    def __reduce__(self) -> tuple[Any, ...]:
        return PackedArray.from_dict, ({**self._head(), **self._body()},)

    def _head(self) -> dict[str, Any]:
        return {"dtype": self.dtype, "shape": list(self.shape)}

    def _body(self) -> dict[str, Any]:
        return {"sha256": self.sha256} if self.withheld else {"zlib": self.data}

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON value."""
        apart = _apart.get()
        if apart is not None and not self.withheld:
            number = apart.number_of(self)
            if number is not None:
                return {"array": number}
        return {**self._head(), **self._body()}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> PackedArray:
        """Read the result of :meth:`to_dict`, and check that the array is complete.

        Raises
        ------
        PixCellError
            If it is damaged.
        """
        apart = _apart.get()
        try:
            if apart is not None and "array" in value:
                return apart.arrays[int(value["array"])]
            dtype, text = value["dtype"], value.get("zlib")
            if dtype not in DTYPES:
                raise ValueError("its type is unknown")
            shape = check_array(value["shape"], dtype, MOST_READ)
            if text is None:
                return cls(dtype, shape, sha256=_checked_hash(value["sha256"]))
            key = dtype, shape, text
            known = _known_text.get(hash(key))
            if known is None or (known.dtype, known.shape, known._data) != key:
                known = _shared(cls(*key))  # hashing it decompresses it
                _known_text[hash(key)] = known
            return known
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, zlib.error) as error:
            raise PixCellError(
                "An array in this record is damaged. Use a record that was not edited by hand."
            ) from error


def _decompressed(data: str, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    array = np.empty(shape, np.dtype(dtype).newbyteorder("<"))
    raw, at = array.reshape(-1).view(np.uint8), 0
    for part in _inflated(data, array.nbytes):
        raw[at : at + len(part)] = np.frombuffer(part, np.uint8)
        at += len(part)
    return array


def _digest_of(data: str, size: int) -> str:
    digest = hashlib.sha256()
    for part in _inflated(data, size):
        digest.update(part)
    return digest.hexdigest()


def _inflated(data: str, size: int) -> Iterator[bytes]:
    """Iterate over decompressed bytes, never many at once; ValueError if not ``size`` in all."""
    decoder, length, rest = zlib.decompressobj(), 0, base64.b64decode(data)
    while not decoder.eof:
        part = decoder.decompress(rest, READ_AT_ONCE)
        length += len(part)
        if length > size or not (part or decoder.eof):
            break
        yield part
        rest = decoder.unconsumed_tail
    if length != size or not decoder.eof:
        raise ValueError(f"it has not {size} bytes")


def _checked_hash(value: Any) -> str:
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise ValueError("it has no hash")
    return value


# A hundred variants of one job carry the same arrays, which should be in memory only once.
_known: WeakValueDictionary[int, PackedArray] = WeakValueDictionary()
_known_text: WeakValueDictionary[int, PackedArray] = WeakValueDictionary()


def _shared(packed: PackedArray) -> PackedArray:
    """Return an equal array that is already in memory, else this one."""
    known = _known.get(hash(packed))
    if known is not None and known == packed:
        return known
    _known[hash(packed)] = packed
    return packed


class ArraysApart:
    """Arrays that travel beside a JSON value, which refers to them by number.

    ``arrays`` are known to both sides already. Others are added if they have at least ``least``
    bytes; by default none are.
    """

    def __init__(self, arrays: list[PackedArray] | None = None, least: int | None = None) -> None:
        self.arrays = list(arrays or ())
        self._least = least

    def number_of(self, packed: PackedArray) -> int | None:
        """Return the number of an array; None if it is written as text."""
        for number, known in enumerate(self.arrays):
            if known is packed:
                return number
        if self._least is None or packed.nbytes < self._least:
            return None
        self.arrays.append(packed)
        return len(self.arrays) - 1


_apart: ContextVar[ArraysApart | None] = ContextVar("arrays apart", default=None)


@contextmanager
def arrays_apart(apart: ArraysApart) -> Iterator[ArraysApart]:
    """Write and read arrays in the block as references to arrays that travel separately."""
    token = _apart.set(apart)
    try:
        yield apart
    finally:
        _apart.reset(token)


use_own_form(PackedArray, PackedArray.to_dict, PackedArray.from_dict)
