"""Rows of JSON in a file that grows (JSON lines), and that a killed process leaves readable."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

BLOCK = 1 << 16

Row = dict[str, Any]


def append_rows(path: Path, rows: Iterable[Row]) -> None:
    """Add rows at the end of a file; they are on the disk, or none is, when this returns.

    Parameters
    ----------
    path : Path
        Made if it is not there. A row in it that was cut off stays apart from the new ones.
    rows : iterable of dict
        JSON values.

    Raises
    ------
    OSError
        If they cannot be written; what was there is unchanged.
    """
    data = b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
    with path.open("a+b", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # an earlier run was killed in the middle of a row
                data = b"\n" + data
        try:
            while data:  # a disk that fills up takes a part first
                data = data[file.write(data) :]
            os.fsync(file.fileno())
        except BaseException:
            file.truncate(size)
            raise


def read_rows(path: Path) -> Iterator[Row]:
    """Give the rows of a file one by one; a row that was cut off is passed over."""
    for _, row in read_places(path):
        yield row


def read_places(path: Path, start: int = 0) -> Iterator[tuple[int, Row]]:
    """Give the rows of a file from a byte on, each with the byte that it begins at."""
    if not path.exists():
        return
    at = start
    with path.open("rb") as file:
        file.seek(start)
        for line in file:
            try:
                row = json.loads(line)
            except ValueError:  # torn, perhaps within a letter
                row = None
            if isinstance(row, dict):
                yield at, row
            at += len(line)


def row_at(path: Path, place: int) -> Row:
    """Give the row that begins at a byte that :func:`read_places` gave."""
    with path.open("rb") as file:
        file.seek(place)
        row: Row = json.loads(file.readline())
        return row


def cut_torn(path: Path) -> None:
    """Take away a last row that was cut off, so that the file ends with a whole one."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - BLOCK)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                file.truncate(start + found + 1)
                return
            end = start
        file.truncate(0)
