"""JSON lines: files of rows that only grow, and that stay readable if a process is killed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

BLOCK = 1 << 16

JsonRow = dict[str, Any]


def append_rows(path: Path, rows: Iterable[JsonRow]) -> None:
    """Append rows to a file. When this returns, all of them are on disk.

    Parameters
    ----------
    path : Path
        Created if it does not exist. A torn row at its end stays apart from the new ones.
    rows : iterable of dict
        JSON values.

    Raises
    ------
    OSError
        If they cannot be written; the file is unchanged then.
    """
    data = b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
    with path.open("a+b", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # an earlier run was killed in the middle of a row
                data = b"\n" + data
        try:
            while data:  # a disk that fills up accepts a part first
                data = data[file.write(data) :]
            os.fsync(file.fileno())
        except BaseException:
            file.truncate(size)
            raise


def read_rows(path: Path) -> Iterator[JsonRow]:
    """Iterate over the rows of a file, skipping torn ones."""
    for _, row in read_offsets(path):
        yield row


def read_offsets(path: Path, start: int = 0) -> Iterator[tuple[int, JsonRow]]:
    """Iterate over the rows of a file from a byte offset on, each with its own offset."""
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


def row_at(path: Path, offset: int) -> JsonRow:
    """Read the row at an offset that :func:`read_offsets` returned."""
    with path.open("rb") as file:
        file.seek(offset)
        row: JsonRow = json.loads(file.readline())
        return row


def cut_torn(path: Path) -> None:
    """Remove a torn row from the end of a file."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - BLOCK)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                file.truncate(start + newline + 1)
                return
            end = start
        file.truncate(0)
