"""JSON lines: files of rows that only grow, and that stay readable if a process is killed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from napari_pixcell.untrusted import (
    MOST_JSON_BYTES,
    check_regular,
    check_text,
    path_inside,
    reading,
)

LONGEST_ROW = MOST_JSON_BYTES
BLOCK = 1 << 16
BUFFER = 1 << 20
ROWS_AT_ONCE = 1000  # that a process parses for one task

JsonRow = dict[str, Any]


def as_line(row: JsonRow) -> bytes:
    """Return a row as it is stored."""
    return json.dumps(row, ensure_ascii=False).encode(errors="replace") + b"\n"


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
    PixCellError
        If the path is no regular file.
    """
    _check_own(path)
    data = b"".join(map(as_line, rows))
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
    """Iterate over the rows of a file, skipping damaged ones."""
    return (row for _, row in read_offsets(path) if row is not None)


def read_offsets(
    path: Path, start: int = 0, stop: int | None = None
) -> Iterator[tuple[int, JsonRow | None]]:
    """Iterate over the rows of a file between two byte offsets, each with its own offset.

    A damaged row is None. A missing file has no rows.

    Raises
    ------
    PixCellError
        If the file cannot be read.
    """
    if not path.is_symlink() and not path.exists():
        return
    check_regular(path)
    at = start
    with reading(path.name), path.open("rb") as file:
        file.seek(start)
        while (stop is None or at < stop) and (line := file.readline(LONGEST_ROW)):
            if line.strip():
                yield at, _parse(line)
            at += len(line)


def row_ranges(path: Path, start: int = 0, rows: int = ROWS_AT_ONCE) -> Iterator[tuple[int, int]]:
    """Iterate over the byte offsets before and after every few rows of a file, parsing none.

    They depend on the file alone, and together cover what :func:`read_offsets` reads.

    Raises
    ------
    PixCellError
        If the file cannot be read.
    """
    if not path.is_symlink() and not path.exists():
        return
    check_regular(path)
    at, begun, count = start, start, 0
    with reading(path.name), path.open("rb", buffering=BUFFER) as file:
        file.seek(start)
        while line := file.readline(LONGEST_ROW):
            at += len(line)
            count += 1
            if count == rows:
                yield begun, at
                begun, count = at, 0
    if count:
        yield begun, at


def row_at(path: Path, offset: int) -> JsonRow | None:
    """Read the row at an offset that :func:`read_offsets` returned; None if it is damaged."""
    check_regular(path)
    with reading(path.name), path.open("rb") as file:
        file.seek(offset)
        return _parse(file.readline(LONGEST_ROW))


def _parse(line: bytes) -> JsonRow | None:
    try:
        row = json.loads(line)
        check_text(line, row)
    except (ValueError, RecursionError):  # torn, perhaps within a letter
        return None
    return row if isinstance(row, dict) else None


def cut_torn(path: Path) -> None:
    """Remove a torn row from the end of a file; end a whole one that lacks its line break."""
    if not path.exists():
        return
    _check_own(path)
    with path.open("r+b") as file:
        end = start = file.seek(0, os.SEEK_END)
        tail = b""
        while start and b"\n" not in tail:
            start = max(0, end - 2 * len(tail) - BLOCK)
            file.seek(start)
            tail = file.read(end - start)
        torn = tail[tail.rfind(b"\n") + 1 :]
        if _parse(torn) is not None:
            file.write(b"\n")
        else:
            file.truncate(end - len(torn))


def _check_own(path: Path) -> None:
    """Raise PixCellError if writing to a file would change one outside its folder."""
    path_inside(path.parent, path.name, "file name")
    if path.exists() and not path.is_dir():  # opening a folder says so itself
        check_regular(path)
