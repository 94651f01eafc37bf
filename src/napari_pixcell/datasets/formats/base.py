"""What every format is given: where it goes, what it is made of, and its pairs one by one."""

from __future__ import annotations

import hashlib
import io
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.marking import synthetic_image_tiff, synthetic_png
from napari_pixcell.datasets.reading import read_record
from napari_pixcell.datasets.splits import Split
from napari_pixcell.datasets.store.dataset import Dataset, Description
from napari_pixcell.datasets.store.pair_files import DIGITS
from napari_pixcell.datasets.store.rows import Row
from napari_pixcell.engine.record import Record
from napari_pixcell.errors import PixCellError


@dataclass(frozen=True)
class Facts:
    """What is known of a conversion before its first pair.

    Parameters
    ----------
    description : Description
        Of the dataset.
    split : Split, optional
    counts : dict of str to int
        Pairs of each part; of the part ``""`` without a split.
    masks : bool
        Whether the pairs have masks.
    cells : tuple of str
        How the cells of the layouts were found, with the licences that reach them.
    """

    description: Description
    split: Split | None
    counts: dict[str, int]
    masks: bool
    cells: tuple[str, ...]

    @property
    def total(self) -> int:
        """Pairs of all parts."""
        return sum(self.counts.values())


@dataclass(frozen=True)
class Pair:
    """A pair of a dataset on its way into another format.

    Parameters
    ----------
    dataset : Dataset
    row : dict
        Of its manifest.
    part : str
        Such as ``train``; empty without a split.
    """

    dataset: Dataset
    row: Row
    part: str

    @property
    def stem(self) -> str:
        """Name of its files: the number that it has in the dataset."""
        return f"{self.row['index']:0{DIGITS}}"

    def picture(self, suffix: str) -> bytes:
        """Give its image as a file with its marks and record: ``.png`` or ``.tif``."""
        if Path(self.row["image"]).suffix == suffix:
            return self._image
        encode = synthetic_png if suffix == ".png" else synthetic_image_tiff
        return encode(self.pixels, self.record, self.dataset.description.mpp)

    @property
    def about(self) -> dict[str, Any]:
        """What the formats that have room for it say of a pair."""
        told = {key: self.row[key] for key in ("index", "style", "layout", "seed", "cells")}
        return told | {"synthetic": True}

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """Its image: uint8, (height, width, 3)."""
        if self.row["image"].endswith(".png"):
            from PIL import Image

            return np.asarray(Image.open(io.BytesIO(self._image)))
        return _read_tiff(self._image)

    @property
    def record(self) -> Record:
        """What its image was made with."""
        return read_record(self.dataset.folder / self.row["image"])

    @cached_property
    def mask(self) -> bytes:
        """Its mask as a TIFF file with its marks; only where there is one."""
        return self._read(self.row["mask"])

    @property
    def labels(self) -> NDArray[Any]:
        """Its mask: uint16 or uint32, (height, width)."""
        return _read_tiff(self.mask)

    @cached_property
    def _image(self) -> bytes:
        return self._read(self.row["image"])

    def _read(self, name: str) -> bytes:
        try:
            data = (self.dataset.folder / name).read_bytes()
        except OSError:
            data = b""
        if hashlib.sha256(data).hexdigest() != self.row["files"][name]:
            raise PixCellError(
                f"{name} of the dataset {self.dataset.folder.name} is missing or was changed; "
                "restore it, or reject the pair, and convert again."
            )
        return data


def _read_tiff(data: bytes) -> NDArray[Any]:
    from tifffile import imread

    return np.asarray(imread(io.BytesIO(data)))


@dataclass
class Format:
    """Writes pairs as another program reads them; one object for each conversion.

    Parameters
    ----------
    folder : Path
        Empty at first; becomes the output once everything is in it.
    facts : Facts
    """

    name: ClassVar[str]
    words: ClassVar[str]
    how: ClassVar[str]  # how it is opened, for the README
    needs_masks: ClassVar[bool] = True

    folder: Path
    facts: Facts
    files: ExitStack = field(default_factory=ExitStack, init=False, repr=False)  # closed at the end
    _made: set[str] = field(default_factory=set, init=False, repr=False)

    def begin(self) -> None:
        """Write what comes before the pairs."""

    def add(self, pair: Pair) -> dict[str, str]:
        """Write a pair, and say where it is, for the manifest: ``image``, ``mask``, …."""
        raise NotImplementedError

    def close(self) -> None:
        """Write what comes after the pairs."""

    def readme(self, text: str) -> None:
        """Write what a person is told."""
        self.put("README.txt", text.encode())

    def put(self, name: str, data: bytes) -> str:
        """Write a file of the output, and give its name."""
        path = self.folder / name
        parent = name.rpartition("/")[0]
        if parent not in self._made:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._made.add(parent)
        path.write_bytes(data)
        return name


def under(*parts: str) -> str:
    """Join the parts of a path in the output; empty ones are left out."""
    return "/".join(part for part in parts if part)
