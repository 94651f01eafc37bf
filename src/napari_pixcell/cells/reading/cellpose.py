"""Cellpose's ``_seg.npy``: a pickle, read without executing anything from it."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.reading import limits
from napari_pixcell.errors import PixCellError

CORE = ("numpy.core.multiarray", "numpy._core.multiarray")
NUMERIC = ("numpy.core.numeric", "numpy._core.numeric")


def read_seg(path: Path, file: IO[bytes]) -> NDArray[Any]:
    """Return the masks of a ``_seg.npy``; ``file`` is positioned after the array header.

    Raises
    ------
    PixCellError
        If opening the file would run code, or it contains no masks.
    """
    try:
        value = _Unpickler(file, path.name).load()
        outer = value.values() if isinstance(value, _Array) else None
        masks = outer[0].get("masks") if outer and isinstance(outer[0], dict) else None
        if isinstance(masks, _Array):
            return masks.array(path.name)
    except PixCellError:
        raise
    except Exception as error:  # a damaged pickle can raise anything
        raise limits.no_label_image(path.name) from error
    raise limits.no_label_image(path.name)


class _Dtype:
    """Stand-in for numpy's dtype, whose own unpickling trusts memory flags in the file."""

    def __init__(self, name: str, align: bool = False, copy: bool = False) -> None:
        self.name, self.order = name, "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = str(state[1])

    def dtype(self) -> np.dtype[Any]:
        dtype = np.dtype(str(self.name))
        if dtype.kind not in "biuf":
            raise ValueError("not a numeric array")
        return dtype.newbyteorder(">") if self.order == ">" else dtype


class _Array:
    """Stand-in for an array, which keeps its bytes until it is needed."""

    def __init__(self, *ignored: Any) -> None:
        self.state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state[-4:]  # shape, dtype, whether in Fortran order, bytes or list

    def values(self) -> list[Any] | None:
        """Return the members of an object array."""
        return self.state[3] if self.state and isinstance(self.state[3], list) else None

    def array(self, name: str) -> NDArray[Any]:
        shape, dtype, fortran, data = self.state
        limits.check_pixels(name, shape, dtype.dtype().itemsize)
        flat = np.frombuffer(data, dtype.dtype())
        return flat.reshape(shape, order="F" if fortran else "C")


def _from_buffer(data: Any, dtype: _Dtype, shape: Any, order: str, axes: Any = None) -> _Array:
    array = _Array()
    array.state = (tuple(shape), dtype, order == "F", data)
    return array


def _nothing(*ignored: Any) -> None:
    """Stand-in for numpy scalars and paths, which are not needed."""


class _Unpickler(pickle._Unpickler):
    """Unpickler that knows stand-ins for numpy arrays and nothing else that can be called.

    It is the one in Python, because the one in C reserves whatever memory a file claims to need.
    """

    def __init__(self, file: IO[bytes], name: str) -> None:
        super().__init__(file)
        self.name, self.encoded = name, 0

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for a name in the file, or raise PixCellError."""
        if module == "numpy" and name in ("ndarray", "dtype"):
            return {"ndarray": _Array, "dtype": _Dtype}[name]
        if module in CORE and name in ("_reconstruct", "scalar"):
            return {"_reconstruct": _Array, "scalar": _nothing}[name]
        if module in NUMERIC and name == "_frombuffer":
            return _from_buffer
        if (module, name) == ("_codecs", "encode"):
            return self._encode
        if module.split(".")[0] == "pathlib" and name.endswith("Path"):
            return _nothing
        raise PixCellError(
            f"{self.name} was not opened because it would run code ({module}.{name}). Save the "
            "masks in Cellpose as TIFF or PNG."
        )

    def _encode(self, text: str, coding: str) -> bytes:
        """Return bytes, which pickles of Python 2's protocol store as text."""
        self.encoded += len(text)
        if coding != "latin1" or self.encoded > limits.MOST_DECODED:
            raise ValueError("an unusual encoding")
        return text.encode(coding)
