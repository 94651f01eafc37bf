"""Training of a stain, as one serialisable value. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from napari_pixcell.errors import check_range
from napari_pixcell.serialization import to_json
from napari_pixcell.slides.pixel_size import checked_mpp

FLOW_STEPS = 3000
LORA_STEPS = 1000
LORA_BATCH = 4
MOST_STEPS = 1_000_000


@dataclass(frozen=True)
class TrainRequest:
    """Train a stain from pairs of images of the same tissue.

    Unlike other requests it names folders: pairs take gigabytes, and training resumes from the
    files in ``out``.

    Parameters
    ----------
    name : str
        Name of the stain.
    family : str
        The built-in family that it is based on.
    he, ihc : str
        Folders of images: H&E, and IHC of the same tissue.
    out : str
        Folder for the trained stain and its checkpoints.
    mpp : float, optional
        Pixel size of all images in µm. By default each file's own, else the family's.
    steps : int
        Steps of the flow at most. Training stops early once held-out pairs no longer improve.
    lora_steps : int
        Steps of the generator's adapter (LoRA). 0 trains none.
    aligned : bool
        Whether the pairs match pixel by pixel. Most training examples of the adapter then start
        from the H&E.
    batch : int
        Tiles per step of the adapter.
    seed : int
        Seed of all random choices.

    Raises
    ------
    PixCellError
        If a value is out of range.
    """

    name: str
    family: str
    he: str
    ihc: str
    out: str
    mpp: float | None = None
    steps: int = FLOW_STEPS
    lora_steps: int = 0
    aligned: bool = False
    batch: int = LORA_BATCH
    seed: int = 0

    def __post_init__(self) -> None:
        limits = (
            ("number of steps", self.steps, 1, MOST_STEPS),
            ("number of adapter steps", self.lora_steps, 0, MOST_STEPS),
            ("number of tiles per step", self.batch, 1, 256),
            ("seed", self.seed, 0, 2**32 - 1),
        )
        for limit in limits:
            check_range(*limit)
        if self.mpp is not None:
            checked_mpp(self.mpp)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON value."""
        return {"kind": "train", **to_json(self)}
