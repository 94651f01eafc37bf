"""Training of a ControlNet, as one serialisable value. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from napari_pixcell.cells.class_map import Palette, checked_palette
from napari_pixcell.cells.methods import SegmentMethod
from napari_pixcell.engine.training.request import MOST_STEPS
from napari_pixcell.errors import PixCellError, check_range
from napari_pixcell.serialization import to_json
from napari_pixcell.slides.pixel_size import checked_mpp

CONTROL_STEPS = 3000
CONTROL_BATCH = 8
STARTS = ("auto", "base")


@dataclass(frozen=True)
class TrainControlRequest:
    """Train a ControlNet from images and the masks of their cells.

    Parameters
    ----------
    name : str
        Name of the family that it becomes.
    family : str
        The built-in family that it is based on.
    pairs : str
        Folder of images with masks, or of images alone.
    out : str
        Folder for the ControlNet and its checkpoints.
    classes : bool
        Train on class maps, with a colour for each class of cells.
    palette : tuple of (name, colour), optional
        The classes and their colours. By default all classes in the files, in colours far apart.
    start : str
        ``auto``: from the ControlNet of the base, if it has one, else from the base's own blocks.
        ``base``: from the base's blocks.
    segment : SegmentMethod
        How cells are segmented in images alone.
    mpp : float, optional
        Pixel size of all images in µm. By default each file's own, else the family's.
    steps, batch : int
        Steps, and tiles per step.
    seed : int
        Seed of all random choices.

    Raises
    ------
    PixCellError
        If a value is out of range.
    """

    name: str
    family: str
    pairs: str
    out: str
    classes: bool = False
    palette: Palette = ()
    start: str = STARTS[0]
    segment: SegmentMethod = field(default_factory=SegmentMethod)
    mpp: float | None = None
    steps: int = CONTROL_STEPS
    batch: int = CONTROL_BATCH
    seed: int = 0

    def __post_init__(self) -> None:
        check_range("number of steps", self.steps, 1, MOST_STEPS)
        check_range("number of tiles per step", self.batch, 1, 256)
        check_range("seed", self.seed, 0, 2**32 - 1)
        if self.start not in STARTS:
            raise PixCellError(
                f"A ControlNet cannot start from “{self.start}”. Choose one of: auto, base."
            )
        if self.palette:
            checked_palette(self.palette)
        if self.mpp is not None:
            checked_mpp(self.mpp)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON value."""
        return {"kind": "train control", **to_json(self)}
