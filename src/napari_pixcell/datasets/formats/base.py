"""Common base of all formats: the facts of a conversion, its pairs, and its output folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.export import read_record
from napari_pixcell.datasets.marks import read_marked
from napari_pixcell.datasets.splits import Split
from napari_pixcell.datasets.store.dataset import MOST_FILE_BYTES, Dataset, Description
from napari_pixcell.datasets.store.pair_files import DIGITS, ENCODERS
from napari_pixcell.datasets.store.rows import JsonRow
from napari_pixcell.engine.record import Record
from napari_pixcell.errors import PixCellError
from napari_pixcell.untrusted import read_bounded

CELL = "cell"  # category of the cells without a class


@dataclass(frozen=True)
class Facts:
    """Facts about a conversion that are known before its first pair."""

    description: Description
    split: Split | None
    counts: dict[str, int]  # pairs of each part; "" is the only part without a split
    masks: bool  # whether the pairs have masks
    cells: tuple[str, ...]  # methods behind the cells of the layouts, with their licences
    classes: tuple[str, ...] = ()  # of the cells; “cell” for those without one

    @property
    def categories(self) -> tuple[str, ...]:
        """Categories of the cells, of which there is always one."""
        return self.classes or (CELL,)

    def category(self, name: str) -> int:
        """Return the number of a category, from 0. Raises PixCellError if there is none."""
        if name not in self.categories:
            raise PixCellError(
                f"A mask has cells of the class “{name}”, which no layout of "
                f"{self.description.name} has. Restore the dataset from a copy."
            )
        return self.categories.index(name)

    @property
    def total(self) -> int:
        """Number of pairs of all parts."""
        return sum(self.counts.values())


@dataclass(frozen=True)
class ExportedPair:
    """A pair of a dataset that is being converted."""

    dataset: Dataset
    row: JsonRow  # of its manifest
    part: str  # such as “train”; empty without a split
    number: int  # of the pairs of its part that precede it

    @property
    def stem(self) -> str:
        """Name of its files: its number in the dataset."""
        return f"{self.row['index']:0{DIGITS}}"

    def picture(self, suffix: str) -> bytes:
        """Return its image file, ``.png`` or ``.tif``, with marks and record."""
        if Path(self.row["image"]).suffix == suffix:
            return self._image
        encode = dict(ENCODERS.values())[suffix]
        return encode(self.pixels, self.record, self.dataset.description.mpp)

    @property
    def about(self) -> dict[str, Any]:
        """Metadata of the pair, for formats that can store it."""
        told = {key: self.row[key] for key in ("index", "style", "layout", "seed", "cells")}
        if self.row["classes"]:
            told["classes"] = {str(label): name for label, name in self.classes.items()}
        return told | {"synthetic": True}

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """Its image: uint8, (height, width, 3)."""
        pixels = self._decoded(self.row["image"], self._image)
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[-1] != 3:
            raise self._changed(self.row["image"])
        return pixels

    @property
    def record(self) -> Record:
        """The record of its image."""
        return read_record(self.dataset.folder / self.row["image"])

    @cached_property
    def mask(self) -> bytes:
        """Its mask as a TIFF file with its marks, if it has one."""
        return self._read(self.row["mask"])

    @property
    def labels(self) -> NDArray[Any]:
        """Its mask: uint16 or uint32, (height, width)."""
        labels = self._decoded(self.row["mask"], self.mask)
        if labels.dtype.kind != "u" or labels.ndim != 2:
            raise self._changed(self.row["mask"])
        return labels

    @cached_property
    def classes(self) -> dict[int, str]:
        """Class name of each label of its mask that has one."""
        return read_marked(self.mask, self.row["mask"]).classes if self.row["classes"] else {}

    @cached_property
    def _image(self) -> bytes:
        return self._read(self.row["image"])

    def _read(self, name: str) -> bytes:
        try:
            data = read_bounded(self.dataset.folder / name, MOST_FILE_BYTES, "pair")
        except PixCellError:
            data = b""
        if hashlib.sha256(data).hexdigest() != self.row["files"][name]:
            raise self._changed(name)
        return data

    def _decoded(self, name: str, data: bytes) -> NDArray[Any]:
        try:
            return read_marked(data, name).pixels
        except ValueError as error:
            raise self._changed(name) from error

    def _changed(self, name: str) -> PixCellError:
        return PixCellError(
            f"{name} of the dataset {self.dataset.folder.name} is missing or was changed. "
            "Restore it, or reject the pair, and convert again."
        )


@dataclass
class Format:
    """Writes pairs in a format.

    One object begins and closes a conversion. Others :meth:`add` its pairs, a few each, perhaps in
    other processes.
    """

    name: ClassVar[str]
    how: ClassVar[str]  # how to open it, for the README
    needs_masks: ClassVar[bool] = True

    folder: Path  # empty at first; becomes the output when it is complete
    facts: Facts
    ends: dict[str, bytearray] = field(default_factory=dict, init=False, repr=False)  # see end()
    _made: set[str] = field(default_factory=set, init=False, repr=False)

    def begin(self) -> None:
        """Write whatever precedes the pairs."""

    def add(self, pair: ExportedPair) -> dict[str, str]:
        """Write a pair, and return its locations for the manifest: ``image``, ``mask``, ….

        Other pairs may be written at the same time. What goes to a file that they share is given
        to :meth:`end`.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Write whatever follows the pairs."""

    def end(self, name: str, data: bytes) -> None:
        """Have data added to the end of a file of the output, in the order of the pairs."""
        self.ends.setdefault(name, bytearray()).extend(data)

    def append(self, name: str, data: bytes) -> None:
        """Add data to the end of a file of the output."""
        with self._path(name).open("ab") as file:
            file.write(data)

    def readme(self, text: str) -> None:
        """Write the README."""
        self.put("README.txt", text.encode())

    def put(self, name: str, data: bytes) -> str:
        """Write a file of the output, and return its name."""
        self._path(name).write_bytes(data)
        return name

    def _path(self, name: str) -> Path:
        """Return the path of a file of the output, whose folder exists then."""
        path = self.folder / name
        parent = name.rpartition("/")[0]
        if parent not in self._made:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._made.add(parent)
        return path


def under(*parts: str) -> str:
    """Join the non-empty parts of a path in the output."""
    return "/".join(part for part in parts if part)
