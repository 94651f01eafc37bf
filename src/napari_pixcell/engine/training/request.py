"""Teaching a stain, as one serialisable value; imports no torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from napari_pixcell.errors import PixCellError
from napari_pixcell.slides.pixel_size import checked_mpp

FLOW_STEPS = 3000
LORA_STEPS = 1000
LORA_BATCH = 4
MOST_STEPS = 1_000_000


@dataclass(frozen=True)
class TrainRequest:
    """Teach a stain by pairs of pictures of the same places.

    Unlike other requests it names folders: pairs are gigabytes, and what was done with them goes
    on where it was stopped.

    Parameters
    ----------
    name : str
        Of the stain.
    family : str
        The built-in family that it builds on.
    he, ihc : str
        Folders of pictures: H&E, and IHC of the same places.
    out : str
        Folder that the stain is written to, and its checkpoints on the way.
    mpp : float, optional
        Pixel size of all pictures in µm; by default what each file says, else the family's.
    steps : int
        Of the flow, at most: it stops where pairs kept apart get no better.
    lora_steps : int
        Of the adapter (LoRA) of the generator; 0 for none.
    aligned : bool
        Whether the pairs fit to the pixel: most lessons of the adapter then begin at the H&E.
    batch : int
        Tiles of one step of the adapter.
    seed : int
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
        """Refuse what cannot be taught."""
        limits = (
            ("number of steps", self.steps, 1, MOST_STEPS),
            ("number of steps of the adapter", self.lora_steps, 0, MOST_STEPS),
            ("number of tiles of a step", self.batch, 1, 256),
            ("seed", self.seed, 0, 2**32 - 1),
        )
        for name, value, low, high in limits:
            if not low <= value <= high:
                raise PixCellError(f"The {name} is {value}; choose one from {low} to {high}.")
        if self.mpp is not None:
            checked_mpp(self.mpp)

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON value."""
        return {"kind": "teach", **asdict(self)}
