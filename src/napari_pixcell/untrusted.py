"""Bounds for files that others made: sizes, nesting, names, and the errors of decoders.

A received file may be damaged or hostile. Every reader checks what the file claims before it
allocates memory, and turns what a decoder raises into one sentence for the user.
"""

from __future__ import annotations

import io
import json
import re
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from math import isfinite, prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.errors import PixCellError

MOST_JSON_BYTES = 64 * 2**20
MOST_ARRAY_BYTES = 1 * 2**30
LONGEST_NAME = 200
AGAIN = "Copy it again from its source."
_BOM = b"\xef\xbb\xbf"
_NAME = re.compile(r"[^/\\:\0-\x1f]+")


@contextmanager
def reading(name: str, advice: str = AGAIN) -> Iterator[None]:
    """Turn whatever is raised while a file is decoded into a PixCellError that names the file.

    Decoders raise anything on damaged input: TypeError, KeyError, struct.error, RecursionError.
    A reader wraps its whole work in this once, and gives better sentences inside it for the
    damage that it can recognise.

    Parameters
    ----------
    name : str
        The file's name without its folder.
    advice : str
        What the user can do; one sentence.
    """
    try:
        yield
    except PixCellError:
        raise
    except MemoryError as error:
        raise PixCellError(f"“{name}” does not fit into memory. Use a smaller file.") from error
    except OSError as error:
        reason = error.strerror or "it is damaged"
        raise PixCellError(f"“{name}” cannot be read: {reason}. {advice}") from error
    except Exception as error:
        raise PixCellError(f"“{name}” is damaged and cannot be read. {advice}") from error


def check_regular(path: Path) -> None:
    """Raise PixCellError unless a path is a regular file; opening a pipe would wait forever."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise PixCellError(f"“{_short(path)}” does not exist. Check its name and folder.") from None
    except (OSError, ValueError) as error:  # too long, a loop of links, no permission, a NUL
        reason = getattr(error, "strerror", None) or "its path is not valid"
        raise PixCellError(
            f"“{_short(path)}” cannot be read: {reason}. Check its name and folder."
        ) from error
    if stat.S_ISDIR(mode):
        raise PixCellError(f"“{_short(path)}” is a folder. Choose a file inside it.")
    if not stat.S_ISREG(mode):
        raise PixCellError(f"“{_short(path)}” is a pipe or a device, not a file. Choose a file.")


def read_bounded(path: Path, most: int, what: str = "file") -> bytes:
    """Return the content of a regular file of at most ``most`` bytes; see :func:`check_regular`."""
    check_regular(path)
    with reading(path.name), path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise PixCellError(
            f"“{_short(path)}” is larger than {most / 2**20:,.0f} MB, too large for a {what}. "
            "Choose another file."
        )
    return data


def parse_json(data: bytes | str, name: str, advice: str = AGAIN, lenient: bool = False) -> Any:
    """Parse JSON; raise PixCellError if it is damaged, nested too deeply or not UTF-8.

    NaN and infinities, which JSON does not have but Python reads, are refused. With ``lenient``
    they are None instead, where one bad value must not block the others.
    """
    try:
        text = data.removeprefix(_BOM).decode() if isinstance(data, bytes) else data
        constant = _no_constant if lenient else _refuse_constant
        number = partial(_finite, constant)
        value = json.loads(text, parse_constant=constant, parse_float=number)
        check_text(text, value)
        return value
    except RecursionError as error:
        raise PixCellError(f"“{name}” is nested too deeply. {advice}") from error
    except ValueError as error:  # also of UTF-8, and of integers of thousands of digits
        raise PixCellError(f"“{name}” is not valid JSON ({_reason(error)}). {advice}") from error


def check_text(text: str | bytes, value: Any) -> None:
    """Raise ValueError if parsed JSON holds half a letter, which no file can be written with."""
    escape = "\\ud" if isinstance(text, str) else b"\\ud"
    if escape in text.lower():  # type: ignore[operator]
        json.dumps(value, ensure_ascii=False).encode()


def read_json(path: Path, most: int = MOST_JSON_BYTES, advice: str = AGAIN) -> Any:
    """Read a JSON file of at most ``most`` bytes; see :func:`parse_json`."""
    return parse_json(read_bounded(path, most, "JSON file"), path.name, advice)


def plain_name(value: Any, what: str) -> str:
    """Return a file name that a file claims, if it is one name without a folder.

    Raises
    ------
    PixCellError
        If it is not text, has a separator or a control character, is ``..``, or is too long.
    """
    fits = isinstance(value, str) and _NAME.fullmatch(value) and len(value) <= LONGEST_NAME
    if not fits or str(value).strip(". ") == "":
        shown = f"“{str(value)[:60]}”"
        raise PixCellError(f"{shown} is not a valid {what}. Use a name without folders.")
    return str(value)


def path_inside(folder: Path, value: Any, what: str) -> Path:
    """Return the path of a file that a file names relative to its folder, never outside it.

    Raises
    ------
    PixCellError
        If the value is not a relative path of plain names, or a link leads out of the folder.
    """
    parts = value.split("/") if isinstance(value, str) else [value]
    path = folder.joinpath(*(plain_name(part, what) for part in parts))
    if not path.resolve().is_relative_to(folder.resolve()):
        raise PixCellError(f"“{value}” leads out of its folder. Remove the link.")
    return path


def inflate(data: bytes, size: int) -> bytes:
    """Decompress zlib data that must have ``size`` bytes; raise ValueError if it has not.

    No more than ``size`` + 1 bytes are ever decompressed.
    """
    decoder = zlib.decompressobj()
    try:
        out = decoder.decompress(data, size + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if len(out) != size:
        raise ValueError(f"{len(out):,} bytes decompressed, not {size:,}")
    return out


def check_array(shape: Any, dtype: Any, most: int = MOST_ARRAY_BYTES) -> tuple[int, ...]:
    """Return the shape that a file claims for an array, if the array is of a sensible size.

    Raises
    ------
    ValueError
        If the shape is no list of whole numbers, or the array would exceed ``most`` bytes.
    """
    if not isinstance(shape, list | tuple) or len(shape) > 8:
        raise ValueError("the shape is not a list of numbers")
    if any(not isinstance(n, int) or isinstance(n, bool) or n < 0 for n in shape):
        raise ValueError("the shape is not a list of whole numbers")
    if prod(shape) * np.dtype(dtype).itemsize > most:
        raise ValueError(f"an array of {' × '.join(map(str, shape))} is too large")
    return tuple(shape)


def read_npy(data: bytes, name: str, most: int = MOST_ARRAY_BYTES) -> NDArray[Any]:
    """Read an array from the bytes of a ``.npy`` file, never with pickle.

    Raises
    ------
    PixCellError
        If the data is damaged, cut short, or holds Python objects.
    """
    file = io.BytesIO(data)
    with reading(name, "Save the array again with numpy.save."):
        version = np.lib.format.read_magic(file)
        header = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = header(file, max_header_size=10_000)
        check_array(shape, dtype, most)
        file.seek(0)
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))


def _finite(constant: Callable[[str], Any], text: str) -> Any:
    """Return a number, or what a constant becomes if it is too large to be one, such as 1e400."""
    value = float(text)
    return value if isfinite(value) else constant(text)


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a number")


def _no_constant(text: str) -> None:
    return None


def _reason(error: ValueError) -> str:
    """Return what is wrong in at most a few words."""
    return str(getattr(error, "msg", error))[:80]


def _short(path: Path) -> str:
    name = path.name
    return name if len(name) <= LONGEST_NAME else f"{name[:60]}…"
