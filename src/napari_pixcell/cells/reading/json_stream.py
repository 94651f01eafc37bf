"""Streaming JSON of limited size and depth, plain or compressed."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import ijson
import numpy as np

from napari_pixcell.cells.reading import limits
from napari_pixcell.errors import PixCellError

GZIP = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
# Invalid JSON that Python's json and QuPath write; read as null.
NO_NUMBER = re.compile(rb"(?<=[\s,:\[])-?(?:NaN|Infinity)(?=[\s,\]}])")
LONGEST_WORD = 32


class Guarded:
    """File that limits the number of bytes read and the depth of nested brackets."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self.file, self.name = file, name
        self.count = self.depth = 0
        self.quoted = False

    def read(self, size: int = -1) -> bytes:
        """Read the next bytes, with NaN and infinite numbers as null."""
        if size == 0:
            return b""
        data = self.file.read(size)
        for _ in range(LONGEST_WORD):  # do not split a word or an escape
            if not data or not (data[-1:].isalpha() or data[-1:] in b"\\-"):
                break
            data += self.file.read(1)
        if self.count == 0:
            data = data.removeprefix(BOM)
        self.count += len(data)
        limits.check_bytes(self.name, self.count)
        self._check_depth(data)
        if b"NaN" in data or b"Infinity" in data:
            data = NO_NUMBER.sub(b"null", data)
        return data

    def _check_depth(self, data: bytes) -> None:
        plain = data.replace(b"\\\\", b"..").replace(b'\\"', b"..")
        codes = np.frombuffer(plain, np.uint8)
        quotes = codes == ord('"')
        inside = np.logical_xor.accumulate(quotes) ^ self.quoted if len(codes) else quotes
        opens = (codes == ord("[")) | (codes == ord("{"))
        closes = (codes == ord("]")) | (codes == ord("}"))
        where = np.flatnonzero((opens | closes) & ~inside)
        if len(where):
            depths = self.depth + np.cumsum(np.where(opens[where], 1, -1))
            if depths.max() > limits.DEEPEST:
                raise PixCellError(
                    f"{self.name} nests brackets more than {limits.DEEPEST} deep, unlike any file "
                    "of cells. Export it again."
                )
            self.depth = int(depths[-1])
        if len(codes):
            self.quoted = bool(inside[-1])


@contextmanager
def open_json(path: Path) -> Iterator[Guarded]:
    """Open a JSON file, plain or compressed; errors while reading become PixCellError."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == GZIP
            file.seek(0)
            with gzip.open(file) if packed else file as plain:
                yield Guarded(cast(IO[bytes], plain), path.name)
    except (ijson.JSONError, gzip.BadGzipFile, zlib.error, EOFError, UnicodeError) as error:
        raise PixCellError(
            f"{path.name} is not a complete JSON file. Export or copy it again."
        ) from error
    except RecursionError as error:
        raise PixCellError(f"{path.name} is nested too deeply. Export it again.") from error


def items(file: Guarded, prefix: str) -> Iterator[Any]:
    """Iterate over the values under an ijson prefix, with numbers as float."""
    return iter(ijson.items(file, prefix, use_float=True))


def pairs(file: Guarded, prefix: str) -> Iterator[tuple[str, Any]]:
    """Iterate over the keys and values of the object under an ijson prefix."""
    return iter(ijson.kvitems(file, prefix, use_float=True))
