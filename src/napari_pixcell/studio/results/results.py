"""Variants that were made, and the jobs that make them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.datasets.recipe.request import AnyRequest
from napari_pixcell.engine.record import Record
from napari_pixcell.models.families import stain_of
from napari_pixcell.slides.region import Region
from napari_pixcell.slides.stored_picture import Picture, StoredPicture
from napari_pixcell.studio.generation.start import Beginning
from napari_pixcell.studio.results.spill import read_back


class JobHandle(Protocol):
    """What a client gives for a submitted request."""

    def cancel(self) -> None:
        """Stop between two steps."""


class Client(Protocol):
    """Who runs requests: the worker's client, or a script in a test."""

    def submit(self, request: AnyRequest, on_event: Any = None, previews: bool = True) -> JobHandle:
        """Queue a request; ``on_event`` gets its events in some thread."""

    def restart(self) -> None:
        """Give all memory back."""

    def close(self) -> None:
        """End for good."""


@dataclass(eq=False)
class Target:
    """Where results land: captured when the job is queued.

    Parameters
    ----------
    number, name : int, str
        Of the region.
    slide : str
        Key of the slide.
    region : Region
        Where the region was.
    mpp : float
        Pixel size of the slide in µm.
    size : (height, width)
        Of the pictures, in px.
    pixels : array, optional
        The tissue there, to compare with.
    start : Beginning, optional
        What the requests start from, until they are completed with it.
    """

    number: int
    name: str
    slide: str
    region: Region
    mpp: float
    size: tuple[int, int]
    pixels: NDArray[np.uint8] | None = None
    start: Beginning | None = None


@dataclass(eq=False)
class Result:
    """A variant, and where it belongs.

    Parameters
    ----------
    number : int
        Of this result, from 1.
    target : Target
        Where it lies.
    memory : array, uint8, (height, width, 3), or StoredPicture, or None
        Its pixels; None while they wait on the disk.
    record : Record
        How it was made.
    job : int
        Number of the job that made it.
    shown : bool
        Whether it is to be seen over its region.
    made : datetime
        When.
    starred : bool
        Whether the user keeps it: then it has a layer of its own.
    place : Path, optional
        Where its pixels are on the disk, if they are there too.
    """

    number: int
    target: Target
    memory: Picture | None
    record: Record
    job: int
    shown: bool = False
    made: datetime = field(default_factory=datetime.now)
    starred: bool = False
    place: Path | None = None
    shape: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.shape = (*self.target.size, 3) if self.memory is None else self.memory.shape

    @property
    def image(self) -> Picture:
        """Its pixels; those that are on the disk are read, so ask in a thread.

        Raises
        ------
        PixCellError
            If they are gone from the disk.
        """
        memory = self.memory  # the main thread may give it up meanwhile
        if memory is not None:
            return memory
        return read_back(self.place or Path(), self.record)

    @property
    def seed(self) -> int:
        """Seed of this variant."""
        return self.record.request.seed

    @property
    def name(self) -> str:
        """As its layer is called."""
        stain = stain_of(self.record.request.family)
        what = f"Synthetic {stain}" if stain else "Synthetic"
        return f"{what} · {self.target.name} · seed {self.seed}"

    @property
    def label(self) -> str:
        """What tells it from others of its job: its stain, or its seed."""
        return stain_of(self.record.request.family) or f"seed {self.seed}"

    @property
    def small(self) -> NDArray[np.uint8]:
        """The picture, or a smaller one of it where it is on disk: uint8, (height, width, 3)."""
        image = self.image
        return image.small() if isinstance(image, StoredPicture) else image

    @property
    def labels(self) -> NDArray[Any] | None:
        """The layout it was made from."""
        layout = self.record.request.layout
        return layout.unpack() if layout is not None else None

    def named(self, name: str) -> Record:
        """Give the record with another name for the slide."""
        request = self.record.request
        source = replace(request.source, name=name)
        return replace(self.record, request=replace(request, source=source))
