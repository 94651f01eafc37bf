"""The directories of a TIFF, read without a library and checked before any decoder sees them.

OpenSlide ends the whole process on some claims, and tifffile allocates what a file claims.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from napari_pixcell.slides.corrupt import damaged

HEADS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
WIDTH, LENGTH, SAMPLES, TILE_WIDTH, TILE_LENGTH, ROWS = 256, 257, 277, 322, 323, 278
NUMBERS = (WIDTH, LENGTH, 259, 262, SAMPLES, ROWS, 284, TILE_WIDTH, TILE_LENGTH)
TEXTS = (270, 271, 272, 305, 700)  # description, make, model, software, XMP
NDPI, SUBIFDS = 65420, 330
BYTE_COUNTS = (279, 325)  # of strips and tiles
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
SIZES |= {16: 8, 17: 8, 18: 8}
INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
MOST_DIRECTORIES, MOST_TAGS, MOST_TEXT = 20_000, 4_096, 65_536
LONGEST_SIDE = 2**30  # px
LONGEST_TILE, LARGEST_TILE = 2**14, 2**26  # px


@dataclass
class Directory:
    """One directory: its whole numbers, the start of its texts, and the tags it has."""

    numbers: dict[int, int] = field(default_factory=dict)
    texts: dict[int, bytes] = field(default_factory=dict)
    tags: set[int] = field(default_factory=set)


class _Walk:
    def __init__(self, file: BinaryIO, path: Path, head: bytes) -> None:
        self.file, self.name, self.size = file, path.name, path.stat().st_size
        self.order = "<" if head[:2] == b"II" else ">"
        self.big = head[2:4] in (b"+\0", b"\0+")
        # Only Hamamatsu's TIFFs exceed the 32 bits of the small TIFF.
        self.ndpi = not self.big and self.size >= 2**32
        self.seen: set[int] = set()
        self.found: list[Directory] = []

    def get(self, kind: str, at: int) -> tuple[Any, ...]:
        size = struct.calcsize("=" + kind)
        if not 0 <= at <= self.size - size:
            raise damaged(self.name)
        self.file.seek(at)
        return struct.unpack(self.order + kind, self.file.read(size))

    def chain(self, offset: int) -> None:
        """Read a directory and those that follow it; a loop ends the chain."""
        children: list[int] = []
        while offset and offset not in self.seen:
            self.seen.add(offset)
            if len(self.seen) > MOST_DIRECTORIES:
                raise damaged(self.name)
            offset = self.one(offset, children)
        for child in children:
            if child not in self.seen:
                self.chain(child)

    def one(self, offset: int, children: list[int]) -> int:
        """Read one directory; return the offset of the next."""
        count_kind, entry_kind, place = ("Q", "HHQ", 8) if self.big else ("H", "HHI", 4)
        (count,) = self.get(count_kind, offset)
        if count > MOST_TAGS:
            raise damaged(self.name)
        directory = Directory()
        start, step = offset + struct.calcsize("=" + count_kind), 12 + 2 * place - 8
        for at in range(start, start + count * step, step):
            tag, kind, number = self.get(entry_kind, at)
            self.tag(directory, children, tag, kind, number, at + step - place, place)
        self.found.append(directory)
        self.ndpi = self.ndpi or NDPI in directory.tags
        long = self.big or self.ndpi  # Hamamatsu's own extension of the small TIFF
        return int(self.get("Q" if long else "I", start + count * step)[0])

    def tag(
        self,
        directory: Directory,
        children: list[int],
        tag: int,
        kind: int,
        number: int,
        at: int,
        place: int,
    ) -> None:
        directory.tags.add(tag)
        size = SIZES.get(kind, 1) * number
        if tag in NUMBERS:
            if kind not in INTEGERS or number != 1:
                raise damaged(self.name)
            directory.numbers[tag] = self.get(INTEGERS[kind], at)[0]
        elif tag in TEXTS and number > 0:
            there = at if size <= place else self.get("Q" if place == 8 else "I", at)[0]
            self.file.seek(min(there, self.size))
            directory.texts[tag] = self.file.read(min(size, MOST_TEXT))
        elif tag in BYTE_COUNTS and kind in INTEGERS and number:
            there = at if size <= place else self.get("Q" if place == 8 else "I", at)[0]
            if not 0 <= there <= self.size - size:
                raise damaged(self.name)
            self.file.seek(there)
            counts = np.frombuffer(self.file.read(size), self.order + INTEGERS[kind])
            if counts.max() > self.size:  # OpenSlide allocates what is claimed
                raise damaged(self.name)
        elif tag == SUBIFDS and kind in INTEGERS and 0 < number <= MOST_DIRECTORIES:
            there = at if size <= place else self.get("Q" if place == 8 else "I", at)[0]
            children.extend(self.get(f"{number}{INTEGERS[kind]}", there))


def read_directories(path: Path) -> list[Directory]:
    """Return the directories of a TIFF, those of sub-images last.

    Raises
    ------
    PixCellError
        If the chain leads beyond the end of the file, as in a truncated copy, or a directory
        claims an impossible size.
    """
    with path.open("rb") as file:
        head = file.read(16)
        walk = _Walk(file, path, head)
        if len(head) < 16:
            raise damaged(path.name)
        start = 8 if walk.big else 4
        walk.chain(walk.get("Q" if walk.big or walk.ndpi else "I", start)[0])
    if not walk.found or not all(map(_is_possible, walk.found)):
        raise damaged(path.name)
    return walk.found


def _is_possible(directory: Directory) -> bool:
    get = directory.numbers.get
    if WIDTH not in directory.numbers and LENGTH not in directory.numbers:
        return TILE_WIDTH not in directory.numbers  # a directory without an image
    sides = get(WIDTH, 0), get(LENGTH, 0)
    if not all(0 < side <= LONGEST_SIDE for side in sides):
        return False
    if not {TILE_WIDTH, TILE_LENGTH} & directory.tags:
        return get(ROWS, 1) > 0
    wide, high = get(TILE_WIDTH, 0), get(TILE_LENGTH, 0)
    return 0 < wide <= LONGEST_TILE and 0 < high <= LONGEST_TILE and wide * high <= LARGEST_TILE
