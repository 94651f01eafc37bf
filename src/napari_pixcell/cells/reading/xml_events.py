"""Streaming XML of limited size and depth, without entities."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any
from xml.parsers import expat

from napari_pixcell.cells.reading import limits
from napari_pixcell.cells.reading.plain import chunks, number
from napari_pixcell.errors import PixCellError

MOST_BYTES = 512 * 2**20
MOST_ELEMENTS = 3_000_000  # the corners of about 100,000 nuclei
LONGEST = 8 * 2**20  # bytes of one element; expat slows down with longer ones
START, END = "start", "end"
ENDED = ("annotation", "region")  # elements whose ends matter

Attributes = dict[str, str]
Event = tuple[str, str, Attributes]


def elements(path: Path) -> Iterator[Event]:
    """Iterate over the starts of elements, and the ends of annotations and regions.

    Yields
    ------
    event : str
        ``start`` or ``end``.
    tag : str
        Name in lower case, without a namespace.
    attributes : dict
        With names in lower case; empty for an end.

    Raises
    ------
    PixCellError
        If the file is damaged, too large, nested too deeply, or declares entities.
    """
    reader = _Reader(path.name)
    try:
        first = True
        for data in chunks(path, MOST_BYTES):
            if first:
                data, first = data.lstrip(b" \t\r\n"), False
                reader.start(data[:200])
            reader.feed(data)
            yield from reader.taken()
        reader.parser.Parse(b"", True)
        yield from reader.taken()
    except (expat.ExpatError, EOFError, OSError, ValueError, LookupError, zlib.error) as error:
        raise PixCellError(
            f"“{path.name}” is not complete XML ({str(error)[:80]}). Export or copy it again."
        ) from error


def in_pixels(attributes: Attributes, x: str = "x", y: str = "y") -> tuple[float, float]:
    """Return two coordinates of an element; NaN where one is missing or no number."""
    return number(attributes.get(x)), number(attributes.get(y))


class _Reader:
    def __init__(self, name: str) -> None:
        self.name = name
        self.parser: Any = expat.ParserCreate()
        self._events: list[Event] = []
        self._depth = self._count = self._fed = 0

    def start(self, head: bytes) -> None:
        """Create the parser for a file with these first bytes."""
        # Some programs write “utf-16” in front of UTF-8.
        wrong = head.startswith(b"<?xml") and b"utf-16" in head.lower()
        self.parser = expat.ParserCreate("utf-8" if wrong else None)
        self.parser.StartElementHandler = self._on_start
        self.parser.EndElementHandler = self._on_end
        self.parser.StartDoctypeDeclHandler = self._on_doctype
        self.parser.EntityDeclHandler = self._on_doctype

    def feed(self, data: bytes) -> None:
        """Parse the next bytes."""
        self._fed += len(data)
        self.parser.Parse(data, False)
        if self._fed - self.parser.CurrentByteIndex > LONGEST:
            raise PixCellError(
                f"“{self.name}” has an element of more than {LONGEST / 2**20:.0f} MB, unlike any "
                "file of cells. Export it again."
            )

    def taken(self) -> list[Event]:
        """Return the events so far, and forget them."""
        events, self._events = self._events, []
        return events

    def _on_start(self, tag: str, attributes: Attributes) -> None:
        self._depth += 1
        self._count += 1
        if self._depth > limits.DEEPEST:
            raise PixCellError(f"“{self.name}” is nested too deeply. Export it again.")
        if self._count > MOST_ELEMENTS:
            raise PixCellError(
                f"“{self.name}” has more than {MOST_ELEMENTS:,} corners. Export fewer cells, or "
                "several files."
            )
        lowered = {_local(key): value for key, value in attributes.items()}
        self._events.append((START, _local(tag), lowered))

    def _on_end(self, tag: str) -> None:
        self._depth -= 1
        if _local(tag) in ENDED:
            self._events.append((END, _local(tag), {}))

    def _on_doctype(self, *ignored: Any) -> None:
        raise PixCellError(
            f"“{self.name}” declares a document type, which files of cells do not need. Remove the "
            "declaration, or export the file again."
        )


@lru_cache(1000)
def _local(name: str) -> str:
    return name.rpartition(":")[2].lower()
