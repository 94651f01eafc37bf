"""The bytes and text of files that may be compressed, of limited size."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from napari_pixcell.errors import PixCellError

GZIP = b"\x1f\x8b"
AT_ONCE = 64 * 1024
# The longer marks come first, because that of UTF-16 is the start of that of UTF-32.
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def head_of(path: Path, size: int = 4096) -> bytes:
    """Return the first bytes of a file, decompressed; empty if it cannot be decompressed."""
    with path.open("rb") as file:
        head = file.read(size)
    if not head.startswith(GZIP):
        return head
    try:
        return next(chunks(path, size, size), b"")
    except (OSError, EOFError, zlib.error):
        return b""


def chunks(path: Path, most: int, size: int = AT_ONCE) -> Iterator[bytes]:
    """Iterate over the bytes of a file, decompressed; raise PixCellError above ``most`` bytes."""
    count = 0
    with path.open("rb") as file:
        packed = file.read(2) == GZIP
        file.seek(0)
        with gzip.open(file) if packed else file as opened:
            plain = cast(IO[bytes], opened)
            while data := plain.read(size):
                count += len(data)
                if count > most:
                    raise PixCellError(
                        f"“{path.name}” is larger than {most / 2**20:,.0f} MB uncompressed. Export "
                        "fewer cells, or several files."
                    )
                yield data


def coding_of(head: bytes) -> str:
    """Return the encoding that the first bytes of a text show; UTF-8 without a mark."""
    return next((name for mark, name in MARKS if head.startswith(mark)), "utf-8")


def text_of(data: bytes) -> str:
    """Return text of UTF-8, UTF-16 or UTF-32, or of one byte a character if it is none of them."""
    try:
        return data.decode(coding_of(data))
    except UnicodeDecodeError:
        return data.decode("latin-1")


def number(value: object) -> float:
    """Return a number written with a decimal point or comma; NaN if it is none."""
    text = str(value)
    try:
        return float(text.replace(",", ".") if "," in text else text)
    except ValueError:
        return float("nan")
