"""What the engine says while it works on a request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pixcell.cells.methods import LayoutSource
from napari_pixcell.engine.record import Record
from napari_pixcell.slides.stored_picture import Picture, StoredPicture

PREVIEW_SIDE = 512  # px


@dataclass(frozen=True)
class Progress:
    """Work done so far: ``done`` of ``total`` steps, and in words what is going on."""

    done: int
    total: int
    message: str


@dataclass(frozen=True)
class Notice:
    """Something that was done otherwise than asked for, such as fewer pictures at once."""

    message: str


@dataclass(frozen=True)
class Preview:
    """What variant ``index`` looks like by now: uint8, (height, width, 3), latent-sized.

    Of a canvas with more than ``PREVIEW_SIDE`` latents along a side, only some of them.
    """

    index: int
    image: NDArray[np.uint8]


@dataclass(frozen=True)
class Variant:
    """A finished variant: uint8, (height, width, 3), and the record that makes it again.

    What is too large for memory is a :class:`~napari_pixcell.slides.stored_picture.StoredPicture`.
    """

    index: int
    image: Picture
    record: Record


@dataclass(frozen=True)
class Embedding:
    """A finished embedding: float32, (tokens, dimension), and which encoder it is from.

    ``encoder`` is what :func:`napari_pixcell.models.identity.encoder_identity` gave when the
    weights were loaded.
    """

    values: NDArray[np.float32]
    encoder: str = ""


@dataclass(frozen=True)
class SegmentedLayout:
    """Cells that were found: int32, (height, width), 0 is background; and how."""

    labels: NDArray[np.int32]
    source: LayoutSource


@dataclass(frozen=True)
class Trained:
    """A stain that was taught, and is the user's own now.

    Parameters
    ----------
    name : str
        Of its family.
    folder : str
        That its files are in.
    held_out : float
        Of the embeddings' distance between H&E and stain the part that the flow leaves, on pairs
        kept apart.
    shift : float
        The same for one shift of all embeddings, the least that a flow should do better than.
    pairs, tiles, held_tiles : int
        Pairs, and tiles that were taught and kept apart.
    """

    name: str
    folder: str
    held_out: float
    shift: float
    pairs: int
    tiles: int
    held_tiles: int

    def sentence(self) -> str:
        """Say how well it was taught."""
        pairs = "1 pair" if self.pairs == 1 else f"{self.pairs:,} pairs"
        text = (
            f"“{self.name}” was taught by {self.tiles:,} tiles of {pairs}; on "
            f"{self.held_tiles:,} tiles kept apart {self.held_out:.0%} of the way from H&E to the "
            "stain is left"
        )
        if self.held_out < self.shift:
            return f"{text} ({self.shift:.0%} where all are moved alike)."
        return (
            f"{text}, no less than where all are moved alike ({self.shift:.0%}): do not trust it; "
            "more pairs, or better aligned ones, may help."
        )


@dataclass(frozen=True)
class Finished:
    """Nothing more will come; ``cancelled`` if the user stopped it."""

    cancelled: bool = False


@dataclass(frozen=True)
class Failure:
    """It went wrong: a sentence for the user, and details for the log."""

    message: str
    details: str = ""


Event = (
    Progress
    | Notice
    | Preview
    | Variant
    | Embedding
    | SegmentedLayout
    | Trained
    | Finished
    | Failure
)

Emit = Callable[[Event], None]


def is_last(event: Event) -> bool:
    """Whether ``event`` ends its job."""
    return isinstance(event, (Finished, Failure))


def summary(event: Event) -> dict[str, Any]:
    """Give the JSON part of an event; images travel beside it."""
    match event:
        case Progress(done, total, message):
            return {"event": "progress", "done": done, "total": total, "message": message}
        case Notice(message):
            return {"event": "notice", "message": message}
        case Preview(index, _):
            return {"event": "preview", "index": index}
        case Variant(index, image, record):
            there = {"folder": str(image.folder)} if isinstance(image, StoredPicture) else {}
            return {"event": "variant", "index": index, "record": record.to_dict()} | there
        case Embedding(values, encoder):
            return {"event": "embedding", "values": values.tolist(), "encoder": encoder}
        case SegmentedLayout(_, source):
            return {"event": "layout", "source": source.to_dict()}
        case Trained():
            return {"event": "taught", "stain": asdict(event)}
        case Finished(cancelled):
            return {"event": "finished", "cancelled": cancelled}
        case Failure(message, details):
            return {"event": "failure", "message": message, "details": details}
