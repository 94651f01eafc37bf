"""Variants with their pixels, records and targets."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.engine.record import Record
from napari_pixcell.models.families import stain_of
from napari_pixcell.slides.stored_picture import Picture, StoredPicture
from napari_pixcell.studio.generation.target import Target
from napari_pixcell.studio.results.spill import read_back


@dataclass(eq=False)
class Result:
    """A variant and its target."""

    number: int
    target: Target
    # Pixels, uint8, (height, width, 3); None while they are only on disk
    memory: Picture | None
    record: Record
    job: int  # number of the job that made it
    shown: bool = False
    made: datetime = field(default_factory=datetime.now)
    starred: bool = False  # it then has a layer of its own
    place: Path | None = None  # file with its pixels, if they are on disk too
    shape: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.shape = (*self.target.size, 3) if self.memory is None else self.memory.shape

    @property
    def image(self) -> Picture:
        """Its pixels, read from disk if need be: use it in a thread.

        Raises
        ------
        PixCellError
            If the file is gone.
        """
        memory = self.memory  # the main thread may give it up meanwhile
        if memory is not None:
            return memory
        return read_back(self.place or Path(), self.record)

    @property
    def seed(self) -> int:
        return self.record.request.seed

    @property
    def name(self) -> str:
        stain = stain_of(self.record.request.family)
        what = f"Synthetic {stain}" if stain else "Synthetic"
        return f"{what} · {self.target.name} · seed {self.seed}"

    @property
    def label(self) -> str:
        """Caption that tells it from others of its job: stain or seed."""
        return stain_of(self.record.request.family) or f"seed {self.seed}"

    @property
    def small(self) -> NDArray[np.uint8]:
        """The picture, or a reduced one if it is on disk: uint8, (height, width, 3)."""
        image = self.image
        return image.small() if isinstance(image, StoredPicture) else image

    @property
    def labels(self) -> NDArray[Any] | None:
        layout = self.record.request.layout
        return layout.unpack() if layout is not None else None

    @property
    def nuclei(self) -> str:
        """How well it follows its layout, in words; empty if that is not known."""
        repair = self.record.repair
        return repair.sentence() if repair is not None else ""

    def named(self, name: str) -> Record:
        """Return the record with another name for the slide."""
        request = self.record.request
        source = replace(request.source, name=name)
        return replace(self.record, request=replace(request, source=source))
