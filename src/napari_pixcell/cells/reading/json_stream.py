"""Streaming JSON of limited size and depth, plain or compressed."""

from __future__ import annotations

import gzip
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import ijson
import numpy as np

from napari_pixcell.cells.reading import limits
from napari_pixcell.errors import PixCellError

GZIP, ZIP = b"\x1f\x8b", b"PK"
# What damaged archives raise, encrypted and unknown methods of compression included.
BROKEN_ZIP = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, NotImplementedError),
    *(OSError, UnicodeError),
)
BOM = b"\xef\xbb\xbf"
# Invalid JSON that Python's json and QuPath write; read as null.
NO_NUMBER = re.compile(rb"(?<=[\s,:\[])-?(?:NaN|Infinity)(?=[\s,\]}])")
LONGEST_WORD = 32
LONGEST_TEXT = 32 * 2**20  # bytes of one string; images are embedded as text
LONGEST_NUMBER = 1000  # digits, in the middle of a file
CELL_DEPTH = 3  # brackets around a cell in every known format
HEAVIEST = 3 * 2**28  # bytes that one value takes as Python objects
LIST_BYTES, NUMBER_BYTES = 64, 32  # of a list and of a number as Python objects


class Guarded:
    """File that limits its bytes, the depth of nested brackets and the size of single values.

    Parameters
    ----------
    file : file
        Decompressed.
    name : str
    size : int
        Size on disk in bytes, which limits what may be decompressed.
    """

    def __init__(self, file: IO[bytes], name: str, size: int) -> None:
        self.file, self.name, self.size = file, name, size
        self.count = self.depth = self.weight = self.text = 0
        self.quoted = self.packed = False
        self.last = b""

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
        limits.check_bytes(self.name, self.count, self.size)
        self._check_depth(data)
        before, self.last = self.last, data[-1:]
        if b"NaN" in data or b"Infinity" in data:
            data = NO_NUMBER.sub(b"null", before + data)[len(before) :]
        return data

    def _check_depth(self, data: bytes) -> None:
        plain = data.replace(b"\\\\", b"..").replace(b'\\"', b"..")
        codes = np.frombuffer(plain, np.uint8)
        quotes = codes == ord('"')
        inside = np.logical_xor.accumulate(quotes) ^ self.quoted if len(codes) else quotes
        opens = (codes == ord("[")) | (codes == ord("{"))
        closes = (codes == ord("]")) | (codes == ord("}"))
        where = np.flatnonzero((opens | closes) & ~inside)
        low = self.depth <= CELL_DEPTH
        if len(where):
            depths = self.depth + np.cumsum(np.where(opens[where], 1, -1))
            if depths.max() > limits.DEEPEST:
                raise PixCellError(
                    f"{self.name} nests brackets more than {limits.DEEPEST} deep, unlike any file "
                    "of cells. Export it again."
                )
            self.depth = int(depths[-1])
            low = low or bool(depths.min() <= CELL_DEPTH)
        numbers = int(np.count_nonzero((codes == ord(",")) & ~inside))
        weight = NUMBER_BYTES * numbers + LIST_BYTES * int(np.count_nonzero(opens & ~inside))
        self.weight = weight if low else self.weight + weight
        quoted = np.flatnonzero(quotes)
        self.text = len(codes) - 1 - int(quoted[-1]) if len(quoted) else self.text + len(codes)
        digits = len(codes) > LONGEST_NUMBER and codes.max() <= ord("9") and codes.min() >= ord("0")
        too_long = self.quoted and self.text > LONGEST_TEXT
        if self.weight > HEAVIEST or too_long or (digits and not self.quoted):
            raise PixCellError(
                f"{self.name} has a single value that is too large to read. Export it in several "
                "files."
            )
        if len(codes):
            self.quoted = bool(inside[-1])


def _plain(file: IO[bytes], name: str) -> IO[bytes]:
    """Return the decompressed content of a plain, gzip or zip file."""
    head = file.read(2)
    file.seek(0)
    if head == GZIP:
        return cast(IO[bytes], gzip.open(file))
    if head != ZIP:
        return file
    archive = zipfile.ZipFile(file)
    members = json_members(archive)
    if len(members) != 1:
        raise PixCellError(
            f"{name} has {len(members):,} JSON files. Unpack it and choose one of them."
        )
    return archive.open(members[0])


def json_members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the JSON files of a zip, without those that macOS adds."""
    return [one for one in visible(archive) if one.filename.lower().endswith((".json", ".geojson"))]


def visible(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the files of a zip without folders and hidden files, which macOS adds."""
    return [
        one
        for one in archive.infolist()
        if not one.is_dir()
        and not one.filename.startswith("__MACOSX/")
        and not one.filename.rsplit("/", 1)[-1].startswith(".")
    ]


@contextmanager
def open_json(path: Path) -> Iterator[Guarded]:
    """Open a JSON file, plain or compressed; errors while reading become PixCellError."""
    try:
        with path.open("rb") as file, _plain(file, path.name) as plain:
            guarded = Guarded(plain, path.name, path.stat().st_size)
            guarded.packed = plain is not file
            yield guarded
    except (ijson.JSONError, *BROKEN_ZIP) as error:
        raise PixCellError(
            f"{path.name} is not a complete JSON file. Export or copy it again."
        ) from error
    except RecursionError as error:
        raise PixCellError(f"{path.name} is nested too deeply. Export it again.") from error


def check_unpacked(path: Path) -> None:
    """Raise PixCellError if a file is much larger unpacked; unpacking is faster than reading."""
    with open_json(path) as guarded:
        if guarded.packed:
            while data := guarded.file.read(2**20):
                guarded.count += len(data)
                limits.check_bytes(guarded.name, guarded.count, guarded.size)


def items(file: Guarded, prefix: str) -> Iterator[Any]:
    """Iterate over the values under an ijson prefix, with numbers as float."""
    return iter(ijson.items(file, prefix, use_float=True))


def pairs(file: Guarded, prefix: str) -> Iterator[tuple[str, Any]]:
    """Iterate over the keys and values of the object under an ijson prefix."""
    return iter(ijson.kvitems(file, prefix, use_float=True))
